"""The conditional PatchGAN discriminator of pix2pix."""

from typing import cast

import torch
from torch import Tensor, nn

from lowlight.networks._pix2pix import Norm, initialise, normalisation


class PatchGAN(nn.Module):
    """Classify each patch of an image as reference or enhanced, given the dark image.

    ``layers`` 4x4 convolutions of stride 2 and two of stride 1; the receptive field of a logit is a square of
    ``9 * 2**layers - 2`` pixels: 16, 34, 70 (default), 142, ... By default C64-C128-C256-C512 and a last
    convolution to one channel. Inputs are scaled to [-1, 1].

    Args:
        channels: Channels of the first layer; they double per layer, up to eightfold.
        layers: Number of convolutions of stride 2.
        norm: ``batch``, ``instance`` or ``none``, after every convolution but the first and the last.

    Attributes:
        minimum_size: Smallest side of an input that yields a logit, ``3 * 2**layers`` pixels.

    Raises:
        ValueError: If a size is below 1 or the norm unknown.

    Reference:
        Isola, Zhu, Zhou, Efros, 2017, Image-to-Image Translation with Conditional Adversarial Networks,
        section 6.1.2; strides as in the authors' code, which give the 70x70 pixels of the text.

    Differs from the paper:
        Returns logits; the sigmoid, if any, is part of the loss.
    """

    def __init__(self, channels: int = 64, layers: int = 3, norm: Norm = "batch") -> None:
        super().__init__()
        if channels < 1 or layers < 1:
            raise ValueError(f"channels and layers must be at least 1, got {channels} and {layers}")
        self.minimum_size = 3 * 2**layers
        widths = [channels * 2 ** min(layer, 3) for layer in range(layers + 1)]
        judge: list[nn.Module] = [nn.Conv2d(6, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for layer in range(1, layers + 1):
            inputs, outputs, stride = widths[layer - 1], widths[layer], 2 if layer < layers else 1
            judge += [
                nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=norm != "batch"),
                *normalisation(norm, outputs),
                nn.LeakyReLU(0.2),
            ]
        self.judge = nn.Sequential(*judge, nn.Conv2d(widths[-1], 1, 4, padding=1))
        self.apply(initialise)

    def forward(self, low: Tensor, image: Tensor) -> Tensor:
        """Classify images.

        Args:
            low: Dark images of shape (B, 3, H, W) in [0, 1], sides at least ``minimum_size``.
            image: Enhanced or reference images of the same shape and range.

        Returns:
            Logits of shape (B, 1, H', W'), positive for patches classified as reference; H' is
            ``H // 2**layers - 2``.

        Raises:
            ValueError: If a side is too short.
        """
        if min(low.shape[-2:]) < self.minimum_size:
            sides = "x".join(map(str, low.shape[-2:]))
            raise ValueError(
                f"this PatchGAN judges sides of at least {self.minimum_size} pixels, got {sides}"
            )
        return cast(Tensor, self.judge(2 * torch.cat([low, image], dim=1) - 1))
