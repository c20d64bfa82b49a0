"""Losses that need no reference, on images and on maps of illumination curves.

Those of images have the arguments of every loss, see :func:`lowlight.losses.apply_loss`, and do not use
``high``, so any network can be trained by them. They are also members of :mod:`lowlight.losses`.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def spatial_consistency(enhanced: Tensor, high: Tensor, low: Tensor, size: int = 4) -> Tensor:
    """Return how far the contrast between neighbouring regions differs from the dark image's.

    Regions are squares of ``size`` pixels. For each, the squared differences of its contrast to the regions
    above, below, left and right are summed; the loss is the mean over regions.

    Args:
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: Not used.
        low: Dark images of the same shape.
        size: Side of a region in pixels; smaller images are one region.

    Reference:
        Guo et al., 2020, "Zero-reference deep curve estimation for low-light image enhancement", Equation 5.

    Differs from the paper: contrasts are signed, as in the authors' code, so that an inverted edge counts.
    Differs from that code: beyond the border of an image is nothing, where the code sees black.
    """
    del high
    change = _regions(enhanced.float().mean(1, keepdim=True) - low.float().mean(1, keepdim=True), size)
    pairs = [change.diff(dim=axis).square().flatten(1).sum(1) for axis in (-2, -1)]
    # Each pair of neighbours counts for both of its regions.
    return torch.stack(pairs).sum(0).mul(2 / change[0].numel()).mean()


def exposure_control(enhanced: Tensor, high: Tensor, level: float = 0.6, size: int = 16) -> Tensor:
    """Return the mean squared distance of the regions' mean brightness from a level.

    Args:
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: Not used.
        level: Well-exposed brightness in [0, 1].
        size: Side of a region in pixels; smaller images are one region.

    Reference:
        Guo et al., 2020 (see :func:`spatial_consistency`), Equation 6.

    Differs from the paper: squares, as in the authors' code, for which the weights are meant.
    """
    del high
    return (_regions(enhanced.float().mean(1, keepdim=True), size) - level).square().mean()


def colour_constancy(enhanced: Tensor, high: Tensor) -> Tensor:
    """Return how far the channels' means are apart (grey-world assumption), averaged over images.

    Per image it is the norm of the three squared differences between the means of R, G and B.

    Reference:
        Guo et al., 2020 (see :func:`spatial_consistency`), Equation 7.

    Differs from the paper: the norm of the squares, as in the authors' code, not their sum.
    """
    del high
    mean = enhanced.float().mean((2, 3))
    squares = (mean - mean.roll(1, dims=1)).square()
    distance: Tensor = torch.linalg.vector_norm(squares, dim=1)
    return distance.mean()


def illumination_smoothness(maps: Tensor) -> Tensor:
    """Return the total variation of curve maps, summed over the maps and averaged over images.

    It is twice the mean squared difference of vertical plus that of horizontal neighbours.

    Args:
        maps: Curve maps of shape (B, C, H, W).

    Reference:
        Guo et al., 2020 (see :func:`spatial_consistency`), Equation 8.

    Differs from the paper: the squares of both directions are summed, as in the authors' code.
    """
    differences = [maps.float().diff(dim=axis) for axis in (-2, -1)]
    # A line of pixels has no neighbours in one direction.
    means = [one.square().sum((2, 3)) / max(one[0, 0].numel(), 1) for one in differences]
    return 2 * torch.stack(means).sum((0, 2)).mean()


def _regions(image: Tensor, size: int) -> Tensor:
    """Average images over squares of ``size`` pixels; an incomplete square at the edge is left out."""
    height, width = image.shape[-2:]
    return F.avg_pool2d(image, (min(size, height), min(size, width)))
