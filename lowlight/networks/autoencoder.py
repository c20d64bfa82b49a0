"""The study's CNN: a convolutional autoencoder with skips."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn


def _down(inputs: int, outputs: int, slope: float, *, normalised: bool) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=not normalised)
    norm = [nn.BatchNorm2d(outputs)] if normalised else []
    return nn.Sequential(conv, *norm, nn.LeakyReLU(slope))


def _up(inputs: int, outputs: int, slope: float) -> nn.Sequential:
    conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(conv, nn.LeakyReLU(slope))


class Autoencoder(nn.Module):
    """Squeeze the image through stride-2 convolutions and rebuild it beside the skipped features.

    From the study's paper: a U-Net-like Keras autoencoder of five levels down, ``d1`` to ``d5``, and
    five up, ``u1`` to ``u5``, trained with the mean absolute error. Inferred, since the paper states no
    more: the widths, batch normalisation from the third level down on, the last skip being the input
    itself, and the final 2x2 convolution, all as in a widely copied notebook that fits the paper's
    account; the slope is Keras' default. Where Keras pads one side, the 3x3 convolutions here pad both.

    In training, batch normalisation needs more than one value a channel at the smallest level: crops
    larger than ``stride``, or more than one of them in a batch.

    Args:
        channels: Channels of each level down. The levels up mirror them and end at 3, so the default
            goes up through 512, 256, 128, 128 and 3.
        slope: Negative slope of the leaky rectifiers.

    Attributes:
        stride: Sides of the input must be multiples of this many pixels, ``2**len(channels)``.

    Raises:
        ValueError: If there is no level or a width is below 1.
    """

    def __init__(self, channels: Sequence[int] = (128, 128, 256, 512, 512), slope: float = 0.3) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            raise ValueError(f"channels must be one or more positive widths, got {tuple(channels)}")
        self.stride = 2 ** len(channels)
        skips = [3, *channels[:-1]]
        self.down = nn.ModuleList(
            _down(inputs, outputs, slope, normalised=level >= 2)
            for level, (inputs, outputs) in enumerate(zip(skips, channels, strict=True))
        )
        skips.reverse()
        inputs = [channels[-1], *(2 * skip for skip in skips[:-1])]
        self.up = nn.ModuleList(_up(i, o, slope) for i, o in zip(inputs, skips, strict=True))
        self.conv_out = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(6, 3, 2))

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped.
        """
        features, skips = low, []
        for down in self.down:
            skips.append(features)
            features = down(features)
        for up in self.up:
            features = torch.cat([up(features), skips.pop()], dim=1)
        return cast(Tensor, self.conv_out(features))
