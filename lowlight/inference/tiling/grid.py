"""Positions of tiles along an axis, and the weights that blend them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RAMP = 32
"""Smallest width of the ramp over which neighbouring tiles are blended, in pixels."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels of the image.

    Attributes:
        window: Pixels that the network sees.
        kept: Pixels of the window that are used.
        weights: Blending weight per kept pixel, in [0, 1].
    """

    window: slice
    kept: slice
    weights: NDArray[np.float32]

    @property
    def inner(self) -> slice:
        """The kept pixels, counted from the window's start."""
        return slice(self.kept.start - self.window.start, self.kept.stop - self.window.start)


@dataclass(frozen=True)
class Grid:
    """Tiles of one size, all starting on multiples of the network's stride.

    Args:
        stride: Stride of the network in pixels.
        halo: Pixels discarded at a window's rim: the radius of the receptive field.
    """

    stride: int
    halo: int

    @property
    def margin(self) -> int:
        """Pixels beyond a window's step on either side: halo and half the ramp, rounded up to the stride."""
        return round_up(self.halo + RAMP // 2, self.stride)

    @property
    def ramp(self) -> int:
        """Width of the overlap that two neighbours both keep, in pixels."""
        return 2 * (self.margin - self.halo)

    @property
    def smallest(self) -> int:
        """Side of the smallest window in pixels: it keeps a ramp at both ends."""
        return 2 * self.margin + round_up(max(64, self.ramp), self.stride)

    def spans(self, length: int, side: int, start: int = 0) -> list[Span]:
        """Cover pixels ``start`` to ``length`` evenly by windows of at most ``side`` pixels.

        At the image's borders nothing is discarded.

        Args:
            length: Length of the axis in pixels.
            side: Largest side of a window in pixels, at least ``smallest``.
            start: First pixel to cover.
        """
        origin = max(0, (start - self.halo) // self.stride * self.stride)
        inside = length - origin - 2 * self.margin
        longest = (side - 2 * self.margin) // self.stride * self.stride
        step = longest
        if inside > longest:
            even = -(-inside // -(-inside // longest))
            step = round_up(max(even, self.ramp), self.stride)  # a tile keeps a ramp at both ends
        count = max(1, -(-inside // step))
        starts = [origin + number * step for number in range(count)]
        stops = [first + step + 2 * self.margin for first in starts[:-1]] + [length]
        keeps = [start, *(first + self.halo for first in starts[1:])]
        kept_stops = [*(stop - self.halo for stop in stops[:-1]), length]
        return [
            Span(slice(a, b), slice(c, d), self._weights(d - c, number > 0, number < count - 1))
            for number, (a, b, c, d) in enumerate(zip(starts, stops, keeps, kept_stops, strict=True))
        ]

    def _weights(self, length: int, rises: bool, falls: bool) -> NDArray[np.float32]:
        weights = np.ones(length, np.float32)
        slope = (np.arange(self.ramp, dtype=np.float32) + 0.5) / self.ramp
        if rises:
            weights[: self.ramp] = slope
        if falls:
            weights[length - self.ramp :] = slope[::-1]
        return weights


def round_up(length: int, stride: int) -> int:
    """Return the smallest multiple of the stride that is not below the length."""
    return -(-length // stride) * stride


def finished(spans: Sequence[Span], number: int) -> int:
    """Return the pixel up to which the image is final once the tile of that number is done."""
    end: int = spans[number + 1].kept.start if number + 1 < len(spans) else spans[number].kept.stop
    return end
