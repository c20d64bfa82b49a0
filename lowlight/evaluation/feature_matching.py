"""Matching of local features, dark and enhanced, with the reference: does enhancement help machine vision?

The pairs are aligned, so the position of each feature in the reference is known. Requires OpenCV, the extra
``features``.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlight.colour import LUMA
from lowlight.images import Batch, round_to_8_bits, to_uint8

SIGMAS = (0, 5, 10, 20)
"""Standard deviations of the added noise, on the scale of 0 to 255."""

MOST_KEYPOINTS = 2000
"""Most keypoints per image and detector."""

RATIO = 0.8
"""Ratio test: largest distance of a match over that of the second-best match."""

NEAR = 3.0
"""Largest distance of two positions that agree, pixels."""

COLUMNS = (
    "keypoints", "matches", "correct", "precision", "repeatability", "inliers", "corner_error"
)  # fmt: skip
"""Measurements per image.

``keypoints``: features found. ``matches``: features that pass the ratio test against the reference.
``correct``: matches within 3 pixels of their known position; ``precision``: their share of the matches, 0 if
there are none. ``repeatability``: keypoint positions with a partner in the reference within 3 pixels, one to
one, over the smaller number of positions. ``inliers``: matches with the reference under a known perspective
that RANSAC keeps and that agree with it within 3 pixels. ``corner_error``: mean distance in pixels between
the image corners under RANSAC's perspective and under the known one, at most the image diagonal, which marks
a failure.
"""

Row = dict[str, Any]
Enhance = Callable[[Tensor, str], Tensor]
"""Maps a dark image, (1, 3, H, W) in [0, 1], and its name to the enhanced image, of the same shape."""


class Features(NamedTuple):
    """Positions, (N, 2) as x and y in pixels, and descriptors, one row per position."""

    positions: NDArray[np.float32]
    descriptors: NDArray[Any]


def match_features(
    enhance: Enhance, pairs: Iterable[Batch], sigmas: Sequence[int] = SIGMAS, seed: int = 0
) -> list[Row]:
    """Match features of the dark, enhanced and reference image of each pair with the clean reference's.

    Gaussian noise is added to the dark image before enhancement, then clipped and rounded to 8 bits; it
    depends only on ``seed``, name and noise level. The reference with the same noise shows what a perfect
    exposure without noise reduction would reach.

    Args:
        enhance: Method to be measured.
        pairs: Batches of one pair.
        sigmas: Standard deviations of the noise, on the scale of 0 to 255.
        seed: Seed of the noise.

    Returns:
        One row per image, detector ("sift", "orb"), noise level and role ("low", "enhanced", "reference"),
        with :data:`COLUMNS`.

    Raises:
        ValueError: If OpenCV is not installed.

    Reference:
        Lowe, 2004, "Distinctive image features from scale-invariant keypoints" (SIFT and the ratio test);
        Rublee, Rabaud, Konolige and Bradski, 2011, "ORB: An efficient alternative to SIFT or SURF"; Schmid,
        Mohr and Bauckhage, 2000, "Evaluation of interest point detectors" (repeatability).
    """
    cv2 = opencv()
    rows = []
    for batch in pairs:
        (name,) = batch["name"]
        low, high = batch["low"], batch["high"]
        reference = grey(high)
        perspective = known_perspective(*reference.shape)
        across, down = reference.shape[::-1]
        warped = cv2.warpPerspective(reference, perspective, (across, down))
        for detector in ("sift", "orb"):
            known, seen = (detect(cv2, image, detector) for image in (reference, warped))
            for sigma in sigmas:
                noise = _noise(low, seed, name, sigma)
                noisy = round_to_8_bits(low + noise)
                images = {
                    "low": noisy, "enhanced": enhance(noisy, name), "reference": round_to_8_bits(high + noise)
                }  # fmt: skip
                for role, image in images.items():
                    found = detect(cv2, grey(image), detector)
                    counts = compare(cv2, found, known, detector)
                    counts |= _register(cv2, found, seen, detector, perspective, (across, down))
                    rows.append({"name": name, "detector": detector, "sigma": sigma, "image": role} | counts)
    return rows


def opencv() -> ModuleType:
    """Import OpenCV.

    Raises:
        ValueError: If OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise ValueError("features=true needs OpenCV: pip install 'lowlight[features]'") from None
    return cv2


def summary(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Average rows over images, by detector, noise level, role and column."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["detector"], str(row["sigma"]), row["image"]), []).append(row)
    means: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for (detector, sigma, role), members in groups.items():
        columns = {column: float(np.mean([row[column] for row in members])) for column in COLUMNS}
        means.setdefault(detector, {}).setdefault(sigma, {})[role] = columns
    return means


def compare(cv2: ModuleType, found: Features, known: Features, detector: str) -> Row:
    """Match an image's features with those of its aligned reference; return the first five columns."""
    ours, theirs = match(cv2, found, known, detector)
    near = np.linalg.norm(found.positions[ours] - known.positions[theirs], axis=1) <= NEAR
    return {
        "keypoints": len(found.positions),
        "matches": len(ours),
        "correct": int(near.sum()),
        "precision": float(near.mean()) if len(near) else 0.0,
        "repeatability": repeatability(found.positions, known.positions),
    }


def match(
    cv2: ModuleType, found: Features, known: Features, detector: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices in ``found`` and in ``known`` of the features that match by the ratio test."""
    if len(found.positions) == 0 or len(known.positions) < 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    matcher = cv2.BFMatcher(cv2.NORM_L2 if detector == "sift" else cv2.NORM_HAMMING)
    nearest = matcher.knnMatch(found.descriptors, known.descriptors, k=2)
    kept = [best for best, second in nearest if best.distance < RATIO * second.distance]
    return (
        np.array([best.queryIdx for best in kept], np.intp),
        np.array([best.trainIdx for best in kept], np.intp),
    )


def repeatability(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the share of mutually nearest positions within 3 pixels, relative to the smaller set."""
    from scipy.spatial import cKDTree

    if not len(first) or not len(second):
        return 0.0
    first, second = (
        np.unique(positions, axis=0) for positions in (first, second)
    )  # a position may have two features
    distance, partner = cKDTree(second).query(first)
    back = cKDTree(first).query(second)[1]
    mutual = (back[partner] == np.arange(len(first))) & (distance <= NEAR)
    return float(mutual.sum() / min(len(first), len(second)))


def known_perspective(height: int, width: int) -> NDArray[np.float64]:
    """Return the known homography of the reference, (3, 3): a mild rotation, shear and tilt."""
    centre = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    turn = np.radians(5)
    tilt = np.array(
        [
            [0.95 * np.cos(turn), -np.sin(turn), 0.02 * width],
            [np.sin(turn), 0.95 * np.cos(turn), -0.01 * height],
            [0.1 / width, 0.05 / height, 1],
        ]
    )
    return np.asarray(centre @ tilt @ np.linalg.inv(centre), dtype=np.float64)


def project(homography: NDArray[np.float64], positions: NDArray[Any]) -> NDArray[np.float64]:
    """Map positions, (N, 2), through a homography, (3, 3)."""
    mapped = np.column_stack((positions, np.ones(len(positions)))) @ homography.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:], dtype=np.float64)


def _register(
    cv2: ModuleType,
    found: Features,
    seen: Features,
    detector: str,
    perspective: NDArray[np.float64],
    size: tuple[int, int],
) -> Row:
    """Estimate the known perspective from matches; return the columns ``inliers`` and ``corner_error``."""
    failed = {"inliers": 0, "corner_error": float(np.hypot(*size))}
    ours, theirs = match(cv2, found, seen, detector)
    if len(ours) < 4:
        return failed
    source, target = found.positions[ours], seen.positions[theirs]
    cv2.setRNGSeed(0)
    estimate, mask = cv2.findHomography(source, target, cv2.RANSAC, NEAR)
    if estimate is None:
        return failed
    true = np.linalg.norm(project(perspective, source) - target, axis=1) <= NEAR
    width, height = size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], dtype=np.float64)
    with np.errstate(all="ignore"):
        away = np.linalg.norm(project(estimate, corners) - project(perspective, corners), axis=1).mean()
    error = min(float(np.nan_to_num(away, nan=np.inf)), failed["corner_error"])
    return {"inliers": int((true & (mask.ravel() > 0)).sum()), "corner_error": error}


def detect(cv2: ModuleType, grey: NDArray[np.uint8], detector: str, most: int = MOST_KEYPOINTS) -> Features:
    """Detect and describe the strongest features of an 8-bit grey image of shape (H, W)."""
    create = cv2.SIFT_create if detector == "sift" else cv2.ORB_create
    keypoints, descriptors = create(nfeatures=most).detectAndCompute(grey, None)
    positions = np.array([keypoint.pt for keypoint in keypoints], np.float32).reshape(-1, 2)
    return Features(positions, np.zeros((0, 1)) if descriptors is None else descriptors)


def grey(image: Tensor) -> NDArray[np.uint8]:
    """Return the 8-bit BT.601 grey, shape (H, W), of a batch of one image."""
    red, green, blue = to_uint8(image)[0].cpu().numpy().astype(np.float64)  # float32 breaks ties otherwise
    return np.asarray((LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).round(), dtype=np.uint8)


def _noise(low: Tensor, seed: int, name: str, sigma: int) -> Tensor:
    """Draw noise in the shape of an image, reproducible by seed, name and level."""
    generator = np.random.default_rng([seed, zlib.crc32(name.encode()), sigma])
    noise = generator.normal(0, sigma / 255, tuple(low.shape)) if sigma else np.zeros(tuple(low.shape))
    return torch.from_numpy(noise).to(low)
