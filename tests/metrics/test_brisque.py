"""BRISQUE with a model written by hand, and the statistics that it shares with NIQE."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lowlight.metrics import brisque
from lowlight.metrics.brisque import BRISQUE, model
from lowlight.metrics.natural_scenes import fit_asymmetric, normalised, width

HEAD = "svm_type epsilon_svr\nkernel_type rbf\ngamma {gamma}\nnr_class 2\ntotal_sv 2\nrho {rho}\nSV\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes a package of a model, which raises when it is imported."""

    def make(text: str, ranges: object = None) -> None:
        folder = tmp_path / "brisque" / "models"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "__init__.py").write_text("raise RuntimeError\n")
        (folder / "svm.txt").write_text(text)
        ranges = ranges or {"min_": [-1.0] * 36, "max_": [1.0] * 36}  # the statistics as they are
        (folder / "normalize.pickle").write_bytes(pickle.dumps(ranges))
        monkeypatch.syspath_prepend(tmp_path)
        model.cache_clear()

    yield make
    model.cache_clear()


def test_the_score_is_the_regression_that_the_file_describes(install: Callable[..., None]) -> None:
    """Two support vectors, one at the shape and variance of white noise; a flat kernel adds the weights."""
    noise = torch.rand(1, 3, 64, 64).round() * 0.2 + 0.4
    grey = noise.mul(255).round()[:, :1].double()  # the channels differ in nothing that is tested here
    noise = (grey / 255).expand(-1, 3, -1, -1)
    shape, _, left, right = fit_asymmetric(normalised(grey))
    variance = (left.square() + right.square()) / 2
    near = f"1:{shape.item()} 2:{variance.item()}"
    install(HEAD.format(gamma=0, rho=-3) + f"40 {near} \n-10 1:9 \n")
    assert brisque(noise).item() == pytest.approx(40 - 10 + 3)
    install(HEAD.format(gamma=1e-3, rho=-3) + f"40 {near} \n")
    score = brisque(noise).item() - 3
    install(HEAD.format(gamma=1e-3, rho=-3) + f"40 1:{shape.item() + 30} 2:{variance.item()} \n")
    assert brisque(noise).item() - 3 == pytest.approx(score * torch.tensor(-0.9).exp().item(), rel=1e-4)


def test_a_small_image_has_no_score_and_a_flat_one_has(install: Callable[..., None]) -> None:
    install(HEAD.format(gamma=0.1, rho=0) + "1 1:0.5 \n")
    assert brisque(torch.rand(2, 3, 13, 40)).isnan().tolist() == [True, True]
    assert brisque(torch.full((1, 3, 14, 40), 0.5)).isfinite()


def test_missing_and_wrong_files_are_named(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(HEAD.replace("epsilon_svr", "c_svc").format(gamma=1, rho=0) + "1 1:0 \n")
    with pytest.raises(ValueError, match=r"svm\.txt: is no regression of libsvm .*c_svc"):
        brisque(torch.rand(1, 3, 32, 32))
    install("nothing", {"min_": ["a"], "max_": [1.0]})
    with pytest.raises(ValueError, match=r"normalize\.pickle: holds no ranges"):
        brisque(torch.rand(1, 3, 32, 32))
    monkeypatch.setattr("lowlight.packages.find_spec", lambda name: None)
    assert BRISQUE.prepare is not None
    with pytest.raises(ValueError, match=r"BRISQUE needs .*: pip install 'lowlight\[brisque\]'"):
        BRISQUE.prepare()


def test_the_moments_of_known_distributions_are_recognised() -> None:
    normal = torch.randn(1, 1, 400, 400, dtype=torch.float64)
    shape, mean, left, right = (value.item() for value in fit_asymmetric(3 * normal))
    assert (shape, mean, left, right) == pytest.approx((2, 0, 3, 3), abs=0.05)
    laplace = torch.distributions.Laplace(0.0, 1.0).sample((1, 1, 400, 400)).double()
    shape, _, left, right = fit_asymmetric(laplace)
    assert shape.item() == pytest.approx(1, abs=0.03)
    assert (width(shape) * left).item() == pytest.approx(1, abs=0.03)
    skewed = torch.where(laplace < 0, laplace / 2, laplace)
    _, mean, left, right = fit_asymmetric(skewed)
    assert (right / left).item() == pytest.approx(2, abs=0.05)
    assert mean.item() > 0
