"""RetinexNet: an image is decomposed into reflectance and illumination, and lit anew."""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.stride import stride_of

Parts = tuple[Tensor, Tensor]
"""Reflectance, shape (B, 3, H, W), and illumination, shape (B, 1, H, W)."""


class RetinexNet(nn.Module):
    """Decompose images by one network, change the parts by another, and multiply them.

    Any two networks of this form can be joined; :class:`lowlight.methods.DecomposeAndRelight` trains them one
    after the other.

    Args:
        decomposition: Maps images of shape (B, 3, H, W) in [0, 1] to reflectance and illumination.
        relighting: Maps reflectance and illumination to those of the enhanced image: as RetinexNet, it may
            change the illumination alone, or restore the reflectance, too.

    Attributes:
        stride: Sides of the input must be multiples of this many pixels, which suits both networks.

    Reference:
        Wei, Wang, Yang, Liu, 2018, "Deep Retinex decomposition for low-light enhancement", Section 3 and, for
        sizes and initial weights, the authors' code.

    Differs from the paper: the reflectance is not denoised (by BM3D there), and the two networks are not
    trained together in the end, which the authors' code does not do either.
    """

    def __init__(self, decomposition: nn.Module, relighting: nn.Module) -> None:
        super().__init__()
        self.decomposition = decomposition
        self.relighting = relighting
        self.stride = math.lcm(stride_of(decomposition), stride_of(relighting))

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped.
        """
        reflectance, illumination = self.relighting(*self.decomposition(low))
        return cast(Tensor, reflectance * illumination)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile both networks with ``torch.compile``; training calls them one by one."""
        self.decomposition.compile(*args, **kwargs)
        self.relighting.compile(*args, **kwargs)


class Decomposition(nn.Module):
    """Decompose images by convolutions at full size, of which the last has no activation but a sigmoid.

    Args:
        channels: Channels of the convolutions.
        layers: Convolutions with an activation.

    Raises:
        ValueError: If ``channels`` is below 1 or ``layers`` negative.

    Reference:
        Wei et al., 2018 (see :class:`RetinexNet`), Section 3.1.
    """

    def __init__(self, channels: int = 64, layers: int = 5) -> None:
        super().__init__()
        if channels < 1 or layers < 0:
            raise ValueError(f"channels={channels} must be at least 1 and layers={layers} at least 0")
        self.shallow = nn.Conv2d(4, channels, 9, padding=4)
        self.body = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers))
        self.last = nn.Conv2d(channels, 4, 3, padding=1)
        self.apply(_start)

    def forward(self, image: Tensor) -> Parts:
        """Return reflectance and illumination, both in (0, 1), of images of shape (B, 3, H, W)."""
        features = self.shallow(torch.cat([image.amax(1, keepdim=True), image], dim=1))
        for conv in self.body:
            features = F.relu(conv(features))
        reflectance, illumination = self.last(features).sigmoid().split([3, 1], dim=1)
        return reflectance, illumination


class Relighting(nn.Module):
    """Adjust an illumination by an encoder and decoder with skip connections, whose scales are fused.

    The decoder enlarges features by repeating pixels before each convolution.

    Args:
        channels: Channels of the convolutions.
        levels: How often the size is halved.

    Attributes:
        stride: Sides of the input must be multiples of it, ``2**levels`` pixels.

    Raises:
        ValueError: If ``channels`` or ``levels`` is below 1.

    Reference:
        Wei et al., 2018 (see :class:`RetinexNet`), Section 3.2.
    """

    def __init__(self, channels: int = 64, levels: int = 3) -> None:
        super().__init__()
        if channels < 1 or levels < 1:
            raise ValueError(f"channels={channels} and levels={levels} must be at least 1")
        self.stride = 2**levels
        self.first = nn.Conv2d(4, channels, 3, padding=1)
        # The right and lower edges alone are padded, as TensorFlow does.
        self.downs = nn.ModuleList(nn.Conv2d(channels, channels, 3, stride=2) for _ in range(levels))
        self.ups = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(levels))
        self.fusion = nn.Conv2d(levels * channels, channels, 1)
        self.last = nn.Conv2d(channels, 1, 3, padding=1)
        self.apply(_start)

    def forward(self, reflectance: Tensor, illumination: Tensor) -> Parts:
        """Return the reflectance as it is, and the adjusted illumination, not clamped."""
        features = self.first(torch.cat([reflectance, illumination], dim=1))
        skips = []
        for conv in self.downs:
            skips.append(features)
            features = F.relu(conv(F.pad(features, (0, 1, 0, 1))))
        scales = []
        for conv in self.ups:
            features = F.relu(conv(_repeated(features, 2))) + skips.pop()
            scales.append(features)
        fused = [_repeated(scale, 2**level) for level, scale in enumerate(reversed(scales))]
        return reflectance, self.last(self.fusion(torch.cat(fused[::-1], dim=1)))


def _repeated(features: Tensor, times: int) -> Tensor:
    """Repeat pixels along both axes."""
    return features if times == 1 else F.interpolate(features, scale_factor=float(times), mode="nearest")


def _start(module: nn.Module) -> None:
    """Draw the initial weights as the authors' code does."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(cast(Tensor, module.bias))
