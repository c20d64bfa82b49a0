"""Photographs without references: for training, and scored without them or on pairs."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowlight.data import PairDataModule, PairedFolder, Photographs
from tests.data.conftest import Write


@pytest.fixture
def photos(tmp_path: Path, write: Write) -> Path:
    """Return a folder of ten photographs, some in folders below it, beside other files."""
    folder = tmp_path / "photos"
    for index in range(6):
        write(folder / f"{index}.png", index, (40 + index, 32))
    for index in range(4):
        write(folder / "night" / "Café" / f"{index}.jpg", 10 + index, (40, 32))
    write(folder / ".thumbnails" / "0.png", 0)
    (folder / "notes.txt").write_text("nothing to see")
    return folder


def module(root: Path, **layout: Any) -> PairDataModule:
    return PairDataModule(
        root, layout=lambda folder: Photographs(folder, **layout), patch_size=16, batch_size=2, cache=False
    )


def test_all_photographs_are_there_once_in_training_or_test(photos: Path) -> None:
    found = {
        split: [item.name for item in Photographs(photos).items(split, "photos")]
        for split in ("train", "val", "test")
    }
    assert found["val"] == []
    assert len(found["test"]) == 1
    expected = [f"photos/{index}" for index in range(6)] + [
        f"photos/night/Café/{index}" for index in range(4)
    ]
    assert sorted(found["train"] + found["test"]) == expected
    assert len(Photographs(photos, test_fraction=0.5).items("test", "photos")) == 5


def test_the_photograph_stands_in_for_its_reference_and_says_so(photos: Path) -> None:
    data = module(photos)
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch["low"].equal(batch["high"])
    assert batch["low"].shape == (2, 3, 16, 16)
    assert batch["has_reference"] is False
    assert data.val_dataloader() == []
    (test,) = data.test_dataloader()
    assert test["has_reference"] is False
    assert not data.datasets["train"].has_references


def test_pairs_are_scored_and_not_trained_on(photos: Path, lol: Path) -> None:
    data = module(photos, pairs=lol, val_pairs=3)
    data.setup()
    names = {split: [item.name for item in dataset.items] for split, dataset in data.datasets.items()}
    assert len(names["train"]) == 10
    assert names["val"] == ["photos/1", "photos/3", "photos/5"]
    assert names["test"] == [item.name for item in PairedFolder(lol).items("test", "photos")]
    assert data.datasets["val"].has_references
    assert data.datasets["test"].has_references


def test_a_validation_split_of_the_pairs_is_taken_as_it_is(photos: Path, write_pairs: Write) -> None:
    for split in ("train", "val", "test"):
        root = write_pairs("pairs", split, stems=(f"{split}1", f"{split}2"))
    found = Photographs(photos, pairs=root, val_pairs=1).items("val", "photos")
    assert [item.name for item in found] == ["photos/val1", "photos/val2"]


def test_pairs_cannot_be_joined_with_photographs(photos: Path, lol: Path) -> None:
    data = PairDataModule(sets={"lol": PairedFolder(lol), "photos": Photographs(photos)}, cache=False)
    with pytest.raises(ValueError, match=r"lol/7 has a reference and photos/\S+ has none: join sets"):
        data.setup("test")


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"val_pairs": -1}, "val_pairs=-1 must be at least 0"),
        ({"test_fraction": 1.0}, r"test_fraction=1.0 in \(0, 1\)"),
        ({"pairs": "/nowhere"}, "/nowhere: no such folder"),
    ],
)
def test_wrong_settings_are_refused(layout: dict[str, Any], message: str, photos: Path) -> None:
    with pytest.raises(ValueError, match=message):
        module(photos, **layout).setup()


def test_wrong_folders_are_refused(tmp_path: Path, write: Write) -> None:
    with pytest.raises(ValueError, match="nowhere: no such folder; root must hold photographs"):
        module(tmp_path / "nowhere").setup()
    write(tmp_path / "few" / "a.png", 0)
    with pytest.raises(ValueError, match="few: 1 photographs; two or more are needed to split them"):
        module(tmp_path / "few").setup()
    write(tmp_path / "few" / "a.jpg", 0)
    with pytest.raises(ValueError, match=r"few: a is there twice\. Rename or remove one of each"):
        module(tmp_path / "few").setup()


def test_damaged_photographs_are_named(photos: Path) -> None:
    (photos / "night" / "broken.png").write_bytes(np.random.default_rng(0).bytes(100))
    with pytest.raises(ValueError, match=r"pairs cannot be used: .*broken\.png"):
        module(photos).setup()


def levels(folder: Path, values: list[int], size: tuple[int, int]) -> Path:
    """Write uniform images, named by their level."""
    folder.mkdir(parents=True)
    for value in values:
        Image.new("RGB", size, (value, value, value)).save(folder / f"{value}.png")
    return folder


def drawn(data: PairDataModule) -> list[tuple[int, int]]:
    """Return the levels of the dark and the bright image of each training sample of an epoch."""
    batches = list(data.train_dataloader())
    assert all(batch["has_reference"] is False for batch in batches)
    images = [pair for batch in batches for pair in zip(batch["low"], batch["high"], strict=True)]
    assert all(image.min() == image.max() for pair in images for image in pair)
    return [(round(float(low.mean() * 255)), round(float(high.mean() * 255))) for low, high in images]


def test_bright_photographs_are_drawn_independently(tmp_path: Path, lol: Path) -> None:
    dark = levels(tmp_path / "dark", [10, 11, 12, 13], (40, 24))
    bright = levels(tmp_path / "bright" / "below", [200, 210, 220], (20, 32)).parent
    options: dict[str, Any] = {"patch_size": 16, "batch_size": 8, "epoch_size": 96, "cache": False}
    layout = partial(Photographs, pairs=lol)

    def samples(seed: int) -> list[tuple[int, int]]:
        data = PairDataModule(dark, layout=layout, bright=bright, seed=seed, **options)
        data.unpair()
        data.setup()
        assert data.datasets["val"].has_references
        assert next(iter(data.test_dataloader()))["has_reference"] is True
        return drawn(data)

    found = samples(0)
    assert set(found) == {(low, high) for low in (10, 11, 12, 13) for high in (200, 210, 220)}
    assert found == samples(0)
    assert found != samples(1)


def test_references_of_the_training_images_serve_as_bright_ones(tmp_path: Path) -> None:
    for split, values in {"train": [10, 20, 30], "test": [40]}.items():
        levels(tmp_path / "set" / split / "low", values, (20, 20))
        for value in values:
            high = tmp_path / "set" / split / "high" / f"{value}.png"
            high.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 20), (value + 200,) * 3).save(high)
    options: dict[str, Any] = {"patch_size": 16, "batch_size": 4, "epoch_size": 60, "cache": False}
    data = PairDataModule(tmp_path / "set", val_fraction=0, **options)
    data.unpair()
    data.setup()
    assert set(drawn(data)) == {(low, high) for low in (10, 20, 30) for high in (210, 220, 230)}
    train = data.datasets["train"]
    alone = [round(float(train[index]["high"].mean()) * 255) for index in (0, 1, 2)]
    assert set(alone) <= {210, 220, 230}
    assert alone != [210, 220, 230]  # drawn for an index alone, too


def test_wrong_bright_photographs_are_refused(photos: Path, tmp_path: Path, write: Write) -> None:
    def unpaired(bright: Path | None, **more: Any) -> PairDataModule:
        options = {"patch_size": 16, "cache": False} | more
        data = PairDataModule(photos, layout=Photographs, bright=bright, **options)
        data.unpair()
        return data

    with pytest.raises(ValueError, match=r"photos/\S+ has no bright counterpart to learn from"):
        unpaired(None).setup("fit")
    with pytest.raises(ValueError, match=r"nowhere: no such folder; data\.bright must hold photographs"):
        unpaired(tmp_path / "nowhere").setup("fit")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: no photographs; data\.bright must hold bright ones"):
        unpaired(tmp_path / "empty").setup("fit")
    with pytest.raises(ValueError, match=r"images of one size: set data\.patch_size or data\.resize"):
        unpaired(photos, patch_size=None).setup("fit")
    (tmp_path / "empty" / "broken.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"1 of 1 pairs cannot be used: .*broken\.png"):
        unpaired(tmp_path / "empty").setup("fit")
