"""Pixel arrays and their conversion to float images."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.unsignedinteger[Any]]
"""Whole numbers of 8 or 16 bits."""


def floating(window: Pixels) -> Tensor:
    """Return pixels, (H, W, 3), as a float image of shape (1, 3, H, W) in [0, 1]; floats are not copied."""
    if window.dtype == np.float32:
        return torch.from_numpy(window).movedim(-1, 0)[None]
    return torch.from_numpy(window.astype(np.float32)).movedim(-1, 0)[None].div_(white_of(window))


def white_of(pixels: NDArray[Any]) -> int:
    """Return the value that stands for 1: the largest of whole numbers, 1 of floats."""
    return 1 if pixels.dtype.kind == "f" else int(np.iinfo(pixels.dtype).max)
