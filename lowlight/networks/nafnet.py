"""NAFNet: a U-Net of residual blocks without nonlinear activations."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from lowlight.networks.channel_norm import ChannelNorm
from lowlight.networks.original import Original


def gate(features: Tensor) -> Tensor:
    """Multiply the first half of the channels by the second (SimpleGate, Equation 4)."""
    first, second = features.chunk(2, dim=1)
    return first * second


class NAFBlock(nn.Module):
    """Depthwise convolution with simplified channel attention, then a gated layer per pixel (figure 3d).

    Args:
        channels: Input and output channels.
        dropout: Probability of dropping a value of either residual in training.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels, eps=1e-6)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.norm2 = ChannelNorm(channels, eps=1e-6)
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.dropout1 = nn.Dropout(dropout)
        self.dropout2 = nn.Dropout(dropout)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        spatial = gate(self.conv2(self.conv1(self.norm1(features))))
        spatial = self.conv3(spatial * self.sca(spatial))
        features = features + self.dropout1(spatial) * self.beta
        pointwise = self.conv5(gate(self.conv4(self.norm2(features))))
        return cast(Tensor, features + self.dropout2(pointwise) * self.gamma)


class NAFNet(Original):
    """Enhance an image by a residual from a U-Net whose only nonlinearities are products.

    The defaults are the published network for denoising with 29,159,715 parameters, equal to the authors'
    code; an untrained network returns its input.

    Args:
        width: Channels at full resolution; each lower level has twice as many.
        encoder_blocks: Blocks per level on the way down, which is also the number of levels.
        middle_blocks: Blocks at the lowest resolution.
        decoder_blocks: Blocks per level on the way up.
        dropout: Probability of dropping a value of a residual in training.

    Attributes:
        stride: Sides of the input must be multiples of it, ``2**levels`` pixels.

    Raises:
        ValueError: If the two ways have different levels, or ``width`` is below 1.

    Reference:
        Chen, Chu, Zhang and Sun, 2022, "Simple Baselines for Image Restoration", figure 3d and Section 4.

    Tiles share the channel attention's averages, which are taken from a small copy of the image. The averages
    over local windows that the paper uses in tests (TLC, its Section 5) are left out: they are another
    function than the trained one.
    """

    WRAPPER = "params"

    def __init__(
        self,
        width: int = 32,
        encoder_blocks: Sequence[int] = (2, 2, 4, 8),
        middle_blocks: int = 12,
        decoder_blocks: Sequence[int] = (2, 2, 2, 2),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        levels = len(encoder_blocks)
        if width < 1 or len(decoder_blocks) != levels:
            raise ValueError(
                "NAFNet needs a width of at least 1 and as many encoder_blocks as decoder_blocks, got "
                f"{width}, {list(encoder_blocks)} and {list(decoder_blocks)}"
            )

        def blocks(count: int, level: int) -> nn.Sequential:
            return nn.Sequential(*(NAFBlock(width * 2**level, dropout) for _ in range(count)))

        def halve(channels: int) -> nn.Conv2d:
            return nn.Conv2d(channels, 2 * channels, 2, stride=2)

        def double(channels: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.PixelShuffle(2))

        self.stride = 2**levels
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(blocks(count, level) for level, count in enumerate(encoder_blocks))
        self.downs = nn.ModuleList(halve(width * 2**level) for level in range(levels))
        self.middle_blks = blocks(middle_blocks, levels)
        self.ups = nn.ModuleList(double(width * 2**level) for level in range(levels, 0, -1))
        self.decoders = nn.ModuleList(
            blocks(count, level) for level, count in zip(reversed(range(levels)), decoder_blocks, strict=True)
        )
        self.ending = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped.
        """
        features = self.intro(low)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            features = encoder(features)
            skips.append(features)
            features = down(features)
        features = self.middle_blks(features)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            features = decoder(up(features) + skips.pop())
        return cast(Tensor, self.ending(features) + low)
