"""Peak signal-to-noise ratio of an enhanced image against its reference, in three variants.

Published tables mix the variants under one name; on the same outputs they differ by up to 3.5 dB.
"""

import math

import torch
from torch import Tensor

from lowlight.colour import luminance
from lowlight.images import round_to_8_bits
from lowlight.metrics.metric import Metric


def psnr(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure the peak signal-to-noise ratio of each image, over all its pixels and channels.

    ``-10 log10(mean((enhanced - high)^2))`` for a peak of 1.

    Args:
        enhanced: Enhanced images of shape (B, C, H, W) in [0, 1].
        high: Reference images of the same shape.

    Returns:
        PSNR per image in dB, shape (B,); infinite for equal images.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> high = torch.full((1, 3, 4, 4), 0.5)
        >>> print(f"{psnr(high + 0.1, high).item():.2f} dB")
        20.00 dB
    """
    if enhanced.shape != high.shape:
        raise ValueError(f"PSNR compares equal shapes, got {tuple(enhanced.shape)} and {tuple(high.shape)}")
    error = (enhanced.float() - high.float()).square().flatten(1).mean(1)
    return -10 * torch.log10(error)


def psnr_y(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure the PSNR of the BT.601 luma in its studio range.

    ``Y = (16 + 219 (0.299 R + 0.587 G + 0.114 B)) / 255``, the form of MATLAB's ``rgb2ycbcr`` and BasicSR's
    ``test_y_channel``. With full-range luma every value would be 20 log10(255 / 219) = 1.32 dB lower: the
    errors are larger for the same peak.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape.

    Returns:
        PSNR per image in dB, shape (B,).

    Example:
        >>> high = torch.full((1, 3, 4, 4), 0.5)
        >>> print(f"{psnr_y(high + 0.1, high).item():.2f} dB")
        21.32 dB
    """
    return psnr(luminance(enhanced)[:, None], luminance(high)[:, None]) + 20 * math.log10(255 / 219)


def gt_mean(enhanced: Tensor, high: Tensor) -> Tensor:
    """Scale each enhanced image to its reference's mean over all pixels and channels.

    The score of the result ignores the exposure. It uses the reference, which no method has, so it is never
    a headline score. The image is rounded to 8 bits, scaled, clamped and rounded again; black stays black.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape.

    Returns:
        Scaled images of the same shape.

    Differs from other code: six variants are in use (mean of the grey image, mean per channel, no clamping
    or rounding), which spread over 0.7 dB on the same outputs.
    """
    image = round_to_8_bits(enhanced)
    mean = image.mean((1, 2, 3), keepdim=True)
    ratio = high.float().mean((1, 2, 3), keepdim=True) / mean.clamp(min=1e-12)
    return round_to_8_bits(image * ratio)


def psnr_gtmean(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure :func:`psnr` after :func:`gt_mean`, in dB, shape (B,).

    Example:
        >>> high = torch.tensor([102, 153, 204.0]).view(1, 3, 1, 1) / 255
        >>> psnr_gtmean(high / 3, high)
        tensor([inf])
    """
    return psnr(gt_mean(enhanced, high), high)


PSNR = Metric(
    key="psnr",
    heading="PSNR",
    measure=psnr,
    definition="peak signal-to-noise ratio in dB, RGB, per image, then averaged",
    source="Huynh-Thu and Ghanbari, 2008, 'Scope of validity of PSNR in image/video quality assessment'",
    decimals=2,
    unit="dB",
    interval=True,
    main=True,
)

PSNR_Y = Metric(
    key="psnr_y",
    heading="PSNR Y",
    measure=psnr_y,
    definition="PSNR in dB of the studio-range BT.601 luma (16 to 235 of 255), peak 255; 1.32 dB above that "
    "of the full-range luma",
    source="ITU-R BT.601",
    decimals=2,
    unit="dB",
)

PSNR_GTMEAN = Metric(
    key="psnr_gtmean",
    heading="PSNR GT-mean",
    measure=psnr_gtmean,
    definition="PSNR in dB after the 8-bit output was scaled to its reference's mean over all pixels and "
    "channels, clamped and rounded again",
    source="protocol of Zhang, Zhang and Guo, 2019, 'Kindling the darkness: a practical low-light image "
    "enhancer' (KinD)",
    decimals=2,
    unit="dB",
    interval=True,
    main=True,
)
