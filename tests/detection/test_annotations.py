"""Annotations in the formats of WIDER FACE, DARK FACE, YOLO and ExDark, on files written by hand."""

from pathlib import Path

import pytest
from PIL import Image

from lowlight.detection import read_annotations

WIDER = """0--Parade/0_Parade_marchingband_1_849.jpg
1
449 330 122 149 0 0 0 0 0 0
1--Handshaking/1_Handshaking_1.jpg
3
10 20 30 40 2 0 0 1 0 0
78 221 7 8 2 0 0 0 0 0
5 6 0 9 0 0 0 0 0 0
2--Demonstration/none.jpg
0
0 0 0 0 0 0 0 0 0 0
last.jpg
0
"""


@pytest.fixture
def images(tmp_path: Path) -> dict[str, Path]:
    """Images of 200x100 pixels, in folders."""
    paths = {name: tmp_path / "images" / name for name in ("a/1.png", "a/2.png", "b/3.jpg")}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (200, 100)).save(path)
    return paths


def write(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_wider_face(tmp_path: Path) -> None:
    (tmp_path / "wider_face_val_bbx_gt.txt").write_text(WIDER)
    names = ["0--Parade/0_Parade_marchingband_1_849.jpg", "1--Handshaking/1_Handshaking_1.jpg"]
    names += ["2--Demonstration/none.jpg", "last.jpg", "unlisted.jpg"]
    found = read_annotations(tmp_path / "wider_face_val_bbx_gt.txt", dict.fromkeys(names, tmp_path))
    assert list(found) == names[:4]
    assert found[names[0]].boxes.tolist() == [[449, 330, 571, 479]]
    assert found[names[1]].boxes.tolist() == [[10, 20, 40, 60], [78, 221, 85, 229]]  # one has no width
    assert found[names[1]].ignored.tolist() == [True, False]
    assert [len(found[name].boxes) for name in names[2:4]] == [0, 0]


def test_dark_face(images: dict[str, Path], tmp_path: Path) -> None:
    folder = write(tmp_path / "label", {"1.txt": "2\n10 20 30 40\n50 60 71.5 80\n", "2.txt": "0\n"})
    found = read_annotations(folder, images)
    assert found["a/1.png"].boxes.tolist() == [[10, 20, 30, 40], [50, 60, 71.5, 80]]
    assert found["a/1.png"].classes.tolist() == [0, 0]
    assert len(found["a/2.png"].boxes) == 0
    assert "b/3.jpg" not in found


def test_yolo(images: dict[str, Path], tmp_path: Path) -> None:
    folder = write(
        tmp_path / "labels", {"a/1.txt": "3 0.5 0.5 0.2 0.4\n0 0.1 0.1 0.1 0.1 0.9\n", "b/3.txt": ""}
    )
    found = read_annotations(folder, images)
    assert found["a/1.png"].boxes[0].tolist() == pytest.approx([80, 30, 120, 70])
    assert found["a/1.png"].classes.tolist() == [3, 0]
    assert len(found["b/3.jpg"].boxes) == 0


def test_exdark(images: dict[str, Path], tmp_path: Path) -> None:
    text = "% bbGt version=3\nBicycle 20 28 27 19 0 0 0 0 0 0 0\nPeople 5 6 10 20 0 0 0 0 0 0 0\n"
    found = read_annotations(write(tmp_path / "gt", {"1.png.txt": text}), images)
    assert found["a/1.png"].boxes.tolist() == [[20, 28, 47, 47], [5, 6, 15, 26]]
    assert found["a/1.png"].classes.tolist() == [0, 10]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2\n10 20 30 40\n", "holds 1 boxes after the number 2"),
        ("0 50 50 20 20\n", "neither DARK FACE's format"),
        ("0 0.5 nan 0.2 0.2\n", "is no line of 5 numbers"),
        (
            "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n",
            "has 9 numbers, YOLO's boxes have 5 or, with a confidence, 6",
        ),
        ("0 0.5 0.5 0.2 0.4 0.4 0.4 2\n", "has 8 numbers"),
        ("1\n10 20 30\n", "is no line of 4 numbers"),
        ("% bbGt version=3\nLion 1 2 3 4\n", "'Lion' is none of ExDark's classes"),
    ],
)
def test_a_broken_file_is_named(images: dict[str, Path], tmp_path: Path, text: str, message: str) -> None:
    folder = write(tmp_path / "label", {"1.txt": text})
    with pytest.raises(ValueError, match=rf"1\.txt.*{message}"):
        read_annotations(folder, images)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a/1.png\nb/3.jpg\n", "not by a number of faces as in WIDER FACE"),
        ("a/1.png\n2\n1 2 3 4\n", "has 1 of 2 faces: the file is cut off"),
        ("c.png\n0\n", "annotates none of the 3 images"),
    ],
)
def test_a_broken_list_is_named(images: dict[str, Path], tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"list\.txt.*{message}"):
        read_annotations(tmp_path / "list.txt", images)


def test_a_missing_path_and_a_folder_for_other_images_are_named(
    images: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no such file or folder of annotations"):
        read_annotations(tmp_path / "none", images)
    with pytest.raises(ValueError, match=r"looked for text files called as the images, such as 1\.txt"):
        read_annotations(write(tmp_path / "label", {"other.txt": "0\n"}), images)
