"""Losses on illuminations and on decompositions into reflectance and illumination.

An illumination has shape (B, 1, H, W), or (B, 3, H, W) if it is per channel; a reflectance has shape
(B, 3, H, W). Their product is the image. What a config may name is also a member of :mod:`lowlight.losses`.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.colour import luminance

Parts = tuple[Tensor, Tensor]
"""Reflectance and illumination."""


def guided_smoothness(illumination: Tensor, guide: Tensor, sigma: float = 0.1, size: int = 5) -> Tensor:
    """Return how much an illumination varies where an image does not.

    Each pixel is compared with its neighbours in a window. Their absolute differences, summed over channels,
    are weighted by a Gaussian of the distance of the guide's colours in YUV. The differences to each
    neighbour are averaged over pixels, and summed over neighbours.

    Args:
        illumination: Shape (B, C, H, W).
        guide: Images of shape (B, 3, H, W).
        sigma: Standard deviation of the Gaussian; the guide's colours are in [0, 1].
        size: Side of the window in pixels, odd.

    Reference:
        Ma et al., 2022, "Toward fast, flexible, and robust low-light image enhancement", Section 2.3.

    Differs from the paper: averages over pixels, as in the authors' code. Differs from that code: sigma is
    the paper's 0.1, not 10, which weights all neighbours alike; colours are converted pixel by pixel.
    """
    illumination, colours = illumination.float(), _yuv(guide)
    height, width = illumination.shape[-2:]
    reach = size // 2
    total = illumination.new_zeros(())
    for down in range(min(reach + 1, height)):
        for right in range(-reach if down else 1, reach + 1):
            if abs(right) >= width:
                continue
            left, stop = max(-right, 0), width - max(right, 0)
            one, other = (
                (image[..., : height - down, left:stop], image[..., down:, left + right : stop + right])
                for image in (illumination, colours)
            )
            distance = (other[0] - other[1]).square().sum(1)
            weight = (-distance / (2 * sigma**2)).exp()
            # Each pair counts for both of its pixels.
            total = total + 2 * (weight * (one[0] - one[1]).abs().sum(1)).mean()
    return total


def structure_smoothness(illumination: Tensor, reflectance: Tensor, steepness: float = 10.0) -> Tensor:
    """Return how much an illumination varies where the reflectance does not.

    The absolute differences of horizontal and of vertical neighbours are weighted by the exponential of minus
    ``steepness`` times those of the reflectance's luma, averaged in windows of 3 by 3 pixels.

    Args:
        illumination: Shape (B, C, H, W).
        reflectance: Shape (B, 3, H, W).
        steepness: Strength of the weights; 0 weights all pixels alike.

    Reference:
        Wei et al., 2018, "Deep Retinex decomposition for low-light enhancement", Equation 5.

    Differs from the authors' code: the image does not end in zeros, which would be edges at its border.
    """
    grey = luminance(reflectance)[:, None]
    total = grey.new_zeros(())
    for axis in (-2, -1):
        edges, steps = (image.float().diff(dim=axis).abs() for image in (grey, illumination))
        if not steps.numel():  # a line of pixels has no neighbours in one direction
            continue
        edges = F.avg_pool2d(edges, 3, stride=1, padding=1, count_include_pad=False)
        total = total + (steps * (-steepness * edges).exp()).mean()
    return total


def decomposition_loss(
    low: Tensor,
    high: Tensor,
    of_low: Parts,
    of_high: Parts,
    cross: float = 0.001,
    reflectance: float = 0.01,
    smoothness: float = 0.1,
) -> Tensor:
    """Return the loss of the decompositions of a dark image and its reference, which share a reflectance.

    Either product must be its image (weight 1), also with the other image's reflectance (``cross``); the
    reflectances must be equal; the illuminations must be smooth, see :func:`structure_smoothness`. All
    differences are mean absolute errors.

    Args:
        low: Dark images of shape (B, 3, H, W) in [0, 1].
        high: References of the same shape.
        of_low: Reflectance and illumination of the dark images.
        of_high: Those of the references.
        cross: Weight of the two reconstructions with the other image's reflectance.
        reflectance: Weight of the difference of the reflectances.
        smoothness: Weight of the smoothness of either illumination.

    Reference:
        Wei et al., 2018 (see :func:`structure_smoothness`), Equations 1 to 4.

    Differs from the paper: the reflectances' weight is 0.01, as in the authors' code.
    """
    (dark, dim), (bright, lit) = of_low, of_high
    reconstruction = F.l1_loss(dark * dim, low) + F.l1_loss(bright * lit, high)
    crossed = F.l1_loss(bright * dim, low) + F.l1_loss(dark * lit, high)
    smooth = structure_smoothness(dim, dark) + structure_smoothness(lit, bright)
    return reconstruction + cross * crossed + reflectance * F.l1_loss(dark, bright) + smoothness * smooth


def _yuv(image: Tensor) -> Tensor:
    """Convert RGB of shape (B, 3, H, W) to BT.601 YUV."""
    grey = luminance(image)
    red, _, blue = image.float().unbind(1)
    return torch.stack([grey, 0.492 * (blue - grey), 0.877 * (red - grey)], dim=1)
