"""The contract of every metric.

A new metric needs its file and an entry in ``METRICS``, but no test file of its own.
"""

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest
import torch
from torch import Tensor

import lowlight.metrics
from lowlight.metrics import APPEARANCE, DEFINITIONS, METRICS, OPTIONAL, Metric, all_scores, optional
from tests.conftest import photograph

SIZE = (176, 192)
"""Height and width in pixels: NIQE needs two patches of 96 pixels, MS-SSIM sides of 176."""


MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.iter_modules(lowlight.metrics.__path__, "lowlight.metrics.")
]


def photographs() -> Tensor:
    """Return two references of shape (2, 3, H, W), on 8-bit levels."""
    pixels = torch.stack([torch.from_numpy(photograph(seed, *SIZE).copy()) for seed in (1, 2)])
    return pixels.movedim(-1, 1) / 255


def disturbed(image: Tensor, amount: float) -> Tensor:
    """Add noise and a colour cast."""
    cast = torch.tensor([1.0, -1.0, 0.5]).view(3, 1, 1)
    return (image + amount * (cast + torch.randn(image.shape))).clamp(0, 1)


def values(metric: Metric, enhanced: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Return the values by key of the result files."""
    value = metric.measure(enhanced) if metric.against is None else metric.measure(enhanced, other)
    if isinstance(value, dict):
        return {f"{metric.key}/{part}": column for part, column in value.items()}
    return {metric.key: value}


def prepared(metric: Metric) -> None:
    """Skip the test if what the metric needs is not installed."""
    try:
        if metric.prepare:
            metric.prepare()
    except ValueError as error:
        pytest.skip(str(error))


EVERY = (*METRICS, *OPTIONAL, *APPEARANCE)

every_metric = pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.key)
metrics_of_pairs = pytest.mark.parametrize(
    "metric", [metric for metric in EVERY if metric.against], ids=lambda metric: metric.key
)


@every_metric
def test_the_facts_are_complete(metric: Metric) -> None:
    assert metric.key
    assert metric.heading
    assert metric.definition
    assert metric.source
    assert 0 <= metric.decimals <= 4
    assert metric.lower_is_better == ("lower is better" in metric.definition)
    assert metric.unit in metric.definition


def test_keys_and_headings_are_unique() -> None:
    keys = [key for metric in EVERY for key in metric.keys]
    assert len(set(keys)) == len(keys)
    assert len({metric.heading for metric in EVERY}) == len(EVERY)
    assert list(DEFINITIONS) == [metric.key for metric in METRICS]


@every_metric
def test_a_batch_gets_one_value_per_image_and_equals_single_images(metric: Metric) -> None:
    prepared(metric)
    high = photographs()
    enhanced = disturbed(high, 0.1)
    found = values(metric, enhanced, high)
    assert tuple(found) == metric.keys
    for key, value in found.items():
        assert value.shape == (2,)
        assert value.dtype == torch.float32
        assert value.isfinite().all()
        alone = [values(metric, enhanced[i : i + 1], high[i : i + 1])[key].item() for i in range(2)]
        assert value.tolist() == pytest.approx(alone, rel=1e-4)


@metrics_of_pairs
def test_equal_images_have_the_best_value_and_a_stronger_disturbance_a_worse_one(metric: Metric) -> None:
    prepared(metric)
    high = photographs()
    sign = -1 if metric.lower_is_better else 1
    equal, slight, strong = (
        values(metric, image, high) for image in (high, disturbed(high, 0.03), disturbed(high, 0.3))
    )
    for key in metric.keys:
        assert (sign * equal[key] > sign * slight[key]).all()
        assert (sign * slight[key] > sign * strong[key]).all()


def test_a_test_reports_every_metric_against_its_own_image() -> None:
    high, low = photographs(), photographs() / 4
    enhanced = disturbed(high, 0.1)
    scores = all_scores()
    scores.update(enhanced, {"low": low, "high": high, "name": ["a", "b"]})  # type: ignore[typeddict-item]  # a batch
    assert list(scores.compute()) == [f"test/{key}" for metric in METRICS for key in metric.keys]
    for metric in METRICS:
        expected = values(metric, enhanced, low if metric.against == "low" else high)
        for key, value in expected.items():
            assert scores.per_image()["b"][key] == pytest.approx(value[1].item())


def test_an_optional_metric_is_measured_where_it_is_named_once() -> None:
    high = photographs()
    batch = {"low": high / 4, "high": high, "name": ["a", "b"]}
    one = next(metric for metric in OPTIONAL if not metric.prepare)
    scores = all_scores(further=[one.key, one.key])
    scores.measures = {key: measure for key, measure in scores.measures.items() if key in ("psnr", one.key)}
    scores.update(disturbed(high, 0.1), batch)  # type: ignore[arg-type]  # a batch
    assert list(scores.compute()) == ["test/psnr", f"test/{one.key}"]
    with pytest.raises(ValueError, match=r"no optional metric 'lpip'; did you mean lpips\?"):
        optional(["lpip"])


def test_functions_that_share_their_files_name_are_not_hidden_by_it() -> None:
    for module in MODULES:
        name = module.__name__.rpartition(".")[2]
        if name in lowlight.metrics.__all__:
            assert getattr(lowlight.metrics, name) is getattr(module, name)
            assert callable(getattr(lowlight.metrics, name))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_examples_give_what_they_say(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@every_metric
def test_every_metric_has_an_example(metric: Metric) -> None:
    finder = doctest.DocTestFinder()
    sources = [line.source for module in MODULES for test in finder.find(module) for line in test.examples]
    assert any(f"{metric.measure.__name__}(" in source for source in sources)
