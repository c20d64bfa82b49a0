"""Lightness-order error: whether enhancement preserves which of two pixels is lighter."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.metrics.metric import Metric

SHORTER_SIDE = 50
"""Shorter side of the reduced image, pixels; the cost grows with its fourth power."""

_STEPS = 255 * 256
"""Steps in which lightness is compared: the reduction's rounding would put flat areas in a random order."""

_ROWS = 512
"""Pixels compared with all others at once; bounds the memory."""


def loe(enhanced: Tensor, low: Tensor) -> Tensor:
    """Measure the lightness-order error of each enhanced image against its dark input.

    Lightness is the greatest of the three channels, reduced to a shorter side of 50 pixels (smaller images
    keep their size). For each pixel, the other pixels are counted whose order relative to it (lighter or
    equal) differs from the input's; the error is the mean count over pixels. It grows with the number of
    pixels: an image of LOL is reduced to 50x75, so that its error is below 3,750.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        low: Dark inputs of the same shape.

    Returns:
        Error per image in pixels, shape (B,); 0 where the order is preserved.

    Reference:
        Wang, Zheng, Hu and Li, 2013, "Naturalness preserved enhancement algorithm for non-uniform
        illumination images", section on the lightness-order error.

    Differs from the paper: the reduction is antialiased bicubic, and rounded to 1/65280. Other
    implementations subsample or reduce to 100x100, so that only values of one implementation are comparable.

    Example:
        >>> low = torch.tensor([0.1, 0.2, 0.3]).expand(1, 3, 1, 3)
        >>> loe(low.sqrt(), low), loe(1 - low, low)
        (tensor([0.]), tensor([2.]))
    """
    return torch.stack([_error(*pair) for pair in zip(_lightness(enhanced), _lightness(low), strict=True)])


def _lightness(image: Tensor) -> Tensor:
    """Return the reduced greatest channel, flattened per image: (B, h w)."""
    lightness = image.float().amax(1, keepdim=True)
    height, width = lightness.shape[-2:]
    scale = SHORTER_SIDE / min(height, width)
    if scale < 1:
        size = [max(round(height * scale), 1), max(round(width * scale), 1)]
        lightness = F.interpolate(lightness, size=size, mode="bicubic", antialias=True, align_corners=False)
    return (lightness * _STEPS).round().flatten(1)


def _error(enhanced: Tensor, low: Tensor) -> Tensor:
    """Return the mean number of order violations per pixel of one flattened image, (h w,), as a scalar."""
    wrong = torch.zeros((), device=enhanced.device)
    for start in range(0, len(low), _ROWS):
        rows = slice(start, start + _ROWS)
        wrong += ((enhanced[rows, None] >= enhanced) != (low[rows, None] >= low)).sum()
    return wrong / len(enhanced)


LOE = Metric(
    key="loe",
    heading="LOE",
    measure=loe,
    definition="lightness-order error against the dark input, greatest channel reduced to a shorter side of "
    "50 pixels and rounded to 1/65280; lower is better",
    source="Wang, Zheng, Hu and Li, 2013, 'Naturalness preserved enhancement algorithm for non-uniform "
    "illumination images'",
    decimals=1,
    lower_is_better=True,
    against="low",
    ranked=False,  # an unchanged image has the best value
)
