"""Conversion of pixel arrays to float images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.decoding.photo import Pixels


def floating(window: Pixels) -> NDArray[np.float32]:
    """Convert pixels of shape (H, W, 3) to a float image (1, 3, H, W) in [0, 1]; floats are not copied."""
    values = window.astype(np.float32, copy=False)
    if window.dtype != np.float32:
        values /= white_of(window)
    return np.moveaxis(values, -1, 0)[None]


def white_of(pixels: NDArray[Any]) -> int:
    """Return the pixel value of white: the largest integer of the type, or 1 for floats."""
    return 1 if pixels.dtype.kind == "f" else int(np.iinfo(pixels.dtype).max)
