"""Statistics of natural scenes, from which NIQE and BRISQUE judge an image without a reference."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.colour import luminance

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns to the neighbours whose products are described: horizontal, vertical, both diagonals."""

_SHAPES = torch.arange(0.2, 10, 0.001, dtype=torch.float64)
"""Candidate shape parameters of the generalised Gaussian."""


def grey_and_half(image: Tensor, antialias: bool) -> tuple[Tensor, Tensor]:
    """Return the 8-bit BT.601 grey in [0, 255] at full and half size, (B, 1, H, W), float64.

    Args:
        image: Images of shape (B, 3, H, W) in [0, 1].
        antialias: Whether the bicubic kernel is widened to the reduction, as in MATLAB and Pillow; without,
            half size is that of OpenCV.
    """
    grey = luminance(image)[:, None].mul(255).round().double()
    half = F.interpolate(grey, scale_factor=0.5, mode="bicubic", antialias=antialias, align_corners=False)
    return grey, half


def normalised(grey: Tensor) -> Tensor:
    """Subtract the local mean and divide by the local deviation plus one, both in a 7x7 Gaussian window.

    Beyond the image there are zeros, so that values at its border are large.
    """
    offsets = torch.arange(-3, 4, device=grey.device, dtype=grey.dtype)
    window = torch.exp(-0.5 * offsets.square() / (7 / 6) ** 2)
    window = (window / window.sum()).view(1, 1, 1, 7)

    def blur(image: Tensor) -> Tensor:
        rows = F.conv2d(image, window, padding=(0, 3))
        return F.conv2d(rows, window.transpose(-1, -2), padding=(3, 0))

    mean = blur(grey)
    deviation = (blur(grey.square()) - mean.square()).abs().sqrt()
    return (grey - mean) / (deviation + 1)


def fit_asymmetric(values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fit an asymmetric generalised Gaussian to patches (B, N, P, Q) by the method of moments.

    Returns:
        Shape, mean, and root mean square left and right of zero, each (B, N).
    """
    values = values.flatten(-2)
    squares, negative = values.square(), values < 0
    left = _root_mean(squares, negative)
    right = _root_mean(squares, ~negative)
    ratio = left / right
    kurtosis = values.abs().mean(-1).square() / squares.mean(-1)
    shape = _nearest_shape(kurtosis * (ratio**3 + 1) * (ratio + 1) / (ratio.square() + 1).square())
    mean = (right - left) * width(shape) * torch.exp(torch.lgamma(2 / shape) - torch.lgamma(1 / shape))
    return shape, mean, left, right


def width(shape: Tensor) -> Tensor:
    """Return the width of a generalised Gaussian whose root mean square is 1."""
    return torch.exp((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2)


def _nearest_shape(wanted: Tensor) -> Tensor:
    """Return the candidate whose squared mean magnitude over mean square comes nearest to ``wanted``."""
    shape = _SHAPES.to(wanted.device)
    gamma1, gamma2, gamma3 = (torch.lgamma(k / shape) for k in (1, 2, 3))
    table = torch.exp(2 * gamma2 - gamma1 - gamma3)
    wanted = torch.where(wanted.isfinite(), wanted, table[0])  # a flat patch fits the first shape
    return shape[(wanted[..., None] - table).abs().argmin(-1)]


def _root_mean(squares: Tensor, chosen: Tensor) -> Tensor:
    """Return the root mean of the chosen squares, or 0 if none is chosen."""
    return (squares.where(chosen, 0.0).sum(-1) / chosen.sum(-1).clamp(min=1)).sqrt()
