"""Attention between channels, whose cost grows linearly with the number of pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.networks.summary import Summary


def check_heads(heads: Sequence[int], channels: Sequence[int]) -> None:
    """Check that the heads of each level divide its channels.

    Raises:
        ValueError: If they do not, or one is below 1.
    """
    for count, width in zip(heads, channels, strict=True):
        if min(count, width) < 1 or width % count:
            raise ValueError(f"heads={count} must divide the {width} channels of its level")


class ChannelWeights(Summary):
    """Attention weights between the channels of each head, from their cosine similarity over the image.

    What keeps the lengths from 0 is a normal number in the type of the features; 1e-12 is 0 in 16-bit floats.

    Reference:
        Zamir et al., 2022, "Restormer: Efficient Transformer for High-Resolution Image Restoration",
        Equation 1.
    """

    def forward(self, query: Tensor, key: Tensor, temperature: Tensor) -> Tensor:
        """Return weights of shape (B, heads, C/heads, C/heads), which sum to 1 over the last axis.

        Args:
            query: Features of shape (B, C, H, W).
            key: Features of the same shape.
            temperature: Factor of the similarities, shape (heads, 1, 1).
        """
        batch, channels, heads = query.shape[0], query.shape[1], temperature.shape[0]
        by_head = (batch, heads, channels // heads, -1)
        least = max(1e-12, torch.finfo(query.dtype).tiny)
        queries, keys = (
            F.normalize(one.flatten(2).reshape(by_head), dim=-1, eps=least) for one in (query, key)
        )
        return ((queries @ keys.transpose(-2, -1)) * temperature).softmax(dim=-1)


def attend(weights: Tensor, value: Tensor, projection: Tensor) -> Tensor:
    """Weigh the channels of a value and project the result, in one product per pixel.

    Both are linear in the channels, so that weights and projection are multiplied first: a product of small
    matrices in place of one per pixel.

    Args:
        weights: Of shape (B, heads, C/heads, C/heads).
        value: Features of shape (B, C, H, W).
        projection: Matrix of shape (outputs, C).

    Returns:
        Features of shape (B, outputs, H, W).
    """
    by_head = projection.reshape(projection.shape[0], weights.shape[1], -1).transpose(0, 1)
    matrix = (by_head @ weights).transpose(1, 2).flatten(2)
    pixels = value.flatten(2).transpose(1, 2) @ matrix.transpose(1, 2)
    return pixels.transpose(1, 2).reshape(value.shape[0], projection.shape[0], *value.shape[2:])
