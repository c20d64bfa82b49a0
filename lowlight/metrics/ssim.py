"""Structural similarity by variant."""

import torch
from torch import Tensor

from lowlight.colour import luminance
from lowlight.losses import ssim as ssim
from lowlight.losses import windowed_ssim
from lowlight.metrics.psnr import gt_mean


def ssim_gtmean(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure :func:`lowlight.losses.ssim` after :func:`gt_mean`, in [-1, 1], of shape (B,)."""
    return ssim(gt_mean(enhanced, high), high)


def ssim_uniform7(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure SSIM with a uniform 7x7 window and the sample covariance: scikit-image's default form.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape.

    Returns:
        Similarities in [-1, 1], of shape (B,), averaged over channels and valid positions.

    Raises:
        ValueError: If the shapes differ or a side is under 7 pixels.
    """
    window = torch.full((7,), 1 / 7, device=enhanced.device)
    return windowed_ssim(enhanced, high, window, correction=49 / 48)


def ssim_gray(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure the Gaussian :func:`lowlight.losses.ssim` of the full-range BT.601 grey, of shape (B,)."""
    return ssim(luminance(enhanced)[:, None], luminance(high)[:, None])
