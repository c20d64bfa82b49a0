"""Signal-to-noise ratio and structural similarity of an enhanced image against its reference, by variant.

Published tables mix these variants under one name; the same outputs differ by up to 3.5 dB between them.
"""

import math

import torch
from torch import Tensor

from lowlight.colour import luminance
from lowlight.images import round_to_8_bits


def psnr(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure the peak signal-to-noise ratio of each image, over all its pixels and channels.

    ``-10 log10(mean((enhanced - high)^2))``, the peak being 1.

    Args:
        enhanced: Enhanced images of shape (B, C, H, W) in [0, 1].
        high: Reference images of the same shape.

    Returns:
        Decibels, one an image, of shape (B,); infinite where the images are equal.

    Raises:
        ValueError: If the shapes differ.
    """
    if enhanced.shape != high.shape:
        raise ValueError(f"PSNR compares equal shapes, got {tuple(enhanced.shape)} and {tuple(high.shape)}")
    error = (enhanced.float() - high.float()).square().flatten(1).mean(1)
    return -10 * torch.log10(error)


def psnr_y(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure the PSNR of the BT.601 luma in its studio range.

    ``Y = (16 + 219 (0.299 R + 0.587 G + 0.114 B)) / 255``, the form of MATLAB's ``rgb2ycbcr`` and BasicSR's
    ``test_y_channel``. With a full-range luma every value would be 20 log10(255 / 219) = 1.32 dB lower, since
    the peak stays 1 while the errors shrink.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape.

    Returns:
        Decibels, of shape (B,).
    """
    return psnr(luminance(enhanced)[:, None], luminance(high)[:, None]) + 20 * math.log10(255 / 219)


def gt_mean(enhanced: Tensor, high: Tensor) -> Tensor:
    """Scale each enhanced image to its reference's mean over all pixels and channels.

    Tells how good an image is apart from its exposure, with knowledge that no method has: never a headline.
    Taken of the 8-bit image, clamped and rounded to 8 bits again; a black image stays black.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape.

    Returns:
        Scaled images of the same shape.

    Differs from other code: six variants are in use (means of grey, of each channel, without clamping or
    rounding), which spread over 0.7 dB on the same outputs.
    """
    image = round_to_8_bits(enhanced)
    mean = image.mean((1, 2, 3), keepdim=True)
    ratio = high.float().mean((1, 2, 3), keepdim=True) / mean.clamp(min=1e-12)
    return round_to_8_bits(image * ratio)


def psnr_gtmean(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure :func:`psnr` after :func:`gt_mean`, in decibels, of shape (B,)."""
    return psnr(gt_mean(enhanced, high), high)
