"""SCI: an illumination that three small convolutions estimate, and its calibration in training."""

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from lowlight.networks.original import Original


class SCI(Original):
    """Divide images by an illumination that a residual network of one block estimates.

    The illumination is that of each channel, at least the image and at most 1, so that the result stays in
    [0, 1]. In training, the same network estimates it in several stages; see
    :class:`lowlight.methods.SelfCalibrated`.

    Args:
        channels: Channels of the convolutions.
        layers: How often the block, which is shared, is applied.

    Attributes:
        parts: Submodule that takes most of the time.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        Ma, Ma, Liu, Fan, Luo, 2022, "Toward fast, flexible, and robust low-light image enhancement",
        Section 2.1 and, for the sizes, the authors' code.
    """

    parts = ("estimate",)
    RENAMED: ClassVar = ((r"^estimate\.", "enhance."),)
    TRAINING_ONLY: ClassVar = ("calibrate.",)

    def __init__(self, channels: int = 3, layers: int = 1) -> None:
        super().__init__()
        if channels < 1 or layers < 1:
            raise ValueError(f"channels={channels} and layers={layers} must be at least 1")
        self.layers = layers
        self.estimate = _Estimator(channels, layers)

    def forward(self, low: Tensor) -> Tensor:
        """Map images of shape (B, 3, H, W) in [0, 1] to images of the same shape and range."""
        return low / self.illumination(low)

    def illumination(self, image: Tensor) -> Tensor:
        """Estimate the illumination per channel, shape (B, 3, H, W), in [0.0001, 1]."""
        return cast(Tensor, self.estimate(image))

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the estimation with ``torch.compile``; training calls it by itself."""
        self.estimate.compile(*args, **kwargs)

    def original_names(self, name: str) -> list[str]:
        """Return the published names; the shared block stands there once more per application."""
        [name] = super().original_names(name)
        shared = "enhance.conv."
        if not name.startswith(shared):
            return [name]
        rest = name.removeprefix(shared)
        return [name, *(f"enhance.blocks.{number}.{rest}" for number in range(self.layers))]


class SelfCalibration(nn.Module):
    """Estimate what to add to a dark image before the next stage, given its enhancement in this one.

    It brings the stages of the training closer together and is not needed afterwards.

    Args:
        channels: Channels of the convolutions.
        layers: How often the block of two convolutions, which is shared, is applied.

    Reference:
        Ma et al., 2022 (see :class:`SCI`), Section 2.2.
    """

    def __init__(self, channels: int = 16, layers: int = 3) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels={channels} must be at least 1")
        self.layers = layers
        self.in_conv = _convolution(3, channels)
        self.convs = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels))
        self.out_conv = nn.Sequential(nn.Conv2d(channels, 3, 3, padding=1), nn.Sigmoid())
        self.apply(_start)

    def forward(self, enhanced: Tensor) -> Tensor:
        """Map enhanced images of shape (B, 3, H, W) in [0, 1] to differences of the same shape in (-1, 1)."""
        features = self.in_conv(enhanced)
        for _ in range(self.layers):
            features = features + self.convs(features)
        return enhanced - cast(Tensor, self.out_conv(features))


class _Estimator(nn.Module):
    """The illumination network; its members have the original's names."""

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.layers = layers
        self.in_conv = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.ReLU())
        self.conv = _convolution(channels, channels)
        self.out_conv = nn.Sequential(nn.Conv2d(channels, 3, 3, padding=1), nn.Sigmoid())
        self.apply(_start)

    def forward(self, image: Tensor) -> Tensor:
        features = self.in_conv(image.contiguous(memory_format=torch.channels_last))
        for _ in range(self.layers):
            features = features + self.conv(features)
        illumination = cast(Tensor, self.out_conv(features)) + image
        return illumination.clamp(1e-4, 1.0)  # ONNX exports fail on 1


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


def _start(module: nn.Module) -> None:
    """Draw the initial weights as the authors' code does."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(cast(Tensor, module.bias))
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, mean=1.0, std=0.02)
