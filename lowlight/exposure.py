"""Exposure of finished images: a curve in linear light that keeps white, and the stops to a given mean."""

import torch
from torch import Tensor

from lowlight.colour import linear_to_srgb, srgb_to_linear

MOST_STOPS = 8.0
"""Largest change of exposure that :func:`stops_to_mean` returns."""

_HALVINGS = 20


def adjust_exposure(image: Tensor, stops: Tensor | float) -> Tensor:
    """Change the exposure of images.

    Linear light ``x`` becomes ``1 - (1 - x)^(2^stops)``: dark parts are multiplied by ``2^stops``, highlights
    roll off towards white and never clip, and two changes add up. 0 stops change nothing.

    Args:
        image: sRGB images of shape (B, 3, H, W) in [0, 1].
        stops: Change of exposure, a number or of shape (B, 1, 1, 1).

    Returns:
        Images of the same shape and range.
    """
    power = torch.as_tensor(stops, dtype=image.dtype, device=image.device).exp2()
    light = srgb_to_linear(image).clamp(0, 1)
    return linear_to_srgb(-torch.expm1(power * torch.log1p(-light)))


@torch.no_grad()
def stops_to_mean(image: Tensor, mean: Tensor | float) -> Tensor:
    """Return the change of exposure that gives each image a mean, shape (B, 1, 1, 1).

    Args:
        image: sRGB images of shape (B, 3, H, W) in [0, 1].
        mean: Mean to reach, over pixels and channels, in (0, 1), a number or of shape (B, 1, 1, 1).

    Returns:
        Stops in ±:data:`MOST_STOPS`, which a black image cannot reach its mean with.
    """
    low = torch.full((len(image), 1, 1, 1), -MOST_STOPS, dtype=image.dtype, device=image.device)
    high = -low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_dark = adjust_exposure(image, middle).mean(dim=(1, 2, 3), keepdim=True) < mean
        low, high = torch.where(is_dark, middle, low), torch.where(is_dark, high, middle)
    return (low + high) / 2
