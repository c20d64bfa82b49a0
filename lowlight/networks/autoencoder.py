"""The study's CNN: a convolutional autoencoder with skip connections."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from lowlight.networks.upsampling import SmoothTransposed


def _down(inputs: int, outputs: int, slope: float, *, normalised: bool) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=not normalised)
    norm = [nn.BatchNorm2d(outputs)] if normalised else []
    return nn.Sequential(conv, *norm, nn.LeakyReLU(slope))


def _up(inputs: int, outputs: int, slope: float, kernel: int) -> nn.Sequential:
    conv: nn.ConvTranspose2d
    if kernel == 3:
        conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    else:
        conv = SmoothTransposed(inputs, outputs, kernel)
        conv.start_smoothly()
    return nn.Sequential(conv, nn.LeakyReLU(slope))


class Autoencoder(nn.Module):
    """Convolutional autoencoder of stride-2 convolutions with skip connections.

    From the study's paper: a U-Net-like Keras autoencoder with five encoder levels, ``d1`` to ``d5``, and
    five decoder levels, ``u1`` to ``u5``, trained with the mean absolute error. The paper states no more;
    inferred are the widths, batch normalisation from the third encoder level on, the input as the last skip
    connection, the final 2x2 convolution and the kernels of 3x3, as in a widely copied notebook that matches
    the paper's description, and Keras' default slope. Keras pads one side of a convolution; here both are.

    In training, batch normalisation needs more than one value per channel at the smallest level: crops larger
    than ``stride``, or more than one crop per batch.

    Args:
        channels: Channels of each encoder level. The decoder mirrors them and ends at 3: by default 512, 256,
            128, 128 and 3.
        slope: Negative slope of every LeakyReLU.
        kernel: Side of the transposed convolutions' kernels, by default 3 as in the notebook, which leaves a
            checkerboard. With 4, or another even number, they are
            :class:`lowlight.networks.upsampling.SmoothTransposed` and leave none.

    Attributes:
        stride: Sides of the input must be multiples of it, ``2**len(channels)`` pixels.

    Raises:
        ValueError: If there is no level, a width is below 1, or the kernel is neither 3 nor even.
    """

    def __init__(
        self,
        channels: Sequence[int] = (128, 128, 256, 512, 512),
        slope: float = 0.3,
        kernel: int | None = None,
    ) -> None:
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
        self.up = nn.ModuleList(_up(i, o, slope, kernel or 3) for i, o in zip(inputs, skips, strict=True))
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
