"""Views of a whole image that never hold all of it as floats."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lowlight.decoding.photo import Pixels
from lowlight.inference.pixels import floating, shrunk
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

    image = torch.from_numpy(floating(shrunk(pixels, 2 * longest)))
    scale = min(1.0, longest / max(image.shape[-2:]))
    size = [max(1, round(length * scale)) for length in image.shape[-2:]]
    small: NDArray[np.float32] = (
        F.interpolate(image, size=size, mode="bilinear", antialias=True).clamp(0, 1).numpy()
    )
    return small


def _bands(pixels: Pixels, height: int) -> Iterator[NDArray[np.float32]]:
    """Yield full-width bands of shape (1, 3, h, W) from top to bottom."""
    for top in range(0, len(pixels), height):
        yield floating(pixels[top : top + height])
