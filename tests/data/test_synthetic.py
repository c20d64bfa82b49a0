"""The darkening has the statistics it claims, and its sets are what their description says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowlight.colour import linear_to_srgb, srgb_to_linear
from lowlight.data import DarkenedPhotographs, darken
from lowlight.data.bright import installed
from lowlight.data.pairs import PairItem, Split
from lowlight.data.synthetic import MOST_ROOMS, embedded, expose
from lowlight.report.findings import scenes_needed

Write = Callable[..., Path]

SPLITS: tuple[Split, ...] = ("train", "val", "test")


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_srgb_has_the_standards_values() -> None:
    """IEC 61966-2-1: the ends, the joint of the two pieces and the middle grey 18 % = 0.4614."""
    assert srgb_to_linear(np.array([0, 0.04045, 1])) == pytest.approx([0, 0.04045 / 12.92, 1])
    assert linear_to_srgb(np.array([0.18])) == pytest.approx([0.46136], abs=1e-5)


@given(st.integers(0, 255))
def test_srgb_and_linear_are_inverse(level: int) -> None:
    value = np.array([level / 255])
    assert linear_to_srgb(srgb_to_linear(value)) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("light", "exposure", "full_well", "read_noise"), [(0.5, 0.05, 20000, 4), (0.1, 0.02, 5000, 20)]
)
def test_noise_has_the_formulas_mean_and_variance(
    light: float, exposure: float, full_well: float, read_noise: float
) -> None:
    recorded = expose(np.full((300, 300), light), exposure, full_well, read_noise, generator())
    variance = exposure * light / full_well + (read_noise / full_well) ** 2
    assert recorded.mean() == pytest.approx(exposure * light, rel=0.01)
    assert recorded.var() == pytest.approx(variance, rel=0.02)


def test_a_full_exposure_without_noise_changes_nothing() -> None:
    high = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    low = darken(high, 1, full_well=1e12, read_noise=0, generator=generator())
    assert (low == high).all()


def test_shorter_is_darker_and_the_same_seed_is_the_same_image() -> None:
    high = generator(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    longer, shorter, again = (darken(high, e, generator=generator()) for e in (0.05, 0.02, 0.02))
    assert shorter.mean() < longer.mean() < high.mean()
    assert shorter.dtype == np.uint8
    assert (shorter == again).all()
    assert (shorter != darken(high, 0.02, generator=generator(9))).any()


def test_embedded_photographs_are_dark_like_lol_and_shared_by_no_two_splits() -> None:
    photographs = DarkenedPhotographs(views=1, test_views=1)
    scenes = {split: {item.scene for item in photographs.items(split, "synthetic")} for split in SPLITS}
    assert scenes == {
        "train": {"synthetic/astronaut", "synthetic/motorcycle", "synthetic/rocket"},
        "val": {"synthetic/chelsea"},
        "test": {"synthetic/coffee", "synthetic/grace_hopper"},
    }
    for item in (*photographs.items("train", "synthetic"), *photographs.items("test", "synthetic")):
        low, high = item.read()
        assert low.shape == high.shape == (192, 256, 3)
        assert low.mean() < 30
        assert high.mean() > 55


def test_the_embedded_data_have_the_scenes_that_tell_methods_apart_and_keep_the_study_short() -> None:
    items = {split: embedded().items(split, "synthetic") for split in SPLITS}
    assert {split: len(pairs) for split, pairs in items.items()} == {"train": 336, "val": 16, "test": 40}
    scenes = {split: {item.scene for item in pairs} for split, pairs in items.items()}
    assert len(scenes["test"]) >= scenes_needed(1) + 2
    assert len(scenes["train"]) >= 24
    assert len(set().union(*scenes.values())) == sum(map(len, scenes.values()))


def test_rooms_join_the_photographs_and_more_of_them_change_none() -> None:
    few, more = (
        DarkenedPhotographs(views=2, test_views=1, exposures=1, rooms=rooms)
        for rooms in ((1, 0, 2), (3, 1, 2))
    )
    names = [item.name for item in few.items("train", "s")]
    assert names[-2:] == ["s/room000-00-0", "s/room000-01-0"]
    assert set(few.items("train", "s")) < set(more.items("train", "s"))
    assert few.items("test", "s") == more.items("test", "s")
    room = few.items("test", "s")[-1]
    room.check()
    low, high = room.read()
    assert (room.scene, low.shape, high.shape) == ("s/room2001", (192, 256, 3), (192, 256, 3))
    assert low.mean() < 0.6 * high.mean()


def test_no_room_is_in_two_splits() -> None:
    most = DarkenedPhotographs(views=1, test_views=1, exposures=1, rooms=(MOST_ROOMS,) * 3)
    scenes = {item.scene for split in SPLITS for item in most.items(split, "s")}
    assert len([scene for scene in scenes if scene and "room" in scene]) == 3 * MOST_ROOMS


def test_a_photograph_that_is_not_installed_is_named() -> None:
    assert installed("skimage/data/coffee.png").is_file()
    for file in ("skimage/data/no.png", "nopackage/no.png"):
        with pytest.raises(ValueError, match=rf"{file} is not installed: reinstall"):
            installed(file)


def test_items_are_reproducible_distinct_and_named_once() -> None:
    def items(seed: int) -> list[PairItem]:
        return DarkenedPhotographs(views=3, seed=seed).items("train", "synthetic")

    assert items(0) == items(0)
    assert items(0) != items(1)
    assert len({item.name for item in items(0)}) == len({item.key() for item in items(0)}) == 24


def test_a_folder_of_photographs_is_split_by_photograph(tmp_path: Path, write: Write) -> None:
    for index in range(10):
        write(tmp_path / f"{index}.png", index, (40, 30))
    photographs = DarkenedPhotographs(tmp_path, views=1, test_views=1, size=None, exposures=2)
    train, val, test = (photographs.items(split, "mine") for split in SPLITS)
    assert (len(train), len(val), len(test)) == (16, 0, 4)
    assert {item.scene for item in train}.isdisjoint({item.scene for item in test})
    assert train[0].read()[1].shape == (30, 40, 3)


def test_small_photographs_are_enlarged_to_the_size_of_a_view(tmp_path: Path, write: Write) -> None:
    for index in range(2):
        write(tmp_path / f"{index}.png", index, (40, 50))
    (item,) = DarkenedPhotographs(tmp_path, test_views=1, exposures=1).items("test", "mine")
    assert item.read()[0].shape == (192, 256, 3)


def test_wrong_descriptions_are_refused(tmp_path: Path, write: Write) -> None:
    with pytest.raises(ValueError, match="set views=1 and test_views=1"):
        DarkenedPhotographs(size=None)
    with pytest.raises(ValueError, match="must ascend"):
        DarkenedPhotographs(exposure_range=(0.5, 0.1))
    for rooms in ((1, 2), (1, 2, -1), (1001, 1, 1)):
        with pytest.raises(ValueError, match="three counts, of training, validation and testing"):
            DarkenedPhotographs(rooms=rooms)
    with pytest.raises(ValueError, match="no such folder"):
        DarkenedPhotographs(tmp_path / "nowhere").items("train", "mine")
    write(tmp_path / "a.png", 0)
    with pytest.raises(ValueError, match="1 photographs; two or more"):
        DarkenedPhotographs(tmp_path).items("train", "mine")
    for number in range(7):
        (tmp_path / f"bad{number}.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"bad0\.png: .*bad4\.png: .*and 2 more\. Replace"):
        DarkenedPhotographs(tmp_path).items("train", "mine")
    for number in range(7):
        (tmp_path / f"bad{number}.png").unlink()
    write(tmp_path / "a.bmp", 0)
    with pytest.raises(ValueError, match=r"a\.png has the stem of a\.bmp"):
        DarkenedPhotographs(tmp_path).items("train", "mine")
