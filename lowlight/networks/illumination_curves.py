"""Illumination curves (Zero-DCE and Zero-DCE++): brightening by curves that a small network estimates."""

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.original import Original

LAYERS = 7
"""Convolutions of the published networks, which are the original's ``e_conv1`` to ``e_conv7``."""


class IlluminationCurves(Original):
    """Brighten each value by curves ``x + r (x^2 - x)``, applied again and again.

    Seven convolutions with symmetric skip connections estimate ``r`` in (-1, 1) per pixel and channel. Curves
    keep 0 and 1 where they are and are monotonic, so order and range of values are kept.

    The defaults are Zero-DCE; ``separable=True, shared=True`` is the lighter Zero-DCE++, which also estimates
    its maps on a smaller image: ``scale=12`` in the authors' tests.

    Args:
        channels: Channels of the convolutions.
        iterations: How often a curve is applied.
        separable: Whether convolutions are depthwise separable.
        shared: Whether all iterations share one map per channel.
        scale: Factor by which the image is reduced before its maps are estimated, which are interpolated
            afterwards. In training the maps are estimated at full size.

    Attributes:
        stride: Sides of the input must be multiples of this many pixels, ``scale``.
        parts: Submodule that takes most of the time.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        Guo, Li, Guo, Loy, Hou, Kwong, Cong, 2020, "Zero-reference deep curve estimation for low-light image
        enhancement", Section 3; Li, Guo, Loy, 2021, "Learning to enhance low-light image via zero-reference
        deep curve estimation" (Zero-DCE++).

    Differs from the authors' code: with ``scale`` above 1, interpolation of the maps aligns pixels' areas,
    not the corner pixels, so that the tiles of a large photograph agree.
    """

    parts = ("estimate",)
    RENAMED: ClassVar = ((r"^estimate\.", ""),)

    def __init__(
        self,
        channels: int = 32,
        iterations: int = 8,
        separable: bool = False,
        shared: bool = False,
        scale: int = 1,
    ) -> None:
        super().__init__()
        for name, size in {"channels": channels, "iterations": iterations, "scale": scale}.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        self.iterations = iterations
        self.scale = scale
        self.stride = scale
        self.estimate = _Estimator(channels, 3 if shared else 3 * iterations, separable)

    def forward(self, low: Tensor) -> Tensor:
        """Brighten images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape in [0, 1].
        """
        return self.bend(low, self.maps(low))

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the estimation with ``torch.compile``; training calls it by itself."""
        self.estimate.compile(*args, **kwargs)

    def maps(self, low: Tensor) -> Tensor:
        """Estimate curve maps in (-1, 1), three per iteration or three in all: (B, C, H, W)."""
        if self.scale == 1 or self.training:
            return cast(Tensor, self.estimate(low))
        height, width = low.shape[-2:]
        small = F.interpolate(low, (height // self.scale, width // self.scale), mode="bilinear")
        return F.interpolate(self.estimate(small), (height, width), mode="bilinear")

    def bend(self, low: Tensor, maps: Tensor) -> Tensor:
        """Apply the curves of maps to images of the same size."""
        image = low
        steps = maps.shape[1] // 3
        for step in maps.chunk(steps, dim=1) if steps > 1 else [maps] * self.iterations:
            image = image + step * (image.square() - image)
        return image


class _Estimator(nn.Module):
    """Seven convolutions, the last three of which also see features of the first three.

    Its members have the original's names.
    """

    def __init__(self, channels: int, maps: int, separable: bool) -> None:
        super().__init__()
        inputs = [3, *[channels] * 3, *[2 * channels] * 3]
        outputs = [*[channels] * 6, maps]
        for number, sizes in enumerate(zip(inputs, outputs, strict=True), start=1):
            conv = _Separable(*sizes) if separable else nn.Conv2d(*sizes, 3, padding=1)
            if isinstance(conv, nn.Conv2d):  # curves begin near the identity
                nn.init.normal_(conv.weight, std=0.02)
            self.add_module(f"e_conv{number}", conv)

    def forward(self, low: Tensor) -> Tensor:
        convs = [self.get_submodule(f"e_conv{number}") for number in range(1, LAYERS + 1)]
        features: list[Tensor] = []
        image = low.contiguous(memory_format=torch.channels_last)
        for conv in convs[:4]:
            image = F.relu(conv(image))
            features.append(image)
        last = features.pop()
        for conv in convs[4:6]:
            last = F.relu(conv(torch.cat([features.pop(), last], dim=1)))
        return torch.tanh(convs[6](torch.cat([features.pop(), last], dim=1)))


class _Separable(nn.Module):
    """Depthwise 3x3, then pointwise convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depth_conv = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs)
        self.point_conv = nn.Conv2d(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.point_conv(self.depth_conv(features)))
