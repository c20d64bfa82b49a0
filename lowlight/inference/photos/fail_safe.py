"""Fail-safe: checks on a photograph and its enhancement."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.colour import luma
from lowlight.decoding.photo import Pixels

BRIGHT = 0.4
"""Mean BT.601 luma from which a photograph counts as not dark: 90 % of LOL's references lie above 0.3, all
of its dark images below 0.23."""
CLIPPED = 0.5
"""Largest accepted share of pixels that an enhancement turns fully white or fully black."""
CAST = 0.25
"""Largest accepted change of a channel's share in the mean colour; LOL's references differ from its dark
images by at most 0.19."""

_SAMPLES = 1_000_000


def why_not_dark(pixels: Pixels) -> str | None:
    """Return ``not_dark`` if a photograph of shape (H, W, 3) needs no enhancement, else None."""
    return "not_dark" if mean_luma(pixels) >= BRIGHT else None


def why_not_sane(pixels: Pixels, after: NDArray[np.float32]) -> str | None:
    """Return what is wrong with an enhancement: ``clipped``, ``colour_cast``, or None.

    Args:
        pixels: The photograph, of shape (H, W, 3).
        after: Pixels of its enhancement, shape (N, 3), in [0, 1]; every :func:`step_of`-th of it.
    """
    before = sample(pixels)
    if _clipped(after) - _clipped(before) > CLIPPED:
        return "clipped"
    if np.abs(_shares(after) - _shares(before)).max() > CAST:
        return "colour_cast"
    return None


def mean_luma(pixels: Pixels) -> float:
    """Return the mean BT.601 luma of a photograph of shape (H, W, 3), in [0, 1]."""
    return float(luma(sample(pixels)).mean())


def sample(pixels: Pixels) -> NDArray[np.float32]:
    """Return about a million pixels of a regular grid, shape (N, 3), in [0, 1]."""
    step, white = step_of(pixels), np.float32(np.iinfo(pixels.dtype).max)
    return pixels[::step, ::step].reshape(-1, 3).astype(np.float32) / white


def step_of(pixels: NDArray[Any]) -> int:
    """Return the distance of the sampled rows, and columns, of pixels of shape (H, W, 3)."""
    return max(int((pixels.shape[0] * pixels.shape[1] / _SAMPLES) ** 0.5), 1)


def _clipped(colours: NDArray[np.float32]) -> float:
    """Return the share of pixels that 8 bits would store as white or black, or next to it."""
    return float(((colours.min(1) >= 253.5 / 255) | (colours.max(1) <= 1.5 / 255)).mean())


def _shares(colours: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each channel's share in the mean colour, shape (3,); black counts as grey."""
    mean = colours.mean(0, dtype=np.float64) + 1e-3
    return np.asarray(mean / mean.sum())
