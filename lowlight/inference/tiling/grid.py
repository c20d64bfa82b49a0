"""Where tiles lie along an axis, and how they are blended."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

RAMP = 32
"""Pixels over which neighbouring tiles are blended, at least."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels: what it sees, what of that is kept, and with what weights."""

    window: slice
    kept: slice
    weights: Tensor

    @property
    def inner(self) -> slice:
        """What is kept, counted from the window's start."""
        return slice(self.kept.start - self.window.start, self.kept.stop - self.window.start)


@dataclass(frozen=True)
class Grid:
    """Tiles of one size, all starting on the network's stride.

    Args:
        stride: Of the network, in pixels.
        halo: Pixels at a window's rim that are thrown away: its receptive field's radius.
    """

    stride: int
    halo: int

    @property
    def margin(self) -> int:
        """What a window sees beyond its step on either side: the halo and half the ramp, on the stride."""
        return round_up(self.halo + RAMP // 2, self.stride)

    @property
    def ramp(self) -> int:
        """Pixels that two neighbours both keep."""
        return 2 * (self.margin - self.halo)

    @property
    def smallest(self) -> int:
        """The smallest window's side: it keeps a ramp at both ends."""
        return 2 * self.margin + round_up(max(64, self.ramp), self.stride)

    def spans(self, length: int, side: int, start: int = 0) -> list[Span]:
        """Cover pixels ``start`` to ``length`` by windows of at most ``side`` pixels, evenly.

        Borders of the image stay a window's own; nothing is thrown away there.

        Args:
            length: Of the image along this axis.
            side: At least ``smallest``.
            start: First pixel that is wanted.
        """
        origin = max(0, (start - self.halo) // self.stride * self.stride)
        inside = length - origin - 2 * self.margin
        longest = (side - 2 * self.margin) // self.stride * self.stride
        step = round_up(-(-inside // -(-inside // longest)), self.stride) if inside > longest else longest
        count = max(1, -(-inside // step))
        starts = [origin + number * step for number in range(count)]
        stops = [first + step + 2 * self.margin for first in starts[:-1]] + [length]
        keeps = [start, *(first + self.halo for first in starts[1:])]
        kept_stops = [*(stop - self.halo for stop in stops[:-1]), length]
        return [
            Span(slice(a, b), slice(c, d), self._weights(d - c, number > 0, number < count - 1))
            for number, (a, b, c, d) in enumerate(zip(starts, stops, keeps, kept_stops, strict=True))
        ]

    def _weights(self, length: int, rises: bool, falls: bool) -> Tensor:
        weights = torch.ones(length)
        slope = (torch.arange(self.ramp) + 0.5) / self.ramp
        if rises:
            weights[: self.ramp] = slope
        if falls:
            weights[length - self.ramp :] = slope.flip(0)
        return weights


def round_up(length: int, stride: int) -> int:
    """Return the smallest multiple of the stride that is not below the length."""
    return -(-length // stride) * stride


def finished(spans: Sequence[Span], number: int) -> int:
    """Return the pixel before which nothing comes after the tile of that number."""
    end: int = spans[number + 1].kept.start if number + 1 < len(spans) else spans[number].kept.stop
    return end
