"""How much of a reference's small-scale structure, such as characters, a picture still shows."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.colour import luminance

WINDOW = 15
"""Side of the windows in pixels, about a character of the drawn plates."""

_FLOOR = 1e-5
"""Variance of luma below which structure cannot be told from rounding to 8 bits."""


def legibility(image: Tensor, high: Tensor) -> Tensor:
    """Measure how well fine structure of a reference correlates with a picture of it.

    The luma of both, averaged over 3x3 pixels, is correlated in windows of 15x15 pixels; the windows'
    correlations are averaged, weighted by the reference's variance there, so that flat ground does not count.
    Correlation ignores brightness and contrast: a dark or pale plate without noise is as legible as a bright
    one, but blur, noise, coarse pixels, and clipped or hidden characters lower it.

    Args:
        image: Pictures of shape (B, 3, H, W) in [0, 1].
        high: References of the same shape and range.

    Returns:
        Weighted mean correlation per image in [-1, 1], shape (B,); 0 for a reference without structure.
    """
    shown, wanted = (_smooth(luminance(one)[:, None], 3) for one in (image, high))

    means = _smooth(shown), _smooth(wanted)
    seen = (_smooth(shown.square()) - means[0].square()).clamp(min=0)
    there = (_smooth(wanted.square()) - means[1].square()).clamp(min=0)
    common = _smooth(shown * wanted) - means[0] * means[1]
    correlation = common / torch.sqrt((seen + _FLOOR) * (there + _FLOOR))
    weights = (there - _FLOOR).clamp(min=0)
    return (correlation * weights).sum((1, 2, 3)) / weights.sum((1, 2, 3)).clamp(min=1e-12)


def _smooth(values: Tensor, size: int = WINDOW) -> Tensor:
    """Average over windows of odd side ``size``, at the edge over what there is."""
    return F.avg_pool2d(values, size, 1, size // 2, count_include_pad=False)
