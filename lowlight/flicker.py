"""A video's brightness over time: measuring its flicker and reducing it."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lowlight.colour import luma

CUT = 0.3
"""Change between two frames, relative to their brightness, from which a new scene begins.

Frames of different scenes usually differ by more than 0.4; a pan by a thirtieth of the width by about 0.15.
"""

LIMIT = 1.5
"""Largest correction of a frame's exposure, as a factor; larger differences are not flicker."""

_BLACK = 1 / 255  # keeps ratios finite


def mean_luminance(image: NDArray[np.float32]) -> float:
    """Return the mean BT.601 luminance, in [0, 1], of an image of shape (1, 3, H, W) in [0, 1]."""
    return float(luma(image[0].mean((1, 2), dtype=np.float64)))


class SceneCuts:
    """Detects where a scene begins: at the first frame, at a cut, and where the light jumps.

    It sees the dark frames, since enhanced ones may flicker, and compares them as thumbnails of 16 by 9
    means, in which noise averages out.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None

    def __call__(self, low: NDArray[np.float32]) -> bool:
        """Return whether a frame of shape (1, 3, H, W) in [0, 1] begins a scene."""
        thumbnail = _thumbnail(low[0])
        last, self._last = self._last, thumbnail
        if last is None:
            return True
        brightness = (thumbnail + last).mean() / 2 + _BLACK
        return float(np.abs(thumbnail - last).mean() / brightness) > CUT


def _thumbnail(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean luminance of 9 by 16 equal parts of an image of shape (3, H, W)."""
    rows = np.stack([image[:, part].mean(1) for part in _parts(image.shape[1], 9)])
    cells = np.stack([rows[..., part].mean(-1) for part in _parts(image.shape[2], 16)], axis=1)
    return luma(cells)


def _parts(length: int, count: int) -> Iterator[slice]:
    """Cover an axis by parts of at least one pixel, which overlap by one where they do not divide it."""
    for number in range(count):
        yield slice(number * length // count, -(-(number + 1) * length // count))


class SteadyExposure:
    """Steadies a video's exposure by one gain per frame.

    The logarithm of the frames' mean luminance is smoothed by an exponential moving average over time; the
    gain scales a frame to the smoothed mean. A scene begins with its own exposure, and a lasting change is
    followed within a few time constants, as eyes and cameras do. No look-ahead is needed.

    The gain multiplies encoded values. As these are about a power of light, that also changes the exposure
    in linear light, and it hits the smoothed mean exactly as long as nothing clips.

    The enhanced brightness is smoothed, not its ratio to the dark frame's: an enhancer that lifts shadows
    weakens the dark video's own flicker, which a steady ratio would restore.

    Args:
        time_constant: Time constant in seconds; 0 leaves every frame unchanged.
    """

    def __init__(self, time_constant: float) -> None:
        self.time_constant = time_constant
        self._level = 0.0
        self._seconds = 0.0

    def gain(self, mean: float, seconds: float, begins_scene: bool) -> float:
        """Return the gain of the next frame, a factor.

        Args:
            mean: The frame's mean luminance in [0, 1].
            seconds: The frame's time, later than that of the previous one.
            begins_scene: Whether to forget the earlier frames, as for the first frame.
        """
        level = math.log(mean + _BLACK)
        passed, self._seconds = seconds - self._seconds, seconds
        if begins_scene or self.time_constant == 0:
            self._level = level
            return 1.0
        kept = math.exp(-passed / self.time_constant)
        smoothed = kept * self._level + (1 - kept) * level
        limit = math.log(LIMIT)
        self._level = min(max(smoothed, level - limit), level + limit)
        return math.exp(self._level - level)


class Flicker:
    """Measures a video's flicker in levels of 255: 0 for steady light and for light that changes evenly.

    It is the mean over frames t of ``|Y(t) - (Y(t - 1) + Y(t + 1)) / 2|``, with Y the mean luminance of a
    frame: the distance of a frame from the middle of its neighbours. Triples across a scene's beginning do
    not count; light that strobes so much that every frame begins a scene is not measured.
    """

    def __init__(self) -> None:
        self._recent: list[float] = []
        self._total = 0.0
        self._count = 0

    def add(self, mean: float, begins_scene: bool) -> None:
        """Add the next frame by its mean luminance in [0, 1]."""
        self._recent = [mean] if begins_scene else [*self._recent[-2:], mean]
        if len(self._recent) == 3:
            before, here, after = self._recent
            self._total += abs(here - (before + after) / 2)
            self._count += 1

    @property
    def levels(self) -> float:
        """The flicker so far, in levels of 255; NaN if no scene has three frames yet."""
        return 255 * self._total / self._count if self._count else math.nan
