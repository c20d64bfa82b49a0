"""Videos are scored one by one, without reference where there is none, and by their flicker."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowlight.config import load_config
from lowlight.evaluation import evaluate
from lowlight.metrics import METRICS
from lowlight.training import train
from tests.conftest import photograph

LEVELS = (40, 44, 40, 44, 40)
"""Grey levels of a flickering video: each frame is 4 levels from the middle of its neighbours."""


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def run(root: Path, out: Path, *overrides: str) -> dict[str, Any]:
    config = load_config(
        [
            "data=video",
            f"data.root='{root}'",
            "data.layout.test_fraction=1",
            "trainer=cpu",
            "trainer.enable_progress_bar=false",
            f"output_dir='{out}'",
            *(overrides or ["method=identity"]),
        ],
        name="evaluate",
    )
    evaluate(config)
    content: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return content


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def flickering(tmp_path: Path) -> Path:
    """A flickering and a steady grey video without references."""
    for number, level in enumerate(LEVELS):
        write(tmp_path / "set" / "flickering" / f"{number}.png", np.full((16, 24, 3), level))
        write(tmp_path / "set" / "steady" / f"{number}.png", np.full((16, 24, 3), 30 + number))
    (tmp_path / "set" / "metadata.csv").write_text("video,phone\nflickering,A\nsteady,B\n")
    return tmp_path / "set"


def test_videos_without_references_get_the_scores_that_need_none(flickering: Path, tmp_path: Path) -> None:
    metrics = run(flickering, tmp_path / "out")
    assert (metrics["images"], metrics["videos"], metrics["references"]) == (10, 2, False)
    for metric in METRICS:
        for key in metric.keys:
            assert (f"test/{key}" in metrics) == (metric.against != "high"), key
    assert metrics["test/mean_luma"] == pytest.approx((np.mean(LEVELS) + 32) / 2 / 255)
    flickers, steady = rows(tmp_path / "out" / "per_video.csv")
    assert flickers["video"] == "set/flickering"
    assert (flickers["phone"], flickers["frames"]) == ("A", "5")
    assert float(flickers["flicker"]) == pytest.approx(4, abs=1e-3)
    assert float(flickers["flicker_dark"]) == pytest.approx(4, abs=1e-3)
    assert not {"flicker_reference", "psnr"} & flickers.keys()
    assert "test/flicker_reference" not in metrics
    assert float(steady["flicker"]) == pytest.approx(0, abs=1e-3)
    assert metrics["test/flicker"] == pytest.approx(2, abs=1e-3)
    assert metrics["intervals"]["flicker"] == pytest.approx([0, 4], abs=1e-3)
    assert "Y(t)" in metrics["definitions"]["flicker"]
    folders = [path.name for path in (tmp_path / "out" / "pictures" / "test").iterdir()]
    assert "set__steady__0" in folders
    assert not list((tmp_path / "out").rglob("high.png"))


def test_the_tables_columns_do_not_replace_what_is_computed(flickering: Path, tmp_path: Path) -> None:
    table = "video,scene,frames,flicker_reference,phone\nflickering,,9,none,A\nsteady,,9,none,B\n"
    (flickering / "metadata.csv").write_text(table)
    metrics = run(flickering, tmp_path / "out")
    flickers, steady = rows(tmp_path / "out" / "per_video.csv")
    assert (flickers["scene"], steady["scene"]) == ("set/flickering", "set/steady")
    assert (flickers["phone"], flickers["frames"]) == ("A", "5")
    assert "flicker_reference" not in flickers
    assert metrics["intervals"]["flicker"] == pytest.approx([0, 4], abs=1e-3)
    assert metrics["intervals_are"].endswith("over scenes of the mean over images, of flicker over videos")


def test_videos_that_look_alike_are_one_scene_for_every_score(tmp_path: Path) -> None:
    for name, seed, change in (("a", 1, 0), ("b", 1, 4), ("c", 2, 8)):
        for number in range(5):
            frame = photograph(seed) // 4 + change * (number % 2)
            write(tmp_path / "set" / name / f"{number}.png", frame)
    metrics = run(tmp_path / "set", tmp_path / "out")
    scenes = {row["name"]: row["scene"] for row in rows(tmp_path / "out" / "per_image.csv")}
    videos = rows(tmp_path / "out" / "per_video.csv")
    assert [video["scene"] for video in videos] == ["set/a", "set/a", "set/c"]
    assert [scenes[f"{video['video']}/0"] for video in videos] == ["set/a", "set/a", "set/c"]
    assert metrics["scenes"] == 2
    # of two scenes, the means over videos of the first alone and of the second alone
    assert metrics["intervals"]["flicker"] == pytest.approx([(0 + 4) / 2, 8], abs=1e-3)


def test_flicker_is_that_of_the_enhanced_frames(flickering: Path, tmp_path: Path) -> None:
    run(flickering, tmp_path / "out", "method=gamma", "method.function.exponent=0.5", "save_images=true")
    enhanced = np.round(255 * np.sqrt(np.array([40, 44]) / 255))
    flickers, _ = rows(tmp_path / "out" / "per_video.csv")
    assert float(flickers["flicker"]) == pytest.approx(enhanced[1] - enhanced[0], abs=1e-3)
    saved = run(flickering, tmp_path / "saved", f"predictions='{tmp_path}/out/images'")
    assert rows(tmp_path / "saved" / "per_video.csv") == rows(tmp_path / "out" / "per_video.csv")
    assert saved["test/flicker"] > 0


def test_frames_that_are_not_tested_do_not_count(flickering: Path, tmp_path: Path) -> None:
    metrics = run(flickering, tmp_path / "out", "method=identity", "trainer.limit_test_batches=3")
    (row,) = rows(tmp_path / "out" / "per_video.csv")
    assert (row["video"], row["frames"], metrics["images"]) == ("set/flickering", "3", 3)
    assert float(row["flicker"]) == pytest.approx(4, abs=1e-3)


def test_a_cut_is_no_flicker(tmp_path: Path) -> None:
    for number, level in enumerate([20, 20, 20, 200, 200, 200]):
        write(tmp_path / "set" / "cut" / f"{number}.png", np.full((16, 24, 3), level))
    run(tmp_path / "set", tmp_path / "out")
    assert float(rows(tmp_path / "out" / "per_video.csv")[0]["flicker"]) == 0


@pytest.fixture
def paired(tmp_path: Path) -> Path:
    """Four videos with references; the dark frames are a quarter as bright."""
    for video in range(4):
        for number in range(3):
            high = photograph(video).astype(int) - number
            write(tmp_path / "pairs" / "high" / f"v{video}" / f"{number}.png", high.clip(0))
            write(tmp_path / "pairs" / "low" / f"v{video}" / f"{number}.png", high.clip(0) // 4)
    return tmp_path / "pairs"


def test_videos_with_references_are_scored_against_them(paired: Path, tmp_path: Path) -> None:
    metrics = run(paired, tmp_path / "out")
    assert "references" not in metrics
    table = rows(tmp_path / "out" / "per_video.csv")
    assert [row["video"] for row in table] == [f"pairs/v{video}" for video in range(4)]
    frames = [row for row in rows(tmp_path / "out" / "per_image.csv") if row["scene"] == "pairs/v1"]
    assert float(table[1]["psnr"]) == pytest.approx(np.mean([float(row["psnr"]) for row in frames]))
    assert all(math.isfinite(float(row["flicker_reference"])) for row in table)
    assert math.isfinite(metrics["test/psnr"])


def test_features_need_references(flickering: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="features=true needs references"):
        run(flickering, tmp_path / "out", "method=identity", "features=true")


def training(root: Path, out: Path, *overrides: str) -> dict[str, Any]:
    config = load_config(
        [
            "method=autoencoder",
            "method.net.channels=[2,2,2]",
            "data=video",
            f"data.root='{root}'",
            "data.patch_size=16",
            "data.batch_size=2",
            "data.val_fraction=0.4",
            "trainer=cpu",
            "trainer.max_epochs=1",
            "trainer.enable_progress_bar=false",
            "logger=csv",
            f"output_dir='{out}'",
            *overrides,
        ]
    )
    return train(config)


def test_a_method_trains_on_the_frames(paired: Path, tmp_path: Path) -> None:
    metrics = training(paired, tmp_path / "run")
    assert metrics["videos"] == 1
    assert math.isfinite(metrics["test/flicker"])


@pytest.fixture
def three(flickering: Path) -> Path:
    """Three videos without references, which suffice for training, validation and testing."""
    for number in range(5):
        write(flickering / "third" / f"{number}.png", photograph(number))
    (flickering / "metadata.csv").unlink()
    return flickering


def test_a_loss_without_references_trains_on_frames_without(three: Path, tmp_path: Path) -> None:
    loss = ["method.loss._target_=lowlight.losses.total_variation", "+method.needs_references=false"]
    metrics = training(three, tmp_path / "run", *loss)
    assert "test/psnr" not in metrics
    assert math.isfinite(metrics["test/flicker"])


def test_a_method_that_needs_references_says_so(three: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="learns from references, which the training images do not have"):
        training(three, tmp_path / "run")
