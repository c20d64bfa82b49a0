"""Detection before and after enhancement, from the images to the table."""

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lowlight.checkpoints.pretrained import save_pretrained
from lowlight.cli.detect import app
from lowlight.detection import detect
from lowlight.detection.detectors import load_detector, run
from lowlight.detection.experiment import darkened
from lowlight.report import precision_recall
from tests.conftest import photograph
from tests.tiny import tiny

BOX = (30, 10, 50, 30)


def bright_square(image: np.ndarray) -> Any:
    """Find what is brighter than 100 of 255, as one object."""
    rows, columns = np.nonzero(image.mean(-1) > 100)
    if not len(rows):
        return []
    return [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, image.max() / 255]]


def broken(image: np.ndarray) -> Any:
    return np.zeros((2, 3))


def write(folder: Path, levels: range, ground: int = 2) -> Path:
    """Write images of a square of each level at :data:`BOX`, and YOLO's labels of it."""
    for number, level in enumerate(levels):
        pixels = np.full((64, 96, 3), ground, np.uint8)
        pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = level
        for name in ("images", "labels"):
            (folder / name).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        text = f"0 {40 / 96:.9f} {20 / 64:.9f} {20 / 96:.9f} {20 / 64:.9f}\n"
        (folder / "labels" / f"{number}.txt").write_text(text)
    return folder / "images"


def test_a_method_that_brightens_finds_what_was_dark(tmp_path: Path) -> None:
    images = write(tmp_path, range(40, 100, 5))
    result = detect(images, tmp_path / "labels", ["gamma"], detector=bright_square, device="cpu")
    before, after = result["rows"][:2]
    assert (before["method"], before["ap"], before["detections"]) == ("none", 0, 0)
    assert (after["method"], after["ap"], after["recall"]) == ("gamma", 1, 1)
    assert after["difference_interval"] == after["ap_interval"] == pytest.approx([1, 1])
    assert (after["objects"], after["images"]) == (12, 12)
    assert after["milliseconds"] > 0
    darkest = [row for row in result["rows"] if row["darkness"].startswith("darkest third, luma ")]
    assert [row["images"] for row in darkest] == [4, 4]
    assert result["about"]["reference"] == "annotations"
    curve = next(one for one in result["curves"] if one["method"] == "gamma")
    assert curve["recall"][-1] == 1


def test_images_without_annotation_are_left_out(tmp_path: Path) -> None:
    images = write(tmp_path, range(40, 60, 5))
    (tmp_path / "labels" / "0.txt").unlink()
    result = detect(images, tmp_path / "labels", ["gamma"], detector=bright_square, device="cpu")
    assert (result["about"]["images"], result["about"]["without_annotation"]) == (3, 1)
    assert {row["darkness"] for row in result["rows"]} == {"as taken"}  # too few for thirds


def test_without_annotations_the_bright_photograph_is_the_reference(tmp_path: Path) -> None:
    images = write(tmp_path, range(200, 240, 10), ground=20)
    result = detect(images, methods=["gamma"], detector=bright_square, darken=[1, 5], device="cpu")
    rows = {(row["darkness"], row["method"]): row for row in result["rows"]}
    assert list(rows) == [
        ("bright", "none"),
        *((level, method) for level in ("1 stops", "5 stops") for method in ("none", "gamma")),
    ]
    assert rows["bright", "none"]["ap"] == 1
    assert rows["5 stops", "none"]["ap"] == 0
    assert "detections in the bright photographs" in result["about"]["reference"]


def test_runs_of_one_name_and_one_called_none_are_kept_apart(tmp_path: Path) -> None:
    images = write(tmp_path, range(40, 60, 5))
    paths = [tmp_path / name for name in ("one/run", "two/run", "two/none")]
    for path in paths:
        save_pretrained(tiny("autoencoder"), path)
    result = detect(images, tmp_path / "labels", [*map(str, paths)], detector=bright_square, device="cpu")
    assert [row["method"] for row in result["rows"]] == ["none", *map(str, paths)]


def test_a_figure_of_one_class_does_not_outlive_its_experiment(tmp_path: Path) -> None:
    curve = {"darkness": "bright", "method": "none", "scores": [0.9], "precision": [1.0], "recall": [1.0]}
    rows = [{"darkness": "bright", "method": "none"}]
    for classes in ([0], [0, 1]):
        result = {"about": {}, "rows": rows, "curves": [curve | {"class": kind} for kind in classes]}
        precision_recall.write(result, tmp_path)
        assert (tmp_path / "precision_recall.png").exists() == (len(classes) == 1)


def test_a_level_is_an_exposure_and_all_else_is_alike() -> None:
    pixels = photograph(1)
    means = [darkened(pixels, stops, "a").mean() for stops in (1, 3, 5)]
    assert pixels.mean() > means[0] > means[1] > means[2]
    assert (darkened(pixels, 3, "a") == darkened(pixels, 3, "a")).all()
    assert (darkened(pixels, 3, "a") != darkened(pixels, 3, "b")).any()


def run_verb(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.slow
def test_the_verb_prints_a_table_and_writes_the_curves(tmp_path: Path) -> None:
    images = write(tmp_path, range(40, 60, 5))
    options = ["--annotations", str(tmp_path / "labels"), "--methods", "gamma,identity", "--device", "cpu"]
    detector = f"{__name__}:bright_square"
    done = run_verb(str(images), *options, "--detector", detector, "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "4 objects in 4 of 4 images; reference: annotations" in done.stdout
    assert any(line.split()[:4] == ["as", "taken", "gamma", "1.000"] for line in done.stdout.splitlines())
    saved = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert [row["ap"] for row in saved["rows"]] == [0, 1, 0]
    with (tmp_path / "out" / "precision_recall.csv").open(newline="") as file:
        assert {row["method"] for row in csv.DictReader(file)} == {"gamma"}  # the others found nothing
    with Image.open(tmp_path / "out" / "precision_recall.png") as figure:
        assert figure.width > 400
    assert '"rows"' in run_verb(str(images), *options, "--detector", detector, "--json").stdout


def refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def test_undefined_scores_are_texts_in_the_printed_json(tmp_path: Path) -> None:
    images = write(tmp_path, range(40, 45, 5))  # an interval over one image is undefined
    options = ["--annotations", str(tmp_path / "labels"), "--methods", "gamma", "--device", "cpu", "--json"]
    done = run_verb(str(images), *options, "--detector", f"{__name__}:bright_square")
    rows = json.loads(done.stdout, parse_constant=refuse)["rows"]
    assert [row["ap_interval"] for row in rows] == [["NaN", "NaN"]] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "gamma"], "give --annotations; or --darken"),
        (["--darken", "-1"], "darken=-1 must be in (0, 12] stops"),
        (["--darken", "2", "--detector", "nowhere"], "neither yuface nor a callable"),
        (["--darken", "2", "--detector", "nowhere.at:all"], "No module named 'nowhere'"),
        (["--darken", "2", "--methods", "none"], "none is always measured"),
        (["--darken", "2", "--methods", "mirnet"], "mirnet must be trained first"),
        (["--darken", "2", "--methods", "gamma, gamma"], "names gamma twice"),
        (["--darken", "2", "--detector", f"{__name__}:BOX"], "a tuple, which cannot be called"),
        (
            ["--darken", "2", "--detector", f"{__name__}:broken"],
            "0.png: the detector returned an array",
        ),
        (["--darken", "2"], "no object is annotated"),
    ],
)
def test_mistakes_get_one_line(tmp_path: Path, options: list[str], message: str) -> None:
    images = write(tmp_path, range(40, 50, 5))
    chosen = ["--detector", f"{__name__}:bright_square"] if "--detector" not in options else []
    done = run_verb(str(images), "--device", "cpu", *chosen, *options)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".thumbnails").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / ".thumbnails" / "hidden.png")
    for folder, message in ((tmp_path / "none", "no such folder"), (tmp_path, "no image in it")):
        with pytest.raises(ValueError, match=message):
            detect(folder, detector=bright_square, darken=[2])


def test_a_class_is_zero_unless_given() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    assert run(lambda _: [[0, 0, 2, 2, 0.5]], image, "a").tolist() == [[0, 0, 2, 2, 0.5, 0]]
    assert run(lambda _: [[0, 0, 2, 2, 0.5, 7]], image, "a").tolist() == [[0, 0, 2, 2, 0.5, 7]]
    assert run(lambda _: [], image, "a").shape == (0, 6)
    with pytest.raises(ValueError, match="finite"):
        run(lambda _: [[0, 0, 2, 2, math.nan]], image, "a")


def test_the_face_detector_finds_a_face() -> None:
    pytest.importorskip("yuface")
    from skimage.data import astronaut

    (face,) = run(load_detector(), astronaut(), "astronaut")
    left, top, right, bottom = face[:4]
    assert 150 < left < 200 < 240 < right < 290
    assert 40 < top < 90 < 150 < bottom < 200
    assert face[4] > 0.8


def test_a_missing_face_detector_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yuface", None)
    with pytest.raises(ValueError, match=r"pip install 'lowlight\[faces\]'"):
        load_detector()
