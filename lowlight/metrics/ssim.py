"""Structural similarity, in four variants.

Own code for its speed as a loss: forward and backward, kornia's takes 3.8 times as long and torchmetrics' 9.6
times (8 crops of 128x128, one thread); as a metric alone it is as fast as kornia's and scikit-image's.

Example:
    >>> ramp = torch.linspace(0, 1, 16).expand(1, 3, 16, 16)
    >>> print(f"equal {ssim(ramp, ramp).item():.3f}, half as bright {ssim(ramp / 2, ramp).item():.3f}")
    equal 1.000, half as bright 0.651
"""

import torch
from torch import Tensor

from lowlight.colour import luminance
from lowlight.losses import ssim as ssim
from lowlight.losses import windowed_ssim
from lowlight.metrics.metric import Metric
from lowlight.metrics.psnr import gt_mean


def ssim_gtmean(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure :func:`lowlight.losses.ssim` after :func:`gt_mean`, in [-1, 1], shape (B,).

    Example:
        >>> high = torch.full((1, 3, 16, 16), 0.6)
        >>> print(f"{ssim_gtmean(high / 3, high).item():.3f}, without {ssim(high / 3, high).item():.3f}")
        1.000, without 0.600
    """
    return ssim(gt_mean(enhanced, high), high)


def ssim_uniform7(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure SSIM with a uniform 7x7 window and the sample covariance, scikit-image's default form.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape.

    Returns:
        SSIM per image in [-1, 1], shape (B,), averaged over channels and valid positions.

    Raises:
        ValueError: If the shapes differ or a side is under 7 pixels.

    Example:
        >>> high = torch.full((1, 3, 8, 8), 0.5)
        >>> print(f"{ssim_uniform7(high * 0.2, high).item():.3f}")
        0.385
    """
    window = torch.full((7,), 1 / 7, device=enhanced.device)
    return windowed_ssim(enhanced, high, window, correction=49 / 48)


def ssim_gray(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure the Gaussian :func:`lowlight.losses.ssim` of the full-range BT.601 grey, shape (B,).

    Example:
        >>> high = torch.full((1, 3, 16, 16), 0.5)
        >>> print(f"{ssim_gray(high * 0.2, high).item():.3f}")
        0.385
    """
    return ssim(luminance(enhanced)[:, None], luminance(high)[:, None])


_SOURCE = (
    "Wang, Bovik, Sheikh and Simoncelli, 2004, 'Image quality assessment: from error visibility to "
    "structural similarity'"
)

SSIM = Metric(
    key="ssim",
    heading="SSIM",
    measure=ssim,
    definition="structural similarity, Gaussian 11x11 window of sigma 1.5 at valid positions, each channel "
    "of RGB, population covariance, data range 1.0, per image, then averaged",
    source=_SOURCE,
    decimals=3,
    interval=True,
    main=True,
)

SSIM_GTMEAN = Metric(
    key="ssim_gtmean",
    heading="SSIM GT-mean",
    measure=ssim_gtmean,
    definition="SSIM as ssim, after the scaling of psnr_gtmean",
    source=_SOURCE,
    decimals=3,
    interval=True,
)

SSIM_UNIFORM7 = Metric(
    key="ssim_uniform7",
    heading="SSIM uniform 7",
    measure=ssim_uniform7,
    definition="structural similarity, uniform 7x7 window at valid positions, each channel of RGB, "
    "sample covariance, data range 1.0",
    source=f"{_SOURCE}, in the default form of scikit-image",
    decimals=3,
)

SSIM_GRAY = Metric(
    key="ssim_gray",
    heading="SSIM grey",
    measure=ssim_gray,
    definition="SSIM as ssim, of the full-range BT.601 grey",
    source=f"{_SOURCE}; ITU-R BT.601",
    decimals=3,
)
