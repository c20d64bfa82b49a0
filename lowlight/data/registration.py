"""Detecting a shift between the dark image and the reference of a pair."""

import numpy as np
from numpy.typing import NDArray

from lowlight.colour import luma

Array = NDArray[np.float32]

LEAST_SHIFT = 4
"""Smallest shift reported, in pixels; measured at half size, shifts are accurate to two pixels."""

LEAST_GAIN = 0.1
"""Smallest gain in the edges' correlation for which a shift is accepted."""

LEAST_SIDE = 32
"""Shortest side, in pixels, of images that are checked."""


def shift(low: NDArray[np.uint8], high: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return the shift, in pixels, of a dark image against its reference.

    Phase correlation, at half size, of the edge strength in log-luminance, which exposure changes little. A
    peak is accepted only if the edges then correlate clearly better than unshifted.

    Args:
        low: The dark image, 8-bit, of shape (H, W, 3).
        high: Its reference, same shape.

    Returns:
        Pixels down and to the right; None for an aligned pair, or one too small or too uniform to judge.

    Reference:
        Kuglin and Hines, 1975, "The phase correlation image alignment method".
    """
    if min(low.shape[:2]) < LEAST_SIDE:
        return None
    dark, bright = _edges(low), _edges(high)
    down, across = _peak(dark, bright)
    if 2 * max(abs(down), abs(across)) < LEAST_SHIFT:
        return None
    gain = _correlation(dark, bright, down, across) - _correlation(dark, bright, 0, 0)
    return (2 * down, 2 * across) if gain > LEAST_GAIN else None


def _edges(pixels: NDArray[np.uint8]) -> Array:
    """Return the gradient's strength in log-luminance at half size."""
    height, width = (side - side % 2 for side in pixels.shape[:2])
    grey = np.log(luma(pixels[:height, :width].astype(np.float32)) + 2)
    grey = grey.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    strength: Array = np.zeros_like(grey)
    strength[1:-1, 1:-1] = np.hypot(grey[2:, 1:-1] - grey[:-2, 1:-1], grey[1:-1, 2:] - grey[1:-1, :-2])
    return strength


def _peak(dark: Array, bright: Array) -> tuple[int, int]:
    """Return the peak of the phase correlation as a shift down and across."""
    window = np.outer(*(np.hanning(side) for side in dark.shape)).astype(np.float32)
    first, second = (np.fft.rfft2((image - image.mean()) * window) for image in (dark, bright))
    cross = first * second.conj()
    magnitude = np.abs(cross)
    surface = np.fft.irfft2(cross / (magnitude + 1e-9 * magnitude.max() + 1e-30), s=dark.shape)
    place = np.unravel_index(int(surface.argmax()), dark.shape)
    down, across = (
        int(at) if at <= side // 2 else int(at) - side for at, side in zip(place, dark.shape, strict=True)
    )
    return down, across


def _correlation(dark: Array, bright: Array, down: int, across: int) -> float:
    """Return the Pearson correlation of the overlap of two images after a shift."""
    height, width = dark.shape
    first = dark[max(down, 0) : height + min(down, 0), max(across, 0) : width + min(across, 0)]
    second = bright[max(-down, 0) : height + min(-down, 0), max(-across, 0) : width + min(-across, 0)]
    first, second = first - first.mean(), second - second.mean()
    return float((first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum() + 1e-12))
