"""Retinexformer: brightening by an estimated illumination, then a transformer that it guides."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from lowlight.networks.channel_norm import ChannelNorm
from lowlight.networks.original import Original
from lowlight.networks.transposed_attention import ChannelWeights, attend


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


def _pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, bias=False)


class IlluminationEstimator(nn.Module):
    """Estimate the gain of each value and features of the illumination (figure 2a of the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, channels, 1)
        self.depth_conv = nn.Conv2d(channels, channels, 5, padding=2, groups=4)
        self.conv2 = nn.Conv2d(channels, 3, 1)

    def forward(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, channels, H, W) and gains (B, 3, H, W) of images of shape (B, 3, H, W)."""
        features = self.depth_conv(self.conv1(torch.cat([low, low.mean(dim=1, keepdim=True)], dim=1)))
        return features, self.conv2(features)


class GuidedAttention(nn.Module):
    """Attention between channels whose values are weighted by the illumination (IG-MSA, figure 2c)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels, bias=False) for _ in range(3))
        self.rescale = nn.Parameter(torch.ones(heads, 1, 1))
        self.proj = nn.Linear(channels, channels)
        self.pos_emb = nn.Sequential(_depthwise(channels), nn.GELU(), _depthwise(channels))
        self.weigh = ChannelWeights()

    def forward(self, features: Tensor, illumination: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W) as both arguments."""
        last = features.permute(0, 2, 3, 1)
        query, key, value = (to(last).permute(0, 3, 1, 2) for to in (self.to_q, self.to_k, self.to_v))
        weights = self.weigh(key, query, self.rescale)
        attended = attend(weights, value * illumination, self.proj.weight)
        return cast(Tensor, attended + self.proj.bias[:, None, None] + self.pos_emb(value))


class FeedForward(nn.Module):
    """Two layers per pixel with a depthwise convolution between them."""

    def __init__(self, channels: int, factor: int = 4) -> None:
        super().__init__()
        wide = factor * channels
        self.net = nn.Sequential(
            _pointwise(channels, wide), nn.GELU(), _depthwise(wide), nn.GELU(), _pointwise(wide, channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        return cast(Tensor, self.net(features))


class _Normalized(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.fn = FeedForward(channels)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.fn(self.norm(features)))


class GuidedBlocks(nn.Module):
    """Several blocks of attention and feed-forward layers, each with a residual (IGAB, figure 2b)."""

    def __init__(self, channels: int, heads: int, count: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList([GuidedAttention(channels, heads), _Normalized(channels)]) for _ in range(count)
        )

    def forward(self, features: Tensor, illumination: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W) as both arguments."""
        for block in self.blocks:
            attention, feed_forward = cast(nn.ModuleList, block)
            features = features + attention(features, illumination)
            features = features + feed_forward(features)
        return features


class Denoiser(nn.Module):
    """U-Net of guided blocks that restores a brightened image (IGT, figure 2b).

    Args:
        channels: Channels at full resolution and of each attention head; each lower level has twice as many.
        blocks: Blocks per level, the last at the lowest resolution.
    """

    def __init__(self, channels: int, blocks: Sequence[int]) -> None:
        super().__init__()
        levels = len(blocks) - 1
        widths = [channels * 2**level for level in range(levels + 1)]

        def guided(level: int) -> GuidedBlocks:
            return GuidedBlocks(widths[level], 2**level, blocks[level])

        def halve(level: int) -> nn.Conv2d:
            return nn.Conv2d(widths[level], widths[level + 1], 4, stride=2, padding=1, bias=False)

        self.embedding = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        # The last level's illumination is needed at the bottleneck, so that each level halves both.
        self.encoder_layers = nn.ModuleList(
            nn.ModuleList([guided(level), halve(level), halve(level)]) for level in range(levels)
        )
        self.bottleneck = guided(levels)
        self.decoder_layers = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.ConvTranspose2d(widths[level + 1], widths[level], 2, stride=2),
                    _pointwise(widths[level + 1], widths[level]),
                    guided(level),
                ]
            )
            for level in reversed(range(levels))
        )
        self.mapping = nn.Conv2d(channels, 3, 3, padding=1, bias=False)

    def forward(self, image: Tensor, illumination: Tensor) -> Tensor:
        """Return images (B, 3, H, W) from images of that shape and features (B, channels, H, W)."""
        features = self.embedding(image)
        skips = []
        for layer in self.encoder_layers:
            blocks, halve_features, halve_illumination = cast(nn.ModuleList, layer)
            features = blocks(features, illumination)
            skips.append((features, illumination))
            features, illumination = halve_features(features), halve_illumination(illumination)
        features = self.bottleneck(features, illumination)
        for layer in self.decoder_layers:
            double, fuse, blocks = cast(nn.ModuleList, layer)
            skip, illumination = skips.pop()
            features = blocks(fuse(torch.cat([double(features), skip], dim=1)), illumination)
        return cast(Tensor, self.mapping(features) + image)


class Stage(nn.Module):
    """Brighten an image by its illumination, then restore it under the illumination's guidance."""

    def __init__(self, channels: int, blocks: Sequence[int]) -> None:
        super().__init__()
        self.estimator = IlluminationEstimator(channels)
        self.denoiser = Denoiser(channels, blocks)

    def forward(self, low: Tensor) -> Tensor:
        """Map images of shape (B, 3, H, W) to images of the same shape."""
        illumination, gain = self.estimator(low)
        return cast(Tensor, self.denoiser(low * gain + low, illumination))


class Retinexformer(Original):
    """Enhance an image by a one-stage Retinex model: estimated illumination, then guided restoration.

    The defaults are the published network for LOL with 1,605,701 parameters, equal to the authors' code.

    Args:
        channels: Channels at full resolution and of each attention head.
        stages: Number of such models in a row.
        blocks: Blocks per level of each U-Net, the last at the lowest resolution.

    Attributes:
        stride: Sides of the input must be multiples of it, ``2**(levels - 1)`` pixels.

    Raises:
        ValueError: If a size is below 1, or there is one level only.

    Reference:
        Cai, Bian, Lin, Wang, Timofte and Zhang, 2023, "Retinexformer: One-stage Retinex-based Transformer for
        Low-light Image Enhancement", figure 2.

    Computes differently:
        The weighted sum of the values and its projection are one product, see
        :func:`lowlight.networks.transposed_attention.attend`. Weights begin as torch's layers do, not as the
        authors' code draws them.

    Tiles share the attention between channels, which is taken from a small copy of the image.
    """

    WRAPPER = "params"

    def __init__(self, channels: int = 40, stages: int = 1, blocks: Sequence[int] = (1, 2, 2)) -> None:
        super().__init__()
        if min(channels, stages, *blocks) < 1 or len(blocks) < 2:
            raise ValueError(
                "Retinexformer needs sizes of at least 1 and two levels of blocks, got "
                f"channels={channels}, stages={stages}, blocks={list(blocks)}"
            )
        self.stride = 2 ** (len(blocks) - 1)
        self.body = nn.Sequential(*(Stage(channels, blocks) for _ in range(stages)))

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped.
        """
        return cast(Tensor, self.body(low))
