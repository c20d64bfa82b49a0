"""Layouts are found, images are paired by stem, and what is wrong is said in one line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowlight.data import PairedFolder
from lowlight.data.pairs import match, refuse, shared_prefix
from lowlight.images import read_rgb

Write = Callable[..., Path]

STEMS = st.sets(st.text("ab019_", min_size=1, max_size=4), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("train", "test", "folders", "suffix"),
    [
        ("our485", "eval15", ("low", "high"), ".png"),
        ("train", "test", ("low", "high"), ".JPG"),
        ("Train", "Test", ("input", "gt"), ".bmp"),
        ("train", "test", ("low", "normal"), ".tiff"),
        ("Train", "Test", ("Low", "Normal"), ".webp"),
    ],
)
def test_published_layouts_are_found(
    write_pairs: Write, train: str, test: str, folders: tuple[str, str], suffix: str
) -> None:
    root = write_pairs(split=train, folders=folders, suffix=suffix)
    write_pairs(split=test, folders=folders, suffix=suffix, stems=["77"])
    pairs = PairedFolder(root)
    assert [item.name for item in pairs.items("train", "LOL")] == ["LOL/1", "LOL/10", "LOL/2", "LOL/5"]
    assert [item.name for item in pairs.items("test", "LOL")] == ["LOL/77"]
    assert pairs.items("val", "LOL") == []


def test_pairs_hold_the_files_of_their_stem(write_pairs: Write) -> None:
    root = write_pairs(split="Train", folders=("Low", "Normal"), prefixes=("low", "normal"))
    for item in PairedFolder(root).items("train", "v2"):
        stem = item.name.removeprefix("v2/")
        low, high = item.read()
        assert (low == read_rgb(root / f"Train/Low/low{stem}.png")).all()
        assert (high == read_rgb(root / f"Train/Normal/normal{stem}.png")).all()


def test_hidden_and_other_files_are_ignored(write_pairs: Write) -> None:
    root = write_pairs()
    for name in (".DS_Store", "._1.png", "Thumbs.db", "readme.txt"):
        (root / "our485/low" / name).write_bytes(b"x")
    assert len(PairedFolder(root).items("train", "LOL")) == 4


def test_a_layout_of_ones_own_is_described(write_pairs: Write) -> None:
    root = write_pairs(split="Night", folders=("short", "long"))
    pairs = PairedFolder(root, splits={"test": ["night"]}, folders=[["short", "long"]])
    assert len(pairs.items("test", "mine")) == 4
    assert pairs.items("train", "mine") == []


@pytest.mark.parametrize(
    ("stems", "prefix"),
    [
        (["low00001", "low00002"], "low"),
        (["low00001"], "low"),
        (["set2_low_1", "set2_low_17"], "set2_low_"),
        (["low_car", "low_cat"], "low_"),
        (["10", "11", "100"], ""),
        (["car", "cat"], ""),
        (["cat"], ""),
        (["a_", "a_b"], ""),
    ],
)
def test_a_shared_prefix_is_a_word(stems: list[str], prefix: str) -> None:
    assert shared_prefix(stems) == prefix


@given(STEMS)
def test_equal_stems_pair_whatever_they_are(stems: set[str]) -> None:
    pairs, problems = match([Path(f"low/{s}.png") for s in stems], [Path(f"high/{s}.jpg") for s in stems])
    assert pairs == {s: (Path(f"low/{s}.png"), Path(f"high/{s}.jpg")) for s in stems}
    assert problems == []


@given(STEMS, STEMS)
def test_without_a_shared_prefix_only_equal_stems_pair(lows: set[str], highs: set[str]) -> None:
    lows, highs = lows | {"x"}, highs | {"x"}
    pairs, problems = match([Path(f"low/{s}.png") for s in lows], [Path(f"high/{s}.png") for s in highs])
    assert pairs.keys() == lows & highs
    assert len(problems) == len(lows ^ highs)


@given(st.sets(st.integers(0, 99999), min_size=1, max_size=8))
def test_numbers_after_a_prefix_pair_by_number(numbers: set[int]) -> None:
    low = [Path(f"Low/low{n:05d}.png") for n in numbers]
    high = [Path(f"Normal/normal{n:05d}.png") for n in sorted(numbers, reverse=True)]
    pairs, problems = match(low, high)
    assert pairs.keys() == {f"{n:05d}" for n in numbers}
    assert all(one.stem[3:] == other.stem[6:] == stem for stem, (one, other) in pairs.items())
    assert problems == []


def test_accents_pair_in_either_form_of_unicode() -> None:
    composed, decomposed = "caf\u00e9 1", "cafe\u0301 1"
    pairs, problems = match([Path(f"low/{composed}.png")], [Path(f"high/{decomposed}.png")])
    assert (list(pairs), problems) == ([composed], [])
    _, problems = match([Path(f"low/{name}.png") for name in (composed, decomposed)], [Path("high/x.png")])
    assert any("have the same stem" in problem for problem in problems)


def test_five_culprits_are_named_and_the_others_counted() -> None:
    with pytest.raises(ValueError, match=r"^LOL: a; b; c; d; e; and 2 more\. Mend them\.$"):
        refuse("LOL", list("abcdefg"), "Mend them.")


def message(root: Path) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        PairedFolder(root).items("train", "LOL")
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_unmatched_files_are_named(write_pairs: Write) -> None:
    root = write_pairs(stems=[str(n) for n in range(9)])
    for stem in range(7):
        (root / f"our485/high/{stem}.png").unlink()
    text = message(root)
    assert "low/0.png has no counterpart; low/1.png" in text
    assert "low/4.png has no counterpart; and 2 more" in text
    assert "rename or remove" in text


def test_doubled_stems_are_named(write_pairs: Write, write: Write) -> None:
    root = write_pairs()
    write(root / "our485/low/5.jpg", 0)
    assert "low/5.jpg and 5.png have the same stem" in message(root)


def test_doubled_stems_of_several_folders_are_named_by_both() -> None:
    _, problems = match([Path("v0/000.png"), Path("v1/000.png")], [])
    assert problems[0] == "v0/000.png and v1/000.png have the same stem"


def test_folders_without_images_are_named(write_pairs: Write) -> None:
    root = write_pairs()
    for path in (root / "our485/high").iterdir():
        path.unlink()
    assert f"no image in {root / 'our485/high'}" in message(root)


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'nowhere'}: no such folder; data.root, or the root of the set, must hold" in message(
        tmp_path / "nowhere"
    )


def test_an_unknown_layout_says_what_was_looked_for(tmp_path: Path) -> None:
    assert "looked for a folder our485|train|val|valid|eval15|test with low|high" in message(tmp_path)


def test_a_split_given_as_root_is_recognised(write_pairs: Write) -> None:
    assert "it holds low|high itself: give its parent folder" in message(write_pairs() / "our485")


def test_two_folders_of_one_split_are_refused(write_pairs: Write) -> None:
    write_pairs(split="train")
    assert "our485 and train could all be the train split" in message(write_pairs())


def test_a_split_without_or_with_too_many_pair_folders_is_refused(write_pairs: Write) -> None:
    root = write_pairs(folders=("low", "reference"))
    assert "found none" in message(root)
    write_pairs(folders=("low", "high"))
    write_pairs(folders=("low", "normal"))
    assert "found more than one pair" in message(root)
