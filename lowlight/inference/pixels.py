"""Conversion of pixel arrays to float images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def floating(window: NDArray[Any]) -> NDArray[np.float32]:
    """Convert pixels of shape (H, W, 3) to a float image (1, 3, H, W) in [0, 1]; floats are not copied."""
    values = window.astype(np.float32, copy=False)
    if window.dtype != np.float32:
        values /= white_of(window)
    return np.moveaxis(values, -1, 0)[None]


def shrunk(pixels: NDArray[Any], longest: int) -> NDArray[np.float32]:
    """Average pixels of shape (H, W, 3) over blocks, which copies little; floats in [0, 1].

    Args:
        pixels: Integers, or float32 in [0, 1].
        longest: Longer side of the result in pixels, at least, and less than twice that.
    """
    factor = max(1, max(pixels.shape[:2]) // longest)
    height, width = (max(1, length // factor) for length in pixels.shape[:2])
    down, across = (min(factor, length) for length in pixels.shape[:2])
    small = np.zeros((height, width, 3), np.float32)
    for row in range(down):
        for column in range(across):
            small += pixels[row::factor, column::factor][:height, :width]
    small /= down * across * white_of(pixels)
    return small


SAMPLES = 2**16
"""Pixels, at most, that stand for an image where its brightness is measured."""


def sampled(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return pixels of shape (H, W, 3) as one row, shape (1, N, 3); if there are many, some drawn at random.

    Those of all images of one size lie in the same places. A regular grid could meet a pattern's own.

    Args:
        pixels: Integers or floats.
    """
    height, width = pixels.shape[:2]
    if height * width <= SAMPLES:
        return pixels.reshape(1, -1, 3)
    places = np.random.default_rng(0).integers(height * width, size=SAMPLES)
    drawn: NDArray[Any] = pixels[places // width, places % width]
    return drawn[None]


def store(image: NDArray[np.float32], pixels: NDArray[Any]) -> None:
    """Store a float image (3, H, W) in [0, 1] in pixels of shape (H, W, 3), rounded if they are integers."""
    if pixels.dtype.kind != "f":
        image = image * np.float32(white_of(pixels))
        np.rint(image, out=image)
    pixels[...] = np.moveaxis(image, 0, -1)


def white_of(pixels: NDArray[Any]) -> int:
    """Return the pixel value of white: the largest integer of the type, or 1 for floats."""
    return 1 if pixels.dtype.kind == "f" else int(np.iinfo(pixels.dtype).max)
