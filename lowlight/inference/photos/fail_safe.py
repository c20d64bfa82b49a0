"""Fail-safe: is a photograph dark, and is its enhancement sound?

A photograph is judged by its parts, not by its mean: the mean luma of small blocks says whether it is dark
throughout, or black in one part and bright in another, as a foreground before a sky is. An enhancement is
compared with its photograph pixel by pixel and block by block. ``experiments/fail-safe`` has the shares of
2,615 photographs and of enhancements, sound and damaged, on each side of the limits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.colour import luma
from lowlight.decoding.photo import Pixels
from lowlight.inference.pixels import white_of

REASONS = {
    "not_dark": "the photograph is bright already",
    "not_finite": "the method failed on this photograph: part of its output is not a number",
    "clipped": "more than half of the photograph would have become pure white or black",
    "colour_cast": "the result would have had a strong colour cast",
    "darker": "the dark parts would have become darker",
    "hazy": "the result would have been a haze, with little left of the photograph's contrast",
    "noisy": "the result would have been covered by noise that is not the photograph's",
    "undamaged": "the plate needs no work",
    "unreadable": "the plate cannot be read, and characters must not be made up",
}
"""Explanation of each reason for keeping the original, keyed by its code."""

BLOCKS = 64
"""Least number of blocks along the longer side; the luma of a block is the mean of its pixels."""

DIM = 0.25
"""A photograph is dark if half of its blocks have a BT.601 luma below this; 99 % of the dark images of LOL
and of bracketed exposures do, 8 % of BSDS500's photographs and 2 % of LOL's references."""
BLACK = 0.15
"""Luma below which a block is black."""
BLACK_SHARE = 0.22
"""A photograph is also dark if it is back-lit: at least this share of its blocks is black and at least
:data:`BRIGHT_SHARE` is bright."""
BRIGHT = 0.5
"""Luma from which a block is bright."""
BRIGHT_SHARE = 0.25
"""See :data:`BLACK_SHARE`."""

CLIPPED = 0.5
"""Largest accepted share of pixels that an enhancement turns fully white or fully black."""
CAST = 0.25
"""Largest accepted change of a channel's share in the mean colour; LOL's references differ from its dark
images by at most 0.19."""
DARKENED = 0.9
"""Least accepted luma of the darker half of the blocks, relative to the photograph's."""
CONTRAST = 0.25
"""Least accepted contrast of the blocks (standard deviation by mean of their luma), relative to the
photograph's. References and the methods of lowlight have 0.31 and more, haze over 75 % has 0.20 and less."""
NOISE = 0.06
"""Largest accepted standard deviation of noise beyond the photograph's own noise times its gain."""

_FLAT = 0.05
"""Contrast below which a photograph has none to lose."""
_LEAST_LUMA = 0.01
"""Added to the luma of blocks, so that ratios of black ones stay finite."""
_LEAST_VALUE = 1 / 255
"""The same for pixels."""
_GAUSSIAN = 0.6745
"""Median of the absolute values of a normal distribution of standard deviation 1."""
_SAMPLES = 1_000_000


def why_not_dark(pixels: NDArray[Any]) -> str | None:
    """Return ``not_dark`` if a photograph of shape (H, W, 3) needs no enhancement, else None."""
    step = step_of(pixels)
    light = luma(pixels[::step, ::step].astype(np.float32) / np.float32(white_of(pixels)))
    blocks = _blocks(light, max(1, max(light.shape) // BLOCKS))
    is_dim = np.median(blocks) < DIM
    is_back_lit = (blocks < BLACK).mean() >= BLACK_SHARE and (blocks >= BRIGHT).mean() >= BRIGHT_SHARE
    return None if is_dim or is_back_lit else "not_dark"


class Comparison:
    """A photograph compared with its enhancement, which is given window by window.

    Args:
        pixels: The photograph, of shape (H, W, 3).
        brightens: Whether dark parts must not become darker.
    """

    def __init__(self, pixels: NDArray[Any], *, brightens: bool = True) -> None:
        self._brightens = brightens
        self._step = 2 * step_of(pixels)
        self._side = max(1, max(pixels.shape[:2]) // BLOCKS // self._step)
        self._colours: list[NDArray[np.float32]] = []
        self._blocks: list[NDArray[np.float32]] = []
        self._noise: list[NDArray[np.float32]] = []

    def add(self, low: NDArray[np.float32], enhanced: NDArray[np.float32]) -> None:
        """Add a window and its enhancement, both of shape (1, 3, H, W) in [0, 1]."""
        pair = np.concatenate((low, enhanced))
        rows, columns = (np.arange(0, length, self._step) for length in pair.shape[2:])
        below, right = np.minimum(rows + 1, pair.shape[2] - 1), np.minimum(columns + 1, pair.shape[3] - 1)
        a, b, c, d = (
            luma(np.moveaxis(pair[:, :, down[:, None], across], 1, -1))
            for down in (rows, below)
            for across in (columns, right)
        )
        means, details = (a + b + c + d) / 4, np.abs(a - b - c + d) / 2
        gain = (means[1] + _LEAST_VALUE) / (means[0] + _LEAST_VALUE)
        self._noise.append(np.stack((details[0] * gain, details[1])).reshape(2, -1))
        self._blocks.append(np.stack([_blocks(one, self._side).ravel() for one in means]))
        self._colours.append(pair[:, :, :: self._step, :: self._step].reshape(2, 3, -1))

    def why_not_sound(self) -> str | None:
        """Return what is wrong with the enhancement, a key of :data:`REASONS`, or None."""
        before, after = np.concatenate(self._colours, axis=-1).swapaxes(1, 2)
        if _clipped(after) - _clipped(before) > CLIPPED:
            return "clipped"
        if np.abs(_shares(after) - _shares(before)).max() > CAST:
            return "colour_cast"
        light, enhanced = np.concatenate(self._blocks, axis=-1)
        darker = light <= np.median(light)
        if self._brightens and enhanced[darker].mean() < DARKENED * light[darker].mean():
            return "darker"
        if _contrast(light) > _FLAT and _contrast(enhanced) < CONTRAST * _contrast(light):
            return "hazy"
        explained, noise = np.median(np.concatenate(self._noise, axis=-1), axis=-1) / _GAUSSIAN
        return "noisy" if noise - explained > NOISE else None


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


def _blocks(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Average an array of shape (H, W) over squares; those at the lower and right edge may be smaller."""
    for axis in (0, 1):
        starts = np.arange(0, values.shape[axis], side)
        lengths = np.diff(starts, append=values.shape[axis]).astype(np.float32)
        sums: NDArray[np.float32] = np.add.reduceat(values, starts, axis)
        values = np.divide(sums, lengths if axis else lengths[:, None], dtype=np.float32)
    return values


def _contrast(blocks: NDArray[np.float32]) -> float:
    return float(blocks.std() / (blocks.mean() + _LEAST_LUMA))


def _clipped(colours: NDArray[np.float32]) -> float:
    """Return the share of pixels that 8 bits would store as white or black, or next to it."""
    return float(((colours.min(1) >= 253.5 / 255) | (colours.max(1) <= 1.5 / 255)).mean())


def _shares(colours: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each channel's share in the mean colour, shape (3,); black counts as grey."""
    mean = colours.mean(0, dtype=np.float64) + 1e-3
    return np.asarray(mean / mean.sum())
