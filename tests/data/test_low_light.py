"""Low light made from bright photographs is what its ranges say, and is drawn anew for each sample."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
from PIL import Image

from lowlight.colour import srgb_to_linear
from lowlight.data import LowLightPhotographs, PairDataModule, PairDataset, PairedFolder
from lowlight.data.low_light import LowLight, LowLightPhoto, darken_scene, illumination, sensor_noise
from lowlight.images import Batch
from tests.conftest import photograph

PLAIN = LowLight(
    exposure=(-2, -2),
    highlights=(0, 0),
    uneven=0,
    vignette=(0, 0),
    cast=0,
    shot=(1e-9, 1e-9),
    contrast=(0, 0),
    jpeg=0,
)
"""A change of exposure by two stops and nothing else."""


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "bright"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(photograph(20 + number)).save(folder / f"{number}.png")
    return folder


def test_the_exposure_alone_divides_the_light() -> None:
    high = photograph(1)
    dark = darken_scene(high, PLAIN, generator())
    assert dark.dtype == np.uint8
    expected = srgb_to_linear(high / 255) / 4
    assert np.abs(srgb_to_linear(dark / 255) - expected).max() < 0.005


def test_lamps_stay_bright_where_the_rest_is_dark() -> None:
    high = np.full((32, 48, 3), 120, np.uint8)
    high[8:12, 8:12] = 255
    dark = darken_scene(high, replace(PLAIN, highlights=(4, 4)), generator())
    assert (dark[8:12, 8:12] == 255).all()
    assert dark[0, 0].max() < 70


@pytest.mark.parametrize("seed", range(8))
def test_the_illumination_is_smooth_uneven_and_never_above_the_photographs(seed: int) -> None:
    ranges = LowLight(exposure=(-4, -4), uneven=1, relief=(1, 3), vignette=(0, 0))
    stops = illumination(photograph(seed, 96, 128), ranges, generator(seed))
    assert stops.shape == (96, 128)
    assert stops.max() <= 0
    assert stops.min() > -4.3
    assert np.ptp(stops) > 0.2
    assert np.abs(np.diff(stops, axis=0)).max() < 1.5
    even = illumination(photograph(seed), replace(ranges, uneven=0), generator(seed))
    assert np.ptp(even) < 1e-6


def test_the_noise_is_shot_and_read_noise_behind_a_mosaic() -> None:
    """Green is measured at half of the pixels and averaged at the others, red and blue at a quarter."""
    ranges = LowLight(shot=(1e-3, 1e-3), denoised=(0, 0))
    light = np.full((400, 400, 3), 0.3, np.float32)
    noise = sensor_noise(light, ranges, generator())
    read = np.exp(2.18 * np.log(1e-3) + 1.2)
    green = noise[..., 1]
    assert green[::2, 1::2].var() == pytest.approx(0.3e-3 + read, rel=0.05)
    assert green[2:-2:2, 2:-2:2].var() == pytest.approx((0.3e-3 + read) / 4, rel=0.05)
    red = noise[..., 0]
    assert np.corrcoef(red[:, :-1].ravel(), red[:, 1:].ravel())[0, 1] > 0.3
    assert abs(np.corrcoef(red[:, :-4].ravel(), red[:, 4:].ravel())[0, 1]) < 0.02
    dark = sensor_noise(light / 10, ranges, generator())[::2, 1::2, 1]
    assert green[::2, 1::2].var() == pytest.approx(10 * dark.var(), rel=0.1)
    smoothed = sensor_noise(light, replace(ranges, denoised=(1, 1)), generator())
    assert smoothed.var() < 0.5 * noise.var()


def test_jpeg_and_casts_are_drawn() -> None:
    high = photograph(3)
    plain = darken_scene(high, PLAIN, generator()).astype(float)
    jpeg = darken_scene(high, replace(PLAIN, jpeg=1, quality=(75, 75)), generator()).astype(float)
    assert 0.1 < np.abs(jpeg - plain).mean() < 4
    ratios = []
    for seed in range(60):
        dark = darken_scene(high, replace(PLAIN, cast=0.3), generator(seed)).astype(float)
        ratios.append(
            np.log(srgb_to_linear(dark / 255)[..., 0].mean() / srgb_to_linear(dark / 255)[..., 2].mean())
        )
    assert np.std(ratios) == pytest.approx(0.3, rel=0.25)


@pytest.mark.parametrize(
    ("ranges", "told"),
    [
        ({"exposure": [-1, -2]}, r"exposure=\[-1, -2\] must be two ascending numbers"),
        ({"exposure": -3}, "exposure=-3 must be two ascending numbers"),
        ({"exposure": ["a", "b"]}, "exposure=.* must be two ascending numbers"),
        ({"uneven": [0, 1]}, r"uneven=\[0, 1\] must be a number"),
        ({"shot": [0, 1e-3]}, "shot=.* must be positive"),
        ({"exposre": [-2, -1]}, "'exposre' is none of backlit, cast"),
    ],
)
def test_a_wrong_range_is_refused(ranges: dict[str, Any], told: str, photos: Path) -> None:
    with pytest.raises(ValueError, match=told):
        LowLightPhotographs(photos, ranges=ranges)


def test_samples_are_drawn_anew_and_evaluation_is_not(photos: Path) -> None:
    items = LowLightPhotographs(photos, test_fraction=0.34).items("train", "bright")
    assert len(items) == 4
    dataset = PairDataset(items, patch_size=32)
    fixed, again = dataset[0], PairDataset(items, patch_size=32)[0]
    assert (fixed["low"] == again["low"]).all()
    first, other = dataset[0, 0, 0], dataset[0, 1, 0]
    assert (dataset[0, 0, 0]["low"] == first["low"]).all()
    assert not (first["low"] == other["low"]).all()
    assert first["low"].mean() < first["high"].mean()


def test_training_makes_no_fixed_low_light(photos: Path, tmp_path: Path, monkeypatch: Any) -> None:
    darkened: list[str] = []

    def read(item: LowLightPhoto) -> Any:
        darkened.append(item.name)
        return really(item)

    really = LowLightPhoto.read
    monkeypatch.setattr(LowLightPhoto, "read", read)
    sets = {"bright": LowLightPhotographs(photos, test_fraction=0.34)}
    data = PairDataModule(sets=sets, val_fraction=0.3, patch_size=32, batch_size=2, cache_dir=tmp_path)
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert (batch["low"].mean((1, 2, 3)) < batch["high"].mean((1, 2, 3))).all()
    assert set(darkened) == {item.name for item in data.datasets["test"].items}
    pair = data.datasets["val"][0]
    assert pair["low"].mean() < pair["high"].mean()


class KeptPairs(pl.LightningModule):
    """Keeps its training batches and learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.batches: list[Batch] = []

    def training_step(self, batch: Batch, _: int) -> None:  # type: ignore[override]
        self.batches.append(batch)

    def configure_optimizers(self) -> None:
        """Return no optimizer."""


def test_overfitting_repeats_one_batch_of_low_light(photos: Path, tmp_path: Path) -> None:
    sets = {"bright": LowLightPhotographs(photos, ranges={"night": 0.5})}
    data = PairDataModule(sets=sets, val_fraction=0, patch_size=32, batch_size=2, cache=False)
    kept = KeptPairs()
    pl.Trainer(
        accelerator="cpu",
        max_epochs=3,
        overfit_batches=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        default_root_dir=tmp_path,
    ).fit(kept, data)
    first, *others = kept.batches
    assert len(others) == 2
    assert (first["low"].mean((1, 2, 3)) < first["high"].mean((1, 2, 3))).all()
    for batch in others:
        assert batch["name"] == first["name"]
        assert (batch["low"] == first["low"]).all()
        assert (batch["high"] == first["high"]).all()


def test_sources_are_mixed_by_weight_and_validated_apart(photos: Path, lol: Path) -> None:
    sets = {"lol": PairedFolder(lol), "bright": LowLightPhotographs(photos, test_fraction=0.34)}
    weights = {"bright": 3, "lol": 1}
    data = PairDataModule(
        sets=sets, weights=weights, epoch_size=40, batch_size=4, patch_size=32, val_fraction=0.3, cache=False
    )
    data.setup("fit")
    names = [name for batch in data.train_dataloader() for name in batch["name"]]
    assert sum(name.startswith("bright/") for name in names) == pytest.approx(30, abs=2)
    held_out = {item.name.partition("/")[0] for item in data.datasets["val"].items}
    assert held_out == {"lol", "bright"}
    assert data.describe()["weights"] == {"lol": 1.0, "bright": 3.0}


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"bright": 1, "sice": 2}, "data.weights names bright, sice, but the sets are bright: give each"),
        ({"bright": 0}, "data.weights.bright=0 must be positive"),
    ],
)
def test_wrong_weights_are_refused(weights: dict[str, float], told: str, photos: Path) -> None:
    with pytest.raises(ValueError, match=told):
        PairDataModule(sets={"bright": LowLightPhotographs(photos)}, weights=weights)
