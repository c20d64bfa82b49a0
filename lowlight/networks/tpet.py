"""TPET: a transformer that extracts features, then a stage that fuses detail at full resolution."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.channel_norm import ChannelNorm
from lowlight.networks.transposed_attention import ChannelWeights, check_heads


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels)


class ChannelAttention(nn.Module):
    """Self-attention across channels, whose weights are cosines between channels over all pixels.

    The cost is linear in the number of pixels.

    Args:
        heads: Groups of channels that attend among themselves.

    Reference:
        Zamir et al., 2022, "Restormer: efficient transformer for high-resolution image restoration", section
        3.1 (transposed attention).
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.weigh = ChannelWeights()

    def forward(self, features: Tensor) -> Tensor:
        """Return values of shape (B, C, H, W), mixed by the weights.

        Args:
            features: Queries, keys and values, concatenated to shape (B, 3C, H, W).
        """
        query, key, value = features.chunk(3, dim=1)
        weights = self.weigh(query, key, self.temperature)
        by_head = value.reshape(*weights.shape[:3], -1)
        return cast(Tensor, weights @ by_head).reshape(value.shape)


class PerceptualEnhancement(nn.Module):
    """Perceptual enhancement module (PEM): a local depthwise convolution beside global channel attention.

    Args:
        channels: Input and output channels.
        heads: Heads of the attention.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.attend = ChannelAttention(heads)
        self.local = nn.Sequential(_depthwise(channels), nn.GELU())
        self.merge = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        both = torch.cat([self.local(features), self.attend(self.project(features))], dim=1)
        return cast(Tensor, self.merge(both))


class Block(nn.Module):
    """Transformer block: PEM in place of attention, then a feed-forward part with a depthwise convolution.

    Args:
        channels: Input and output channels.
        heads: Heads of the attention.
        expansion: Channels inside the feed-forward part per channel outside.
    """

    def __init__(self, channels: int, heads: int, expansion: int) -> None:
        super().__init__()
        hidden = expansion * channels
        self.enhance = nn.Sequential(ChannelNorm(channels), PerceptualEnhancement(channels, heads))
        self.feed = nn.Sequential(
            ChannelNorm(channels),
            nn.Conv2d(channels, hidden, 1),
            _depthwise(hidden),
            nn.GELU(),
            nn.Conv2d(hidden, channels, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        features = features + self.enhance(features)
        return cast(Tensor, features + self.feed(features))


class Up(nn.Module):
    """Twice the size and half the channels, by bilinear interpolation, which leaves no checkerboard.

    Args:
        channels: Output channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (B, 2C, H, W) to (B, C, 2H, 2W)."""
        return F.interpolate(self.conv(features), scale_factor=2, mode="bilinear", align_corners=False)


class FeatureFusion(nn.Module):
    """Feature fusion block (FFB): weigh an encoder level against the next coarser one, per value.

    Args:
        channels: Channels of the encoder level; the coarser one has twice as many.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = Up(channels)
        self.gate = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, own: Tensor, coarser: Tensor) -> Tensor:
        """Fuse features of shapes (B, C, H, W) and (B, 2C, H/2, W/2) into one tensor of the first's shape."""
        coarser = self.up(coarser)
        weights = torch.sigmoid(self.gate(torch.cat([own, coarser], dim=1)))
        return weights * own + (1 - weights) * coarser


class SelfCalibration(nn.Module):
    """Self-calibration module (SCM): make the first stage's image, and gate the features by it.

    Args:
        channels: Channels of the features.

    Reference:
        Zamir et al., 2021, "Multi-stage progressive image restoration", section 3.3 (supervised attention).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.image = nn.Conv2d(channels, 3, 3, padding=1)
        self.gate = nn.Conv2d(3, channels, 3, padding=1)
        self.features = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
        """Return the image, shape (B, 3, H, W), and features of the same shape (B, C, H, W)."""
        image = low + self.image(features)
        return image, features + self.features(features) * torch.sigmoid(self.gate(image))


class DetailEnhancement(nn.Module):
    """Detail enhancement unit (DEU): features gated by their detail, to which the detail is added.

    Detail is what a mean over 3x3 pixels removes.

    Args:
        channels: Input and output channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, channels, 1), _depthwise(channels), nn.GELU())
        self.weigh = nn.Conv2d(channels, 2 * channels, 1)
        self.merge = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        detail = features - F.avg_pool2d(features, 3, stride=1, padding=1, count_include_pad=False)
        gate, added = self.weigh(detail).chunk(2, dim=1)
        return cast(Tensor, features + self.merge(self.body(features) * torch.sigmoid(gate) + added))


class Extraction(nn.Module):
    """The first stage: a U-shaped encoder and decoder of transformer blocks.

    Args:
        channels: Channels at full resolution.
        blocks: Blocks per encoder level; each decoder level has as many.
        heads: Heads of the attention per level.
        expansion: Channels inside the feed-forward parts per channel outside.
    """

    def __init__(self, channels: int, blocks: Sequence[int], heads: Sequence[int], expansion: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(len(blocks))]

        def level(number: int) -> nn.Sequential:
            width = widths[number]
            return nn.Sequential(*(Block(width, heads[number], expansion) for _ in range(blocks[number])))

        upper = range(len(blocks) - 1)
        self.conv_in = nn.Conv2d(3, channels, 3, padding=1)
        self.encoder = nn.ModuleList(level(number) for number in range(len(blocks)))
        self.down = nn.ModuleList(nn.Conv2d(widths[n], widths[n + 1], 2, stride=2) for n in upper)
        self.fuse = nn.ModuleList(FeatureFusion(widths[n]) for n in upper)
        self.up = nn.ModuleList(Up(widths[n]) for n in upper)
        self.merge = nn.ModuleList(nn.Conv2d(2 * widths[n], widths[n], 1) for n in upper)
        self.decoder = nn.ModuleList(level(n) for n in upper)

    def forward(self, low: Tensor) -> Tensor:
        """Map images of shape (B, 3, H, W) to features of shape (B, C, H, W)."""
        features, encoded = self.conv_in(low), []
        for number, blocks in enumerate(self.encoder):
            features = blocks(self.down[number - 1](features) if number else features)
            encoded.append(features)
        for number in reversed(range(len(self.decoder))):
            fused = self.fuse[number](encoded[number], encoded[number + 1])
            merged = self.merge[number](torch.cat([self.up[number](features), fused], dim=1))
            features = self.decoder[number](merged)
        return cast(Tensor, features)


class TPET(nn.Module):
    """Two-stage network after TPET: a transformer extracts features, a second stage adds detail.

    Stage one is a U-shaped encoder and decoder of transformer blocks. Their perceptual enhancement modules
    (PEM) join a local depthwise convolution with global attention across channels; feature fusion blocks
    (FFB) stand between encoder and decoder levels. A self-calibration module (SCM) makes an image of the
    features, which is supervised, and gates the features by it. Stage two fuses them with those of the dark
    image at full resolution in detail enhancement units (DEU), and adds its result to the first image.

    Only the paper's abstract is public. It names the two stages, the modules and their purposes; the inside
    of the modules, the sizes and the residual form of both images are ours.

    Args:
        channels: Channels at full resolution; each lower level has twice as many.
        blocks: Transformer blocks per level, the full resolution first.
        heads: Heads of the attention per level; each divides its level's channels.
        expansion: Channels inside the feed-forward parts per channel outside.
        detail_units: Number of detail enhancement units.

    Attributes:
        stride: Sides of the input must be multiples of it, ``2**(len(blocks) - 1)`` pixels.

    Raises:
        ValueError: If there are fewer than two levels, ``heads`` has another length or divides no channels,
            or a size is below 1.

    Reference:
        After Cui, Li, Hua and Fan, 2022, "TPET: two-stage perceptual enhancement transformer network for
        low-light image enhancement", Engineering Applications of Artificial Intelligence 116 (abstract).
    """

    def __init__(
        self,
        channels: int = 48,
        blocks: Sequence[int] = (2, 2, 4),
        heads: Sequence[int] = (1, 2, 4),
        expansion: int = 2,
        detail_units: int = 3,
    ) -> None:
        super().__init__()
        if len(blocks) < 2 or len(heads) != len(blocks):
            raise ValueError(
                f"blocks and heads must be as long as each other, at least 2 levels, "
                f"got {list(blocks)} and {list(heads)}"
            )
        if min(channels, *blocks, *heads, expansion, detail_units) < 1:
            raise ValueError("channels, blocks, heads, expansion and detail_units must be at least 1")
        check_heads(heads, [channels * 2**level for level in range(len(heads))])
        self.stride = 2 ** (len(blocks) - 1)
        self.extract = Extraction(channels, blocks, heads, expansion)
        self.calibrate = SelfCalibration(channels)
        self.conv_in = nn.Conv2d(3, channels, 3, padding=1)
        self.merge = nn.Conv2d(2 * channels, channels, 1)
        self.detail = nn.Sequential(*(DetailEnhancement(channels) for _ in range(detail_units)))
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the parts with ``torch.compile``; training calls :meth:`stages`, not the whole."""
        for part in (self.extract, self.calibrate, self.merge, self.detail):
            part.compile(*args, **kwargs)

    def stages(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images of both stages, not clamped, for images of shape (B, 3, H, W) in [0, 1]."""
        first, features = self.calibrate(self.extract(low), low)
        features = self.merge(torch.cat([self.conv_in(low), features], dim=1))
        return first, first + self.conv_out(self.detail(features))

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped: those of the second stage.
        """
        return self.stages(low)[1]
