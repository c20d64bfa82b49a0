"""Enhancing the pixels of a photograph."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lowlight.inference.engines import Enhancer
from lowlight.inference.photo import Pixels


def enhance_array(
    enhancer: Enhancer, pixels: Pixels, *, finish: Callable[[Tensor, Tensor], Tensor]
) -> Pixels:
    """Enhance RGB pixels of shape (H, W, 3), uint8 or uint16, whole.

    Args:
        enhancer: What enhances.
        pixels: The photograph.
        finish: Makes what is rounded from the image and its enhancement, both (1, 3, H, W).

    Returns:
        Pixels of the same shape and type.
    """
    white = int(np.iinfo(pixels.dtype).max)
    low = torch.from_numpy(pixels.astype(np.float32)).movedim(-1, 0)[None] / white
    enhanced = finish(low, enhancer.enhance(low))
    return enhanced[0].mul(white).round().movedim(0, -1).numpy().astype(pixels.dtype)
