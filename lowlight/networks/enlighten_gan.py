"""EnlightenGAN: a U-Net guided by an attention map of darkness, and its two discriminators."""

from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks._pix2pix import initialise
from lowlight.networks.luma import luma
from lowlight.networks.original import Original

SLOPE = 0.2
"""Negative slope of every LeakyReLU."""

LEVELS = 5
"""Levels of the encoder, each half the size of the one before; the decoder's are numbered on, 6 to 9."""


def attention(low: Tensor) -> Tensor:
    """Return one minus the BT.601 luma of images of shape (B, 3, H, W) in [0, 1]: (B, 1, H, W)."""
    return 1 - luma(low)


class Level(nn.Module):
    """Two convolutions, each followed by a LeakyReLU and batch normalisation, in this order.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        last: Whether the second convolution is not normalised, as in the decoder's last level.
    """

    def __init__(self, inputs: int, outputs: int, *, last: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.Identity() if last else nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor, between: Tensor | None = None) -> Tensor:
        """Return features of shape (B, C, H, W).

        Args:
            features: The input.
            between: Attention of shape (B, 1, H, W) that multiplies the first convolution's features.
        """
        first = self.norm1(F.leaky_relu(self.conv1(features), SLOPE))
        first = first if between is None else first * between
        return cast(Tensor, self.norm2(F.leaky_relu(self.conv2(first), SLOPE)))


class AttentionUNet(Original):
    """Add a residual to an image, of a U-Net whose skip connections are weighted by darkness.

    The attention map, one minus the luma, is a fourth input channel, multiplies the features that each skip
    connection passes and those of the lowest level, halved per level by its maximum, and multiplies the
    residual: bright parts change little. The decoder enlarges bilinearly, then convolves. The defaults are
    the published generator with 8,636,675 parameters, equal to the authors' code.

    Args:
        channels: Channels of the first level; they double per level.
        align_corners: Whether the decoder's interpolation aligns the corner pixels, as torch 0.3.1 did, which
            the authors' code requires, and later versions do not by default. The features of a tile then lie
            a little elsewhere than those of the whole image.

    Attributes:
        stride: Sides of the input must be multiples of it, 16 pixels.

    Raises:
        ValueError: If ``channels`` is below 1.

    Reference:
        Jiang, Gong, Liu, Cheng, Fang, Shen, Yang, Zhou and Wang, 2021, "EnlightenGAN: Deep Light Enhancement
        Without Paired Supervision", Section III.
    """

    RENAMED: ClassVar = (
        (r"^levels\.(\d)\.conv(\d)\.", r"conv\1_\2."),
        (r"^levels\.(\d)\.norm(\d)\.", r"bn\1_\2."),
        (r"^enlarged\.(\d)\.", r"deconv\1."),
        (r"^residual\.", "conv10."),
    )

    def __init__(self, channels: int = 32, align_corners: bool = False) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels}")
        self.stride = 2 ** (LEVELS - 1)
        self.align_corners = align_corners
        widths = [channels * 2**level for level in range(LEVELS)]
        self.levels = nn.ModuleDict()
        self.enlarged = nn.ModuleDict()
        for number, (inputs, outputs) in enumerate(zip([4, *widths], widths, strict=False), start=1):
            self.levels[str(number)] = Level(inputs, outputs)
        for number, width in enumerate(reversed(widths[:-1]), start=LEVELS):
            self.enlarged[str(number)] = nn.Conv2d(2 * width, width, 3, padding=1)
            self.levels[str(number + 1)] = Level(2 * width, width, last=width == channels)
        self.residual = nn.Conv2d(channels, 3, 1)
        self.apply(initialise)

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped.
        """
        maps = [attention(low)]
        features, skips = torch.cat([2 * low - 1, maps[0]], dim=1), []
        for number in range(1, LEVELS):
            features = self.levels[str(number)](features)
            skips.append(features * maps[-1])
            features = F.max_pool2d(features, 2)
            maps.append(F.max_pool2d(maps[-1], 2))
        features = self.levels[str(LEVELS)](features, maps[-1])
        for number in range(LEVELS, 2 * LEVELS - 1):
            larger = F.interpolate(
                features, scale_factor=2, mode="bilinear", align_corners=self.align_corners
            )
            joined = torch.cat([self.enlarged[str(number)](larger), skips.pop()], dim=1)
            features = self.levels[str(number + 1)](joined)
        # The network works in [-1, 1], so its residual is twice as large as in [0, 1].
        return cast(Tensor, low + self.residual(features) * maps[0] / 2)


class Discriminator(nn.Module):
    """Score each part of an image as real or enhanced: a PatchGAN without normalisation or condition.

    ``layers`` 4x4 convolutions of stride 2 and two of stride 1, each padded by 2 pixels, with LeakyReLU
    between them.

    Args:
        channels: Channels of the first layer; they double per layer, up to eightfold.
        layers: Number of convolutions of stride 2.
        bias: Whether the last convolution adds a constant, which cancels in differences of scores.

    Raises:
        ValueError: If a size is below 1.
    """

    def __init__(self, channels: int, layers: int, bias: bool = True) -> None:
        super().__init__()
        if channels < 1 or layers < 1:
            raise ValueError(f"channels and layers must be at least 1, got {channels} and {layers}")
        widths = [3, *(channels * 2 ** min(layer, 3) for layer in range(layers + 1))]
        convs: list[nn.Module] = []
        for layer, outputs in enumerate(widths[1:]):
            stride = 2 if layer < layers else 1
            convs += [nn.Conv2d(widths[layer], outputs, 4, stride, padding=2), nn.LeakyReLU(SLOPE)]
        self.judge = nn.Sequential(*convs, nn.Conv2d(widths[-1], 1, 4, padding=2, bias=bias))
        self.apply(initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Return scores of shape (B, 1, H', W') for images of shape (B, 3, H, W) in [0, 1], any size."""
        return cast(Tensor, self.judge(2 * image - 1))


class TwoDiscriminators(nn.Module):
    """The discriminator of whole images, and that of patches.

    Args:
        channels: Channels of the first layer of each.
        layers: Convolutions of stride 2 in the discriminator of whole images.
        patch_layers: The same of patches.

    Attributes:
        whole: The :class:`Discriminator` of whole images, whose scores count relative to each other.
        patch: The one of patches.
    """

    def __init__(self, channels: int = 64, layers: int = 5, patch_layers: int = 4) -> None:
        super().__init__()
        self.whole = Discriminator(channels, layers, bias=False)
        self.patch = Discriminator(channels, patch_layers)
