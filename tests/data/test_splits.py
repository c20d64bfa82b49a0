"""Protocols, on a set whose test scenes also occur in training."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlight.data import DarkenedPhotographs, LowLightPhotographs, PairDataModule, Photographs
from lowlight.data.retrieve import retrieve
from lowlight.data.splits import hold_out_files
from lowlight.images import read_rgb
from tests.conftest import photograph

SCENES = {"our485": [1, 1, 2, 2, 3, 4, 5, 6], "eval15": [1, 2, 7]}
"""Scenes of the images of each split; scenes 1 and 2 are in both."""


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("leaking") / "LOL"
    stem = 0
    for split, scenes in SCENES.items():
        for scene in scenes:
            stem += 1
            high = photograph(100 + scene)
            high = np.clip(high.astype(int) - stem, 0, 255).astype(np.uint8)  # no two are equal
            for role, pixels in {"low": high // (3 + stem % 3), "high": high}.items():
                path = root / split / role / f"{stem}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return root


def stems(data: PairDataModule, split: str) -> list[int]:
    return sorted(int(item.name.split("/")[1]) for item in data.datasets[split].items)  # type: ignore[index]


def module(root: Path, **arguments: object) -> PairDataModule:
    data = PairDataModule(root, **({"val_fraction": 0.0} | arguments))  # type: ignore[arg-type]
    data.setup()
    return data


def test_the_standard_split_is_the_published_one_and_its_leak_is_stated(leaking: Path) -> None:
    data = module(leaking)
    assert stems(data, "train") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert stems(data, "test") == [9, 10, 11]
    told = data.describe()
    assert told["split"] == "standard"
    assert told["leak"] == {"test_images": 3, "in_training_scenes": 2, "left_out": 0}


def test_the_disjoint_split_leaves_out_training_pairs_of_test_scenes(leaking: Path) -> None:
    data = module(leaking, split="scene_disjoint")
    assert stems(data, "train") == [5, 6, 7, 8]
    assert stems(data, "test") == [9, 10, 11]
    assert data.describe()["leak"] == {"test_images": 3, "in_training_scenes": 0, "left_out": 4}


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Return a folder of three test pairs, the dark images unlike their references: lit by other lamps."""
    root = tmp_path / "pairs"
    for number in range(3):
        save(root / "test" / "low" / f"{number}.png", photograph(200 + number) // 4)
        save(root / "test" / "high" / f"{number}.png", photograph(300 + number))
    save(root / "train" / "low" / "10.png", photograph(210) // 4)
    save(root / "train" / "high" / "10.png", photograph(310))
    return root


@pytest.mark.parametrize("resize", [None, 16])
def test_photographs_alone_are_compared_with_the_dark_test_images_too(
    pairs: Path, tmp_path: Path, resize: int | None
) -> None:
    dark = tmp_path / "dark"
    for name, pixels in {
        "same": photograph(200) // 4,
        "darker": photograph(201) // 6,
        "brighter": photograph(301) // 2,  # of the same test scene
        "other": photograph(220) // 4,
    }.items():
        save(dark / f"{name}.png", pixels)
    layout = partial(Photographs, pairs=pairs)
    data = module(dark, layout=layout, resize=resize, eval_size=resize)
    assert data.describe()["leak"] == {"test_images": 3, "in_training_scenes": 2, "left_out": 0}
    data = module(dark, layout=layout, split="scene_disjoint")
    assert [item.name for item in data.datasets["train"].items] == ["dark/other"]
    assert data.describe()["leak"] == {"test_images": 3, "in_training_scenes": 0, "left_out": 3}
    with pytest.raises(ValueError, match="leaves no training pair"):
        module(pairs / "test" / "low", layout=layout, split="scene_disjoint")


def test_bright_photographs_are_compared_with_the_test_images(pairs: Path, tmp_path: Path) -> None:
    save(tmp_path / "dark" / "0.png", photograph(220) // 4)
    for name, pixels in {
        "same": photograph(300),
        "test": photograph(202) // 4,
        "other": photograph(320),
    }.items():
        save(tmp_path / "bright" / "below" / f"{name}.png", pixels)

    def unpaired(bright: Path, split: str) -> PairDataModule:
        layout = partial(Photographs, pairs=pairs)
        data = PairDataModule(tmp_path / "dark", layout=layout, bright=bright, split=split)  # type: ignore[arg-type]
        data.unpair()
        data.setup()
        return data

    data = unpaired(tmp_path / "bright", "standard")
    assert len(data.datasets["train"].bright) == 3
    assert data.describe()["leak"] == {"test_images": 3, "in_training_scenes": 2, "left_out": 0}
    data = unpaired(tmp_path / "bright", "scene_disjoint")
    assert [item.name for item in data.datasets["train"].bright] == ["bright/below/other"]
    assert [item.name for item in data.datasets["train"].items] == ["dark/0"]
    assert data.describe()["leak"] == {"test_images": 3, "in_training_scenes": 0, "left_out": 2}
    with pytest.raises(ValueError, match="leaves no bright photograph"):
        unpaired(pairs / "test" / "high", "scene_disjoint")


def test_a_disjoint_split_needs_a_training_scene_that_the_test_lacks(leaking: Path, tmp_path: Path) -> None:
    (tmp_path / "train").symlink_to(leaking / "eval15")
    (tmp_path / "test").symlink_to(leaking / "eval15")
    with pytest.raises(ValueError, match="leaves no training pair"):
        module(tmp_path, split="scene_disjoint")


@pytest.mark.parametrize("kind", ["darkened", "low light"])
def test_photographs_of_one_name_in_two_sets_are_two_scenes(kind: str, tmp_path: Path) -> None:
    for folder, count in (("a", 10), ("b", 20)):  # more photographs, more of these names for testing
        (tmp_path / folder).mkdir()
        for number in range(count):
            picture = Image.fromarray(photograph(100 * count + number))
            picture.save(tmp_path / folder / f"IMG_{number:04d}.png")
    sets = {
        name: DarkenedPhotographs(tmp_path / name, views=1, test_views=1, size=None)
        if kind == "darkened"
        else LowLightPhotographs(tmp_path / name, test_fraction=0.2)
        for name in ("a", "b")
    }
    data = PairDataModule(sets=sets, split="scene_disjoint", val_fraction=0, cache=False)
    data.setup("fit")
    assert data.describe()["leak"]["left_out"] == 0
    train, test = (
        {item.name.split("/")[1] for item in dataset.items}
        for dataset in (data.datasets["train"], data.datasets["test"])
    )
    assert train & test


def test_the_split_by_file_pools_all_pairs_the_same_way_for_every_seed(leaking: Path) -> None:
    first, second = (module(leaking, split="by_file", seed=seed, val_fraction=0.2) for seed in (0, 1))
    assert len(stems(first, "test")) == 3
    assert stems(first, "test") == stems(second, "test")
    everything = stems(first, "train") + stems(first, "val") + stems(first, "test")
    assert sorted(everything) == list(range(1, 12))
    assert len(stems(first, "val")) == 2
    only_scoring = PairDataModule(leaking, split="by_file")
    only_scoring.setup("test")
    assert stems(only_scoring, "test") == stems(first, "test")


def test_files_are_held_out_singly_but_never_all() -> None:
    assert len(hold_out_files(10, 0.3, seed=0)) == 3
    assert hold_out_files(10, 0.3, seed=0) != hold_out_files(10, 0.3, seed=1)
    assert len(hold_out_files(2, 0.9, seed=0)) == 1
    assert len(hold_out_files(2, 0.01, seed=0)) == 1


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="split=random is none of standard, scene_disjoint, by_file"):
        PairDataModule(split="random")  # type: ignore[arg-type]


def test_by_file_needs_both_splits(leaking: Path, tmp_path: Path) -> None:
    (tmp_path / "test").symlink_to(leaking / "eval15")
    data = PairDataModule(tmp_path, split="by_file")
    with pytest.raises(ValueError, match="only one split"):
        data.setup("test")


def test_by_file_refuses_one_name_in_both_splits(leaking: Path, tmp_path: Path) -> None:
    (tmp_path / "train").symlink_to(leaking / "eval15")
    (tmp_path / "test").symlink_to(leaking / "eval15")
    data = PairDataModule(tmp_path, split="by_file")
    with pytest.raises(ValueError, match="/10 is in several splits: rename one"):
        data.setup("test")


def test_test_scenes_are_named_by_their_first_image(leaking: Path, tmp_path: Path) -> None:
    (tmp_path / "test").symlink_to(leaking / "our485")
    data = PairDataModule(tmp_path)
    data.setup("test")
    of = {name.split("/")[1]: scene.split("/")[1] for name, scene in data.scene_labels("test").items()}
    assert of == {"1": "1", "2": "1", "3": "3", "4": "3", "5": "5", "6": "6", "7": "7", "8": "8"}


def test_the_control_answers_with_the_training_reference_of_the_same_scene(
    leaking: Path, tmp_path: Path
) -> None:
    data = PairDataModule(leaking, val_fraction=0.3)
    answers = retrieve(data, tmp_path / "out")
    assert answers["LOL/9"][0] in ("LOL/1", "LOL/2")
    assert answers["LOL/10"][0] in ("LOL/3", "LOL/4")
    assert answers["LOL/9"][1] > 0.99 > answers["LOL/11"][1]
    source = answers["LOL/9"][0].split("/")[1]
    reference = read_rgb(leaking / "our485" / "high" / f"{source}.png")
    assert np.array_equal(read_rgb(tmp_path / "out" / "9.png"), reference)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["10.png", "11.png", "9.png"]


def test_the_control_under_the_disjoint_split_finds_another_scene(leaking: Path, tmp_path: Path) -> None:
    answers = retrieve(PairDataModule(leaking, split="scene_disjoint", val_fraction=0), tmp_path)
    assert all(int(source.split("/")[1]) >= 5 for source, _ in answers.values())
