"""Images of one scene are found and stay on one side of a split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lowlight.data import hold_out, scene_groups, thumbnail


def noise(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((32, 48), dtype=np.float32)


def test_a_thumbnail_is_the_mean_luma_of_areas() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 144, 3), dtype=np.uint8)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    expected = luma.reshape(32, 2, 48, 3).mean((1, 3))
    assert thumbnail(pixels) == pytest.approx(expected, abs=1e-3)


def test_exposures_of_one_scene_are_one_group() -> None:
    images = [noise(0), noise(1), 0.3 * noise(0) + 0.1, noise(2), 0.9 * noise(0)]
    assert scene_groups(images, [None] * 5) == [[0, 2, 4], [1], [3]]


def test_groups_are_connected_components() -> None:
    """The ends of a chain share a scene through its middle, though they do not resemble each other."""
    ends = noise(0), noise(1)
    middle = ends[0] + ends[1]
    assert scene_groups([*ends, middle], [None] * 3, threshold=0.6) == [[0, 1, 2]]
    assert scene_groups(list(ends), [None] * 2, threshold=0.6) == [[0], [1]]


def test_labels_join_images_that_do_not_resemble_each_other() -> None:
    images = [noise(0), noise(1), noise(2), 0.5 * noise(2)]
    assert scene_groups(images, ["cat", None, "cat", None]) == [[0, 2, 3], [1]]


def test_uniform_images_are_scenes_of_their_own() -> None:
    black = np.zeros((32, 48), dtype=np.float32)
    assert scene_groups([black, black], [None, None]) == [[0], [1]]
    assert scene_groups([], []) == []


@given(st.lists(st.integers(1, 6), min_size=2, max_size=20), st.floats(0.01, 0.5), st.integers(0, 2**31))
def test_whole_groups_are_held_out_and_never_all(sizes: list[int], fraction: float, seed: int) -> None:
    ends = np.cumsum(sizes)
    groups = [list(range(end - size, end)) for end, size in zip(ends, sizes, strict=True)]
    chosen = set(hold_out(groups, fraction, seed))
    assert all(chosen.issuperset(group) or chosen.isdisjoint(group) for group in groups)
    assert 0 < len(chosen) <= max(sum(sizes) / 2, fraction * sum(sizes))
    assert chosen == set(hold_out(groups, fraction, seed))


def test_the_fraction_is_reached_and_follows_the_seed() -> None:
    groups = [[2 * index, 2 * index + 1] for index in range(50)]
    assert len(hold_out(groups, 0.1, 0)) == 10
    assert hold_out(groups, 0.1, 0) != hold_out(groups, 0.1, 1)


def test_a_single_scene_cannot_be_divided() -> None:
    with pytest.raises(ValueError, match=r"all 3 training images show one scene.*data\.val_fraction=0"):
        hold_out([[0, 1, 2]], 0.1, 0)
