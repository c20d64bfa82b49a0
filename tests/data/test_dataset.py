"""Training samples are a function of seed, epoch and index, and both images of a pair are treated alike."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lowlight.data import ArrayCache, FilePair, PairDataset, PairedFolder
from lowlight.data.dataset import collate, crop, turn
from lowlight.images import read_image, read_rgb

Write = Callable[..., Path]


@pytest.fixture
def items(write_pairs: Write) -> list[FilePair]:
    return PairedFolder(write_pairs(size=(40, 32))).items("train", "LOL")  # type: ignore[return-value]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 48), st.integers(0, 2**32))
def test_crops_and_turns_treat_both_images_alike(height: int, width: int, size: int, seed: int) -> None:
    image = np.arange(height * width * 3).reshape(1, height, width, 3) % 251
    pixels = np.concatenate([image, 255 - image]).astype(np.uint8)
    generator = np.random.default_rng(seed)
    sample = turn(crop(pixels, size, generator), generator)
    assert sample.shape == (2, size, size, 3)
    assert (sample[0] == 255 - sample[1]).all()


def test_turns_keep_the_shape_and_reach_every_orientation() -> None:
    for shape, ways in (((1, 4, 4, 3), 8), ((1, 4, 6, 3), 4)):
        pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        turned = [turn(pixels, np.random.default_rng(seed)) for seed in range(100)]
        assert {sample.shape for sample in turned} == {shape}
        assert len({sample.tobytes() for sample in turned}) == ways


def test_a_whole_pair_is_the_files_pixels(items: list[FilePair]) -> None:
    pair = PairDataset(items)[0]
    assert pair["name"] == items[0].name
    assert torch.equal(pair["low"], read_image(items[0].low))
    assert torch.equal(pair["high"], read_image(items[0].high))


def test_a_sample_depends_on_seed_epoch_and_index_alone(items: list[FilePair], tmp_path: Path) -> None:
    plain = PairDataset(items, patch_size=16, augment=True)
    cached = PairDataset(items, ArrayCache(tmp_path / "cache"), patch_size=16, augment=True)
    assert torch.equal(plain[0, 3, 1]["low"], cached[0, 3, 1]["low"])
    assert torch.equal(plain[0, 3, 1]["low"], cached[0, 3, 1]["low"])
    others = [plain[key]["low"] for key in ((1, 3, 1), (0, 4, 1), (0, 3, 2))]
    assert not any(torch.equal(plain[0, 3, 1]["low"], other) for other in others)


def test_an_index_alone_gives_the_centre(items: list[FilePair]) -> None:
    pair = PairDataset(items, patch_size=16, augment=True)[0]
    assert torch.equal(pair["high"], read_image(items[0].high)[:, 8:24, 12:28])


def test_an_index_alone_always_draws_the_same_bright_image(items: list[FilePair]) -> None:
    first, again = (PairDataset(items, patch_size=16, augment=True, bright=items)[0] for _ in range(2))
    assert torch.equal(first["low"], read_image(items[0].low)[:, 8:24, 12:28])
    assert torch.equal(first["high"], again["high"])
    centres = [read_image(item.high)[:, 8:24, 12:28] for item in items]
    assert any(torch.equal(first["high"], centre) for centre in centres)
    assert first["has_reference"] is False


def test_a_cached_pair_is_not_decoded_again(
    items: list[FilePair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = PairDataset(items, ArrayCache(tmp_path / "cache"))
    assert first.problems() == []
    expected = [pair["low"] for pair in (first[index] for index in range(4))]

    def decode(path: Path) -> None:
        raise AssertionError(f"{path} decoded again")

    monkeypatch.setattr("lowlight.data.pairs.read_rgb", decode)
    second = PairDataset(items, ArrayCache(tmp_path / "cache"))
    assert second.problems() == []
    assert all(torch.equal(second[index]["low"], expected[index]) for index in range(4))


def test_a_changed_file_is_decoded_again(items: list[FilePair], tmp_path: Path, write: Write) -> None:
    cache = ArrayCache(tmp_path / "cache")
    PairDataset(items, cache).problems()
    before = items[0].low.stat()
    write(items[0].low, 99, (40, 32))
    os.utime(items[0].low, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
    assert (PairDataset(items, cache).pixels(0)[0] == read_rgb(items[0].low)).all()


def test_resized_and_native_pixels_do_not_mix(items: list[FilePair], tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path / "cache")
    shapes = [PairDataset(items, cache, resize=resize)[0]["low"].shape for resize in (None, 8, 12)]
    assert shapes == [(3, 32, 40), (3, 8, 8), (3, 12, 12)]


def test_small_images_are_extended_by_reflection(items: list[FilePair]) -> None:
    patch = PairDataset(items, patch_size=36)[0]["low"]
    assert patch.shape == (3, 36, 36)
    assert torch.equal(patch[:, 32:], patch[:, 27:31].flip(1))


def test_a_batch_of_unequal_sizes_names_the_remedy(items: list[FilePair], write_pairs: Write) -> None:
    other = PairedFolder(write_pairs("other", size=(8, 8))).items("train", "other")
    dataset = PairDataset([items[0], other[0]])
    with pytest.raises(ValueError, match=r"LOL/1 is 40x32, other/1 is 8x8\); set data\.patch_size=128"):
        collate([dataset[0], dataset[1]])
