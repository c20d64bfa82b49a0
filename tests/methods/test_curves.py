"""Training of illumination curves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image

from lowlight.checkpoints.load import load
from lowlight.config import load_config
from lowlight.evaluation import evaluate
from lowlight.images import Batch
from lowlight.losses import colour_constancy, exposure_control, spatial_consistency
from lowlight.methods import Curves
from lowlight.reference_free import illumination_smoothness
from lowlight.report import compare
from lowlight.training import train
from tests.conftest import photograph
from tests.tiny import TINY, tiny
from tests.tiny_runs import QUICK


def dark_batch(side: int = 32) -> Batch:
    low = 0.2 * torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    return {"low": low, "high": torch.full_like(low, torch.nan), "name": ["a", "b"]}


@pytest.mark.parametrize(("name", "weight"), [("zero_dce", 200), ("zero_dce_pp", 1600)])
def test_the_objective_is_the_published_sum_and_needs_no_reference(name: str, weight: float) -> None:
    method, batch = tiny(name).train(), dark_batch()
    assert isinstance(method, Curves)
    low, high = batch["low"], batch["high"]
    maps = method.net.maps(low)
    enhanced = method.net.bend(low, maps)
    expected = (
        spatial_consistency(enhanced, high, low)
        + 10 * exposure_control(enhanced, high)
        + 5 * colour_constancy(enhanced, high)
        + weight * illumination_smoothness(maps)
    )
    torch.testing.assert_close(method.loss(enhanced, batch), expected)


@pytest.mark.parametrize("name", ["zero_dce", "zero_dce_pp"])
def test_training_brightens_a_dark_image(name: str) -> None:
    method, batch = tiny(name, "method.net.channels=8").train(), dark_batch()
    assert isinstance(method, Curves)
    optimizer = torch.optim.Adam(method.net.parameters(), lr=2e-2)
    losses = []
    for _ in range(25):
        loss = method.loss(method.net(batch["low"]), batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert method.enhance(batch["low"]).mean() > 2 * batch["low"].mean()


def test_the_validation_loss_takes_images_of_any_size() -> None:
    method = tiny("zero_dce_pp").eval()
    low = torch.rand(1, 3, 7, 9)
    assert method.loss(method.restore(low), {"low": low, "high": low, "name": ["a"]}).isfinite()


@pytest.mark.slow
def test_trains_on_photographs_and_is_scored_without_references(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    metrics = train(on(photos, out))
    assert {key for key in metrics if key.startswith("test/")} == {
        "test/niqe",
        "test/loe",
        "test/mean_luma",
        "test/loss",
    }
    assert set(metrics["intervals"]) == {"niqe", "loe", "mean_luma"}
    assert load(out / "last.ckpt").enhance(torch.rand(1, 3, 5, 7)).shape == (1, 3, 5, 7)
    pictures = sorted(path.name for path in (out / "pictures").rglob("*.png"))
    assert pictures == ["enhanced.png", "low.png"]

    scored = tmp_path / "identity"
    overrides = [
        "method=identity",
        "data=unpaired",
        f"data.root={photos}",
        f"output_dir={scored}",
        "trainer=cpu",
    ]
    other = evaluate(load_config(overrides, "evaluate"))
    assert {key for key in other if key.startswith("test/")} == {"test/niqe", "test/loe", "test/mean_luma"}
    page = compare([out, scored], tmp_path / "report").read_text()
    assert "No method is ranked: there are no references." in page


def test_pairs_choose_the_best_checkpoint(photos: Path, lol: Path, tmp_path: Path) -> None:
    metrics = train(on(photos, tmp_path / "run", f"data.layout.pairs={lol}", "data.layout.val_pairs=2"))
    assert metrics["test/psnr"] > 5
    assert metrics["val/psnr"] > 5
    assert metrics["images"] == 2


def test_what_learns_from_references_refuses_photographs(photos: Path, tmp_path: Path) -> None:
    config = on(photos, tmp_path / "run", method="autoencoder")
    with pytest.raises(
        ValueError, match="method=autoencoder learns from references, which the training images"
    ):
        train(config)


def on(photos: Path, out: Path, *more: str, method: str = "zero_dce") -> DictConfig:
    """Return the config of a short training on photographs."""
    overrides = [f"method={method}", *TINY[method], "data=unpaired", f"data.root={photos}", *QUICK]
    return load_config([*overrides, f"output_dir={out}", "trainer.max_epochs=1", "data.patch_size=32", *more])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of five dark photographs, large enough for NIQE."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(5):
        pixels = photograph(index, 200, 210) // 4
        noise = np.random.default_rng(index).integers(0, 6, pixels.shape, dtype=np.uint8)
        Image.fromarray(pixels + noise).save(folder / f"{index}.png")
    return folder
