"""Drawn plates follow from seed, split and index alone, and each problem spoils them in its own way."""

from copy import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lowlight.colour import luma
from lowlight.data import DrawnPlates, PairDataModule
from lowlight.data.plate_drawing import LAYOUTS, SIZE, Drawn, draw_plate, fonts
from lowlight.data.plate_problems import PROBLEMS, degrade
from lowlight.images import from_uint8
from lowlight.metrics.legibility import legibility

PLATES = DrawnPlates(count=2 * len(PROBLEMS), val_count=3, test_count=3)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return luma(pixels.astype(np.float32) / 255)


def detail(pixels: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference of neighbours."""
    return float(np.abs(np.diff(grey(pixels), axis=1)).mean())


def test_a_plate_follows_from_seed_split_and_index() -> None:
    one, again = PLATES.pairs("train")[3], DrawnPlates(count=40).pairs("train")[3]
    assert np.array_equal(one.read(), again.read())
    assert one.key() == again.key()
    others = [PLATES.pairs("train")[4], PLATES.pairs("test")[0], DrawnPlates(seed=1).pairs("train")[3]]
    assert len({pair.key() for pair in [one, *others]}) == 4
    assert all(not np.array_equal(one.read()[1], other.read()[1]) for other in others)


def test_all_problems_are_as_frequent_and_are_the_labels() -> None:
    pairs = PLATES.pairs("train", "mine")
    assert sorted(pair.problem for pair in pairs) == sorted(2 * PROBLEMS)
    assert [PROBLEMS[pair.label] for pair in pairs] == [pair.problem for pair in pairs]
    assert pairs[1].name == f"mine/{PROBLEMS[1]}-00001"


def test_a_plates_text_fits_its_layout() -> None:
    layouts = {layout.name: layout for layout in LAYOUTS}
    for seed in range(12):
        drawn = draw_plate(np.random.default_rng(seed), fonts())
        assert drawn.pixels.shape == (SIZE[1], SIZE[0], 3)
        forms = ["".join(one for one in pattern if one in "LD") for pattern in layouts[drawn.layout].patterns]
        form = "".join("D" if one.isdigit() else "L" for one in drawn.text)
        assert form in forms
        assert grey(drawn.pixels).std() > 0.05


def spoilt(low: NDArray[np.uint8], high: NDArray[np.uint8]) -> str:
    """Tell how a plate is spoilt: one of the problems, of which those that blur look alike here."""
    change, brighter = grey(low) - grey(high), grey(low).mean() / grey(high).mean()
    sharper = detail(low) / detail(high)
    if brighter < 0.4:
        return "dark"
    if np.abs(change).mean() < 0.03:
        return "undamaged"
    if sharper > 1.5:
        return "noise" if np.percentile(change, 1) < -0.15 else "rain"  # whose streaks are bright
    if sharper > 1:
        return "jpeg"
    return "over_exposed" if brighter > 1.5 else "blurred"


@pytest.mark.parametrize("problem", PROBLEMS)
def test_each_problem_keeps_the_shape_and_spoils_in_its_own_way(problem: str) -> None:
    for seed in (2, 3):
        high = draw_plate(np.random.default_rng(seed), fonts()).pixels
        low = degrade(high, problem, np.random.default_rng(5))
        assert low.shape == high.shape
        assert low.dtype == np.uint8
        blurs = ("motion_blur", "defocus", "low_resolution")
        assert spoilt(low, high) == ("blurred" if problem in blurs else problem)


def test_a_problem_ranges_from_readable_to_unreadable() -> None:
    high = draw_plate(np.random.default_rng(2), fonts()).pixels
    reference = from_uint8(high)[None]
    seen = [
        float(
            legibility(from_uint8(degrade(high, "motion_blur", np.random.default_rng(one)))[None], reference)
        )
        for one in range(12)
    ]
    assert min(seen) < 0.5 < 0.8 < max(seen)


def test_a_training_sample_is_degraded_anew_by_the_same_problem() -> None:
    pair = PLATES.pairs("train")[PROBLEMS.index("dark")]
    pixels = np.stack(pair.read())
    one, other = (pair.sample(pixels, np.random.default_rng(seed)) for seed in (1, 2))
    assert np.array_equal(one[1], pixels[1])
    assert not np.array_equal(one[0], other[0])
    assert max(grey(one[0]).mean(), grey(other[0]).mean()) < 0.4 * grey(pixels[1]).mean()


def test_no_training_sample_is_degraded_by_the_numbers_that_drew_its_plate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []

    def note(generator: np.random.Generator, font_files: tuple[str, ...]) -> Drawn:
        drawn.append(int(np.random.Generator(copy(generator.bit_generator)).integers(2**62)))
        return draw_plate(generator, font_files)

    monkeypatch.setattr("lowlight.data.plates.draw_plate", note)
    for split in ("train", "val", "test"):
        for pair in PLATES.pairs(split)[:3]:
            pair.draw()
    samples = [
        int(np.random.default_rng((0, epoch, index)).integers(2**62))
        for epoch in range(3)
        for index in range(3)
    ]
    assert len({*drawn, *samples}) == len(drawn) + len(samples) == 18


def test_batches_carry_the_labels_and_every_plate_is_a_scene(tmp_path: Path) -> None:
    data = PairDataModule(
        sets={"plates": PLATES}, batch_size=6, patch_size=None, augment=False, cache_dir=tmp_path
    )
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch["low"].shape == (6, 3, SIZE[1], SIZE[0])
    names = [name.split("/")[1].rpartition("-")[0] for name in batch["name"]]
    assert torch.equal(batch["label"], torch.tensor([PROBLEMS.index(name) for name in names]))
    assert data.describe()["leak"]["in_training_scenes"] == 0
    assert len(set(data.scene_labels("test").values())) == 3


def test_pairs_without_classes_have_no_label(lol: Path) -> None:
    data = PairDataModule(lol, batch_size=2, patch_size=32, cache=False)
    data.setup("fit")
    assert "label" not in next(iter(data.train_dataloader()))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"problems": ["fog"]}, "fog.*must be some of undamaged, dark"),
        ({"problems": []}, "must be some of"),
        ({"count": 0}, "at least 1, got"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DrawnPlates(**wrong)  # type: ignore[arg-type]


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no fonts"):
        DrawnPlates(font_folder=tmp_path).items("train", "plates")
