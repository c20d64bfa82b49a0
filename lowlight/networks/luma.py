"""Luma, for networks, which import torch alone; elsewhere see :mod:`lowlight.colour`."""

from torch import Tensor


def luma(image: Tensor) -> Tensor:
    """Return the BT.601 luma, (B, 1, H, W), of images of shape (B, 3, H, W)."""
    return 0.299 * image[:, :1] + 0.587 * image[:, 1:2] + 0.114 * image[:, 2:]
