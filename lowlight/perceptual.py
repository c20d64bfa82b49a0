"""Losses of structure: SSIM in disjoint blocks.

``enhanced`` is a network's raw output of shape (B, 3, H, W), any range; ``high`` is its reference, same
shape, in [0, 1]. See :mod:`lowlight.losses` for the others.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.colour import luminance

__all__ = ["block_ssim_loss"]


def block_ssim_loss(
    enhanced: Tensor,
    high: Tensor,
    channels: int = 3,
    size: int = 8,
    stride: int = 8,
    c1: float = 1e-4,
    c2: float = 1e-3,
) -> Tensor:
    """Return one minus the mean SSIM of square windows of equal weights, LLCNN's loss.

    Args:
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: References of the same shape in [0, 1].
        channels: 1 to compare the BT.601 luma, 3 to average over red, green and blue.
        size: Side of the windows in pixels.
        stride: Distance of neighbouring windows in pixels; pixels beyond the last whole window do not count.
        c1: Constant of the luminance term.
        c2: Constant of the contrast term.

    Returns:
        The loss in [0, 2], a scalar.

    Raises:
        ValueError: If ``channels`` is neither 1 nor 3, or a side is shorter than a window.

    Reference:
        Wang et al., 2004, "Image quality assessment: from error visibility to structural similarity",
        Equation 13; Tao et al., 2017, "LLCNN: a convolutional neural network for low-light image
        enhancement", windows and constants by the authors' published Caffe model.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 (luma) or 3 (RGB), got {channels}")
    if min(enhanced.shape[-2:]) < size:
        sides = "x".join(map(str, enhanced.shape[-2:]))
        raise ValueError(f"SSIM in windows of {size} pixels needs sides of at least as many, got {sides}")
    x, y = (luminance(image)[:, None] if channels == 1 else image.float() for image in (enhanced, high))
    # Subtracting the mean changes nothing but rounding: small variances keep their precision.
    level_x, level_y = (image.detach().mean((-2, -1), keepdim=True) for image in (x, y))
    x, y = x - level_x, y - level_y
    with torch.autocast(x.device.type, enabled=False):
        means = F.avg_pool2d(torch.cat((x, y, x * x + y * y, x * y), dim=1), size, stride)
    mean_x, mean_y, squares, products = means.chunk(4, dim=1)
    variances, covariance = squares - mean_x.square() - mean_y.square(), products - mean_x * mean_y
    mean_x, mean_y = mean_x + level_x, mean_y + level_y
    brightness = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    contrast = (2 * covariance + c2) / (variances.clamp(min=0) + c2)
    return 1 - (brightness * contrast).mean()
