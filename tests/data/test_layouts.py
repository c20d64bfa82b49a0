"""The published sets are read as people have them, by name; other roots hint at what would work."""

import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lowlight.checkpoints.recipe import make
from lowlight.cli.data import app
from lowlight.config import load_config
from lowlight.data import FilePair, PairDataModule
from lowlight.data.layouts import layout_of, named_layouts

Write = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path, write: Write) -> Callable[[Iterable[str]], None]:
    """Write images of different noise at paths below the test's folder."""
    seeds = iter(range(1000))

    def put(paths: Iterable[str]) -> None:
        for path in paths:
            write(tmp_path / path, next(seeds))

    return put


Put = Callable[[Iterable[str]], None]


def lol_v2(put: Put) -> None:
    for split, numbers in (("Train", (1, 2, 3)), ("Test", (690,))):
        for side, stem in (("Low", "low"), ("Normal", "normal")):
            put(f"LOL-v2/Real_captured/{split}/{side}/{stem}{number:05d}.png" for number in numbers)
            put(f"LOL-v2/Synthetic/{split}/{side}/r{number:06x}t.png" for number in numbers)


def lsrw(put: Put) -> None:
    for split, stems in (("Training data", ("1", "2")), ("Eval", ("2001",))):
        put(
            f"LSRW/{split}/{camera}/{side}/{stem}.jpg"
            for camera in ("Huawei", "Nikon")
            for side in ("low", "high")
            for stem in stems
        )


def lsrw_by_camera(put: Put) -> None:
    for split, stems in (("train", ("1", "2")), ("test", ("2001",))):
        put(f"LSRW/Huawei/{split}/{side}/{stem}.png" for side in ("low", "high") for stem in stems)


def other_names(put: Put) -> None:
    for split, stem in (("TRAIN", "a"), ("Test", "b")):
        put(f"LOLv2/{split}/real-captured/{side}/{stem}.png" for side in ("low", "normal"))
        put(f"LOLv2/{split}/synthetic/{side}/{stem}.png" for side in ("low", "normal"))
    for split, stem in (("Training_data", "a"), ("eval", "b")):
        put(f"LSRW/{split}/huawei/{side}/{stem}.jpg" for side in ("low", "high"))
    for split, stem in (("Training", "a"), ("Eval", "b")):
        put(f"by_camera/Nikon/{split}/{side}/{stem}.jpg" for side in ("low", "high"))
    for split, stem in (("train", "a"), ("test", "b")):
        put(f"FiveK/{split}/{side}/{stem}.jpg" for side in ("input", "Expert_C"))


def sice(put: Put) -> None:
    for part, scenes in (("Dataset_Part1", {"1": 7, "2": 9, "10": 7}), ("Dataset_Part2", {"1": 7})):
        put(f"SICE/{part}/{scene}/{e}.JPG" for scene, count in scenes.items() for e in range(1, count + 1))
        put(f"SICE/{part}/Label/{scene}.{'JPG' if part == 'Dataset_Part1' else 'PNG'}" for scene in scenes)


def fivek_by_number(put: Put) -> None:
    stems = ("a0001-jmac_DSC1459", "a4500-Duggan_1", "a4501-x", "a5000-kme_0204")
    put(f"FiveK/{side}/{stem}.jpg" for side in ("input", "expertC_gt") for stem in stems)


def fivek_by_list(put: Put, root: Path) -> None:
    for side in ("input", "expertC"):
        put(f"FiveK/{side}/JPG/480p/{stem}.jpg" for stem in ("a0001", "a0002", "a4999", "a0003"))
    for name, stems in (("train_input", "a0001"), ("train_label", "a4999"), ("test", "a0002\r\n")):
        (root / "FiveK" / f"{name}.txt").write_text(stems, encoding="utf-8-sig")


def fivek_in_folders(put: Put) -> None:
    for split, stem in (("train", "a0001"), ("test", "a4999")):
        put(f"FiveK/{split}/{side}/{stem}.jpg" for side in ("input", "target"))


@pytest.mark.parametrize(
    ("lay_out", "name", "root", "train", "test"),
    [
        (lol_v2, "lol_v2_real", "LOL-v2", ["00001", "00002", "00003"], ["00690"]),
        (lol_v2, "lol_v2_real", "LOL-v2/Real_captured", ["00001", "00002", "00003"], ["00690"]),
        (lol_v2, "lol_v2_synthetic", "LOL-v2", ["r000001t", "r000002t", "r000003t"], ["r0002b2t"]),
        (lol_v2, "lol", "LOL-v2/Synthetic", ["r000001t", "r000002t", "r000003t"], ["r0002b2t"]),
        (lsrw, "lsrw_huawei", "LSRW", ["1", "2"], ["2001"]),
        (lsrw, "lsrw_nikon", "LSRW", ["1", "2"], ["2001"]),
        (lsrw_by_camera, "lsrw_huawei", "LSRW", ["1", "2"], ["2001"]),
        (lsrw_by_camera, "lsrw_huawei", "LSRW/Huawei", ["1", "2"], ["2001"]),
        (
            sice,
            "sice",
            "SICE",
            [*(f"1_{e}" for e in (1, 2, 3)), *(f"2_{e}" for e in (1, 2, 3, 4)), "10_1", "10_2", "10_3"],
            ["1_1", "1_2", "1_3"],
        ),
        (
            sice,
            "sice",
            "SICE/Dataset_Part1",
            [*(f"1_{e}" for e in (1, 2, 3)), *(f"2_{e}" for e in (1, 2, 3, 4)), "10_1", "10_2", "10_3"],
            [],
        ),
        (sice, "sice", "SICE/Dataset_Part2", [], ["1_1", "1_2", "1_3"]),
        (
            fivek_by_number,
            "fivek",
            "FiveK",
            ["a0001-jmac_DSC1459", "a4500-Duggan_1"],
            ["a4501-x", "a5000-kme_0204"],
        ),
        (fivek_by_list, "fivek", "FiveK", ["a0001", "a4999"], ["a0002"]),
        (fivek_in_folders, "fivek", "FiveK", ["a0001"], ["a4999"]),
        (other_names, "lol_v2_real", "LOLv2", ["a"], ["b"]),
        (other_names, "lol_v2_synthetic", "LOLv2", ["a"], ["b"]),
        (other_names, "lsrw_huawei", "LSRW", ["a"], ["b"]),
        (other_names, "lsrw_nikon", "by_camera", ["a"], ["b"]),
        (other_names, "fivek", "FiveK", ["a"], ["b"]),
    ],
)
def test_a_published_set_is_read_by_name(
    put: Put,
    tmp_path: Path,
    lay_out: Callable[..., None],
    name: str,
    root: str,
    train: list[str],
    test: list[str],
) -> None:
    lay_out(*((put, tmp_path) if lay_out is fivek_by_list else (put,)))
    data = make(load_config([f"data={name}", f"data.root={tmp_path / root}"]).data)
    assert isinstance(data, PairDataModule)
    (pairs,) = data.sets.values()
    for split, stems in (("train", train), ("test", test)):
        items = pairs.items(split, "set")  # type: ignore[arg-type]
        assert [item.name for item in items] == [f"set/{stem}" for stem in stems]
    assert pairs.items("val", "set") == []


def test_each_dark_image_has_its_own_reference(put: Put, tmp_path: Path) -> None:
    sice(put)
    lsrw(put)
    fivek_by_number(put)
    pairs = layout_of("sice")(tmp_path / "SICE").items("train", "SICE")
    files = {item.name: (item.low, item.high, item.scene) for item in pairs if isinstance(item, FilePair)}
    part = tmp_path / "SICE/Dataset_Part1"
    assert files["SICE/10_2"] == (part / "10/2.JPG", part / "Label/10.JPG", "SICE/Dataset_Part1/10")
    (pair,) = layout_of("lsrw_nikon")(tmp_path / "LSRW").items("test", "LSRW")
    assert isinstance(pair, FilePair)
    assert pair.high == tmp_path / "LSRW/Eval/Nikon/high/2001.jpg"


def message(root: Path, name: str = "lol") -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        layout_of(name)(root).items("train", "set")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_root_one_folder_too_high_names_the_right_one(put: Put, tmp_path: Path) -> None:
    lol_v2(put)
    root = tmp_path / "LOL-v2"
    assert message(root).endswith(
        f"; try data.root={root / 'Real_captured'} or data.root={root / 'Synthetic'} "
        f"or data=lol_v2_real or data=lol_v2_synthetic"
    )
    assert f"; try data.root={root}" in message(tmp_path, "lol_v2_real")
    sice(put)
    assert message(tmp_path / "SICE").endswith("; try data=sice")
    assert message(tmp_path / "SICE/Dataset_Part1").endswith("; try data=sice")
    assert message(tmp_path, "sice").endswith(f"; try data.root={tmp_path / 'SICE'}")


def test_a_root_with_both_cameras_names_the_sets(put: Put, tmp_path: Path) -> None:
    lsrw(put)
    assert message(tmp_path / "LSRW").endswith("; try data=lsrw_huawei or data=lsrw_nikon")
    assert f"data=lsrw_huawei data.root={tmp_path / 'LSRW'}" in message(tmp_path)


def test_a_root_with_a_folder_per_camera_names_the_folders(put: Put, tmp_path: Path) -> None:
    lsrw_by_camera(put)
    assert f"; try data.root={tmp_path / 'LSRW/Huawei'} or data=lsrw_huawei" in message(tmp_path / "LSRW")
    assert f"; try data.root={tmp_path / 'LSRW/Huawei'}" in message(tmp_path)


def test_what_is_missing_in_sice_is_named(put: Put, tmp_path: Path) -> None:
    sice(put)
    part = tmp_path / "SICE/Dataset_Part1"
    (part / "Label/1.JPG").unlink()
    put(["SICE/Dataset_Part1/Label/77.JPG", "SICE/Dataset_Part1/5/1.JPG", "SICE/Dataset_Part1/Label/5.JPG"])
    text = message(tmp_path / "SICE", "sice")
    assert "the scene 1 has no reference in Label" in text
    assert "Label/77.JPG has no folder 77 of exposures" in text
    assert "the scene 5 has no exposure below the middle one" in text


def test_what_a_list_names_and_nobody_has_is_named(put: Put, tmp_path: Path) -> None:
    fivek_by_list(put, tmp_path)
    (tmp_path / "FiveK/test.txt").write_text("a0002\na0815.jpg\n")
    with pytest.raises(ValueError, match=r"test\.txt lists a0815, which is not in 480p"):
        layout_of("fivek")(tmp_path / "FiveK").items("test", "FiveK")


def test_names_in_another_normal_form_are_the_same(put: Put, tmp_path: Path) -> None:
    one, other = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    put([f"FiveK/input/{other}.jpg", f"FiveK/expertC/{one}.jpg"])
    for name, stem in (("train.txt", other), ("test.txt", one)):
        (tmp_path / "FiveK" / name).write_text(stem, encoding="utf-8")
    for split in ("train", "test"):
        assert len(layout_of("fivek")(tmp_path / "FiveK").items(split, "set")) == 1  # type: ignore[arg-type]
    put([f"SICE/Dataset_Part1/{one}/{e}.JPG" for e in (1, 2, 3)])
    put([f"SICE/Dataset_Part1/Label/{other}.JPG"])
    assert len(layout_of("sice")(tmp_path / "SICE").items("train", "set")) == 1


def test_scenes_of_several_exposures_are_audited_by_name(put: Put, tmp_path: Path) -> None:
    sice(put)
    done = CliRunner().invoke(app, ["check", str(tmp_path / "SICE"), "--data", "sice"])
    assert "10 pairs of 3 scenes, 10 sharing a scene" in done.stdout
    assert "Identical" not in done.stdout  # references that pairs share
    unknown = CliRunner().invoke(app, ["check", str(tmp_path / "SICE"), "--data", "synthetic"])
    assert unknown.exit_code == 1
    assert f"there are {', '.join(named_layouts())}" in unknown.stderr


@pytest.mark.parametrize("folders", [("low", "high"), ("low",)])
def test_a_set_without_a_pair_is_not_clean(tmp_path: Path, folders: tuple[str, ...]) -> None:
    for folder in ("low", "high"):
        (tmp_path / "our485" / folder).mkdir(parents=True)
    for folder in folders:
        (tmp_path / "our485" / folder / "notes.txt").touch()
    done = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert f"no image in {tmp_path / 'our485/low'}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_split_without_images_is_no_clean_set(write_pairs: Write) -> None:
    root = write_pairs(size=(48, 32))
    for folder in ("low", "high"):
        (root / "eval15" / folder).mkdir(parents=True)
    done = CliRunner().invoke(app, ["check", str(root)])
    assert done.exit_code == 4
    assert f"Folders without images: 2\n  no image in {root / 'eval15/low'}" in done.stdout
