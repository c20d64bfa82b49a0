"""Feature matching on pictures with a known answer."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lowlight.evaluation.feature_matching import (
    COLUMNS,
    known_perspective,
    match_features,
    opencv,
    project,
    repeatability,
    summary,
)
from lowlight.images import Batch, from_uint8

pytest.importorskip("cv2")


def texture(seed: int = 0, height: int = 160, width: int = 220) -> Tensor:
    """Return a picture with many corners, of shape (1, 3, height, width)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return from_uint8(np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)))[
        None
    ]


def pair(low: Tensor, high: Tensor, name: str = "set/1") -> Batch:
    return {"low": low, "high": high, "name": [name]}


def same(low: Tensor, name: str) -> Tensor:
    return low


def rows_of(batch: Batch, enhance=same, sigmas=(0,), **where: object) -> list[dict]:  # type: ignore[no-untyped-def, type-arg]
    rows = match_features(enhance, [batch], sigmas)
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


@pytest.mark.parametrize("detector", ["sift", "orb"])
def test_an_equal_image_is_matched_perfectly(detector: str) -> None:
    high = texture()
    rows = rows_of(pair(high, high), detector=detector)
    assert len(rows) == 3  # the dark image, the enhanced one and the reference
    for row in rows:
        assert row["keypoints"] > 50
        assert row["precision"] > 0.98  # where texture repeats, the ratio test lets a twin through
        assert row["repeatability"] == 1
        assert row["inliers"] > 20
        assert row["corner_error"] < 5


@pytest.mark.parametrize("detector", ["sift", "orb"])
def test_a_shifted_image_is_matched_in_the_wrong_places(detector: str) -> None:
    wide = texture(width=260)
    (row,) = rows_of(pair(wide[..., 12:232], wide[..., :220]), detector=detector, image="low")
    assert row["matches"] > 20
    assert row["correct"] <= 0.05 * row["matches"]
    assert row["inliers"] <= 0.05 * row["matches"]
    assert row["corner_error"] > 5


@pytest.mark.parametrize("detector", ["sift", "orb"])
def test_nothing_is_found_in_a_flat_image(detector: str) -> None:
    (row,) = rows_of(pair(torch.zeros(1, 3, 160, 220), texture()), detector=detector, image="low")
    numbers = {column: row[column] for column in COLUMNS}
    assert numbers == dict.fromkeys(COLUMNS, 0) | {"corner_error": pytest.approx(np.hypot(160, 220))}


@pytest.mark.parametrize("detector", ["sift", "orb"])
def test_noise_costs_matches_and_enhancing_a_dark_image_gains_them(detector: str) -> None:
    high = texture()
    low = (high * 20).round() / 255
    rows = rows_of(
        pair(low, high), lambda noisy, name: (noisy * 12).clamp(0, 1), (0, 5, 20), detector=detector
    )
    correct = {(row["image"], row["sigma"]): row["correct"] for row in rows}
    assert correct["enhanced", 0] > correct["enhanced", 5] > correct["enhanced", 20]
    assert correct["reference", 0] > correct["reference", 20] > correct["enhanced", 20]
    if detector == "orb":
        assert correct["enhanced", 0] > 2 * correct["low", 0]


def test_the_noise_is_of_the_level_and_does_not_depend_on_the_order() -> None:
    high = texture()
    seen: dict[str, list[Tensor]] = {}

    def note(noisy: Tensor, name: str) -> Tensor:
        seen.setdefault(name, []).append(noisy)
        return noisy

    batches = [pair(high * 0 + 0.5, high, name) for name in ("set/1", "set/2")]
    first = match_features(note, batches, (10,))
    noisy = seen["set/1"][0]
    assert (noisy - 0.5).std().item() * 255 == pytest.approx(10, rel=0.02)
    assert not torch.equal(seen["set/1"][0], seen["set/2"][0])
    second = match_features(note, batches[::-1], (10,))
    key = ("name", "detector", "image")
    assert sorted(first, key=lambda row: [row[k] for k in key]) == sorted(
        second, key=lambda row: [row[k] for k in key]
    )


def test_repeatability_by_hand() -> None:
    """One pair of positions is near; two positions with the same partner count once."""
    first = np.array([[0, 0], [10, 10], [10.5, 10]], np.float32)
    second = np.array([[10, 11], [50, 50]], np.float32)
    assert repeatability(first, second) == 0.5
    assert repeatability(first, first) == 1
    assert repeatability(first, second[:0]) == 0
    assert repeatability(np.array([[0, 0]], np.float32), np.array([[0, 3.5]], np.float32)) == 0


def test_the_known_perspective_is_mild() -> None:
    corners = np.array([[0, 0], [600, 0], [0, 400], [600, 400]], float)
    moved = np.linalg.norm(project(known_perspective(400, 600), corners) - corners, axis=1)
    assert (moved > 3).all()
    assert (moved < 90).all()


def test_a_summary_is_the_mean_over_images() -> None:
    base = dict.fromkeys(COLUMNS, 0.0) | {"detector": "orb", "sigma": 5, "image": "low"}
    rows = [base | {"name": "a", "correct": 2}, base | {"name": "b", "correct": 4}]
    assert summary(rows)["orb"]["5"]["low"]["correct"] == 3


def test_a_missing_opencv_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ValueError, match=r"pip install 'lowlight\[features\]'"):
        opencv()
