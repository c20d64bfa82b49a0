"""Conversion of pixel arrays to float images."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlight.decoding.photo import Pixels


def floating(window: Pixels) -> Tensor:
    """Convert pixels of shape (H, W, 3) to a float image (1, 3, H, W) in [0, 1]; floats are not copied."""
    if window.dtype == np.float32:
        return torch.from_numpy(window).movedim(-1, 0)[None]
    return torch.from_numpy(window.astype(np.float32)).movedim(-1, 0)[None].div_(white_of(window))


def white_of(pixels: NDArray[Any]) -> int:
    """Return the pixel value of white: the largest integer of the type, or 1 for floats."""
    return 1 if pixels.dtype.kind == "f" else int(np.iinfo(pixels.dtype).max)
