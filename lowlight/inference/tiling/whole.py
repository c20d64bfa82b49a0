"""Views of a whole image that never hold all of it as floats."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lowlight.decoding.photo import Pixels
from lowlight.inference.pixels import floating, white_of
from lowlight.inference.tiling.grid import round_up
from lowlight.runtimes.tiling import WholeImage

BAND = 256
"""Least height of a band in rows."""


def whole_image(pixels: Pixels, longest: int, stride: int) -> WholeImage:
    """Return the views of pixels of shape (H, W, 3).

    Args:
        pixels: Integers, or float32 in [0, 1].
        longest: Longer side of the overview in pixels.
        stride: Stride of the network in pixels; bands begin at its multiples.
    """
    height, width = pixels.shape[:2]
    return WholeImage(
        height, width, partial(overview, pixels, longest), partial(_bands, pixels, round_up(BAND, stride))
    )


def overview(pixels: Pixels, longest: int) -> NDArray[np.float32]:
    """Shrink pixels to a float image of shape (1, 3, H, W), by whole factors first, which copies little.

    Only networks of torch ask for it.
    """
    import torch
    from torch.nn import functional as F

    factor = max(1, max(pixels.shape[:2]) // (2 * longest))
    height, width = (max(1, length // factor) for length in pixels.shape[:2])
    small = np.zeros((height, width, 3), np.float32)
    for down in range(min(factor, pixels.shape[0])):
        for across in range(min(factor, pixels.shape[1])):
            small += pixels[down::factor, across::factor][:height, :width]
    parts = min(factor, pixels.shape[0]) * min(factor, pixels.shape[1])
    image = torch.from_numpy(small).movedim(-1, 0)[None] / (parts * white_of(pixels))
    scale = min(1.0, longest / max(height, width))
    size = [max(1, round(length * scale)) for length in (height, width)]
    small = F.interpolate(image, size=size, mode="bilinear", antialias=True).clamp(0, 1).numpy()
    return small


def _bands(pixels: Pixels, height: int) -> Iterator[NDArray[np.float32]]:
    """Yield full-width bands of shape (1, 3, h, W) from top to bottom."""
    for top in range(0, len(pixels), height):
        yield floating(pixels[top : top + height])
