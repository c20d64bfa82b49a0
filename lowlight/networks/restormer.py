"""Restormer: a U-Net of transformer blocks that attend between channels."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.channel_norm import ChannelNorm
from lowlight.networks.original import Original
from lowlight.networks.transposed_attention import ChannelWeights, attend, check_heads


def _conv(inputs: int, outputs: int, size: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups, bias=False)


class ScaleNorm(nn.Module):
    """Divide each pixel's channels by their standard deviation and scale them, without a shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        variance = features.float().var(dim=1, correction=0, keepdim=True)
        return features * (variance + 1e-5).rsqrt() * self.weight[:, None, None]


class TransposedAttention(nn.Module):
    """Attention between channels with depthwise convolutions (MDTA, figure 2a)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = _conv(channels, 3 * channels, 1)
        self.qkv_dwconv = _conv(3 * channels, 3 * channels, 3, 3 * channels)
        self.project_out = _conv(channels, channels, 1)
        self.weigh = ChannelWeights()

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        query, key, value = self.qkv_dwconv(self.qkv(features)).chunk(3, dim=1)
        return attend(self.weigh(query, key, self.temperature), value, self.project_out.weight.flatten(1))


class GatedFeedForward(nn.Module):
    """Gated layers per pixel with a depthwise convolution (GDFN, figure 2b)."""

    def __init__(self, channels: int, factor: float) -> None:
        super().__init__()
        hidden = int(channels * factor)
        self.project_in = _conv(channels, 2 * hidden, 1)
        self.dwconv = _conv(2 * hidden, 2 * hidden, 3, 2 * hidden)
        self.project_out = _conv(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        gate, value = self.dwconv(self.project_in(features)).chunk(2, dim=1)
        return cast(Tensor, self.project_out(F.gelu(gate) * value))


class Block(nn.Module):
    """Attention, then feed-forward layers, each normalised before and with a residual."""

    def __init__(self, channels: int, heads: int, factor: float, shift: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = (ChannelNorm(channels) if shift else ScaleNorm(channels) for _ in range(2))
        self.attn = TransposedAttention(channels, heads)
        self.ffn = GatedFeedForward(channels, factor)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        features = features + self.attn(self.norm1(features))
        return cast(Tensor, features + self.ffn(self.norm2(features)))


class Restormer(Original):
    """Enhance an image by a residual from a U-Net of transformer blocks.

    The defaults are the published network with 26,126,644 parameters; files of the authors' code are read by
    their keys. No file was at hand to compare outputs with, so this is the paper's function, as far as its
    text and figures say.

    Args:
        channels: Channels at full resolution; each of the three lower levels has twice as many.
        blocks: Transformer blocks per level, the last at the lowest resolution.
        refinement: Transformer blocks at full resolution after the U-Net.
        heads: Attention heads per level.
        factor: Hidden channels of the feed-forward layers per channel.
        shift: Whether the normalisation subtracts the mean and adds a shift; the published networks for
            denoising do neither.

    Attributes:
        stride: Sides of the input must be multiples of it, 8 pixels.

    Raises:
        ValueError: If there are not four levels.

    Reference:
        Zamir, Arora, Khan, Hayat, Khan and Yang, 2022, "Restormer: Efficient Transformer for High-Resolution
        Image Restoration", figure 2.

    Computes differently:
        The weighted sum of the values and its projection are one product, see
        :func:`lowlight.networks.transposed_attention.attend`.

    Tiles share the attention between channels, which is taken from a small copy of the image.
    """

    WRAPPER = "params"
    RENAMED = (
        (r"^enter\.", "patch_embed.proj."),
        (r"^encoders\.(\d)\.", r"encoder_level\1."),
        (r"^decoders\.(\d)\.", r"decoder_level\1."),
        (r"^downs\.1\.", "down1_2.body."),
        (r"^downs\.2\.", "down2_3.body."),
        (r"^downs\.3\.", "down3_4.body."),
        (r"^ups\.1\.", "up2_1.body."),
        (r"^ups\.2\.", "up3_2.body."),
        (r"^ups\.3\.", "up4_3.body."),
        (r"^fuse\.(\d)\.", r"reduce_chan_level\1."),
        (r"\.norm([12])\.", r".norm\1.body."),
    )

    def __init__(
        self,
        channels: int = 48,
        blocks: Sequence[int] = (4, 6, 6, 8),
        refinement: int = 4,
        heads: Sequence[int] = (1, 2, 4, 8),
        factor: float = 2.66,
        shift: bool = True,
    ) -> None:
        super().__init__()
        if len(blocks) != 4 or len(heads) != 4:
            raise ValueError(f"Restormer has 4 levels, got blocks={list(blocks)} and heads={list(heads)}")
        if channels % 2:
            raise ValueError(f"channels={channels} must be even")
        self.stride = 8
        wide = {level: channels * 2 ** (level - 1) for level in (1, 2, 3, 4)}
        check_heads(heads, list(wide.values()))

        def several(count: int, width: int, level: int) -> nn.Sequential:
            return nn.Sequential(*(Block(width, heads[level - 1], factor, shift) for _ in range(count)))

        def halve(width: int) -> nn.Sequential:
            return nn.Sequential(_conv(width, width // 2, 3), nn.PixelUnshuffle(2))

        def double(width: int) -> nn.Sequential:
            return nn.Sequential(_conv(width, 2 * width, 3), nn.PixelShuffle(2))

        self.enter = _conv(3, channels, 3)
        self.encoders = nn.ModuleDict({str(n): several(blocks[n - 1], wide[n], n) for n in (1, 2, 3)})
        self.downs = nn.ModuleDict({str(n): halve(wide[n]) for n in (1, 2, 3)})
        self.latent = several(blocks[3], wide[4], 4)
        self.ups = nn.ModuleDict({str(n): double(wide[n + 1]) for n in (1, 2, 3)})
        self.fuse = nn.ModuleDict({str(n): _conv(2 * wide[n], wide[n], 1) for n in (2, 3)})
        # At full resolution the skip connection is kept beside the features, not merged with them.
        decoded = {1: wide[2], 2: wide[2], 3: wide[3]}
        self.decoders = nn.ModuleDict({str(n): several(blocks[n - 1], decoded[n], n) for n in (1, 2, 3)})
        self.refinement = several(refinement, wide[2], 1)
        self.output = _conv(wide[2], 3, 3)

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped.
        """
        features = self.enter(low)
        skips = {}
        for level in ("1", "2", "3"):
            skips[level] = self.encoders[level](features)
            features = self.downs[level](skips[level])
        features = self.latent(features)
        for level in ("3", "2", "1"):
            features = torch.cat([self.ups[level](features), skips[level]], dim=1)
            features = self.fuse[level](features) if level in self.fuse else features
            features = self.decoders[level](features)
        return cast(Tensor, self.output(self.refinement(features)) + low)
