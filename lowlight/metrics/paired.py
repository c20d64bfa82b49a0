"""Scores of an enhanced image against its reference."""

import torch
from torch import Tensor


def psnr(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure the peak signal-to-noise ratio of each image, over all its pixels and channels.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
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
