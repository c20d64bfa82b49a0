"""Whether enhancement keeps which of two places is the lighter one."""

import torch
from torch import Tensor
from torch.nn import functional as F

SHORTER_SIDE = 50
"""Pixels that the shorter side is reduced to; the number of pairs compared grows with its fourth power."""

_ROWS = 512  # pixels compared with all others at a time, to bound the memory


def loe(enhanced: Tensor, low: Tensor) -> Tensor:
    """Measure the lightness-order error of each enhanced image against its dark input; 0 is best.

    Lightness is the greatest of the three channels, reduced to a shorter side of 50 pixels (a smaller image
    is taken as it is). For each pixel it is counted with how many others its order (lighter or equal) is not
    that of the input; the error is the mean count over pixels. It grows with the number of pixels: LOL's
    images have 50x75 of them, so 3,750 is the greatest possible.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        low: The dark images they were made from, of the same shape.

    Returns:
        Mean numbers of pixels, of shape (B,), at least 0.

    Reference:
        Wang, Zheng, Hu and Li, 2013, "Naturalness preserved enhancement algorithm for non-uniform
        illumination images", section on the lightness-order error.

    Differs from the paper: the reduction is antialiased bicubic; others sample or reduce to 100x100, so
    compare values of one implementation only.
    """
    return torch.stack([_error(*pair) for pair in zip(_lightness(enhanced), _lightness(low), strict=True)])


def _lightness(image: Tensor) -> Tensor:
    """Return the reduced greatest channel, one row of pixels an image: (B, h w)."""
    lightness = image.float().amax(1, keepdim=True)
    height, width = lightness.shape[-2:]
    scale = SHORTER_SIDE / min(height, width)
    if scale < 1:
        size = [max(round(height * scale), 1), max(round(width * scale), 1)]
        lightness = F.interpolate(lightness, size=size, mode="bicubic", antialias=True, align_corners=False)
    return lightness.flatten(1)


def _error(enhanced: Tensor, low: Tensor) -> Tensor:
    wrong = torch.zeros((), device=enhanced.device)
    for start in range(0, len(low), _ROWS):
        rows = slice(start, start + _ROWS)
        wrong += ((enhanced[rows, None] >= enhanced) != (low[rows, None] >= low)).sum()
    return wrong / len(enhanced)
