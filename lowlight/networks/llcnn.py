"""LLCNN: residual convolutional modules at full resolution, on luma or in RGB."""

from typing import cast

import torch
from torch import Tensor, nn

from lowlight.networks.luma import luma


def _conv(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    """Make a convolution that keeps the size, with the initialisation of He et al. (2015)."""
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def _pair(width: int) -> nn.Sequential:
    return nn.Sequential(_conv(width, width, 3), nn.ReLU(), _conv(width, width, 3))


class ResidualModule(nn.Module):
    """Two residual units: the skip connection of the first is a 1x1 convolution, the second's the identity.

    Args:
        width: Input and output channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.skip = _conv(width, width, 1)
        self.first = _pair(width)
        self.second = _pair(width)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        features = torch.relu(self.skip(features) + self.first(features))
        return torch.relu(features + self.second(features))


class LLCNN(nn.Module):
    """Convolutional network of residual modules without normalisation, meant for the SSIM loss.

    A 3x3 convolution, modules of two residual units each, and a last 3x3 convolution, all at full resolution.
    With one channel the network maps the BT.601 luma, and colours follow by scaling: for a luma of at least
    1/255, red, green and blue are multiplied by the ratio of the new luma to the old. Below, their distances
    from grey are multiplied by the ratio to 1/255, so that black parts can become grey.

    Args:
        channels: 1 to enhance the luma, 3 for red, green and blue.
        width: Channels between the convolutions.
        modules: Number of modules; each has five convolutions.

    Raises:
        ValueError: If ``channels`` is neither 1 nor 3, or another size below 1.

    Reference:
        Tao, Zhu, Xiang, Li, Jia and Xie, 2017, "LLCNN: a convolutional neural network for low-light image
        enhancement" (VCIP); sizes, rectifiers and initialisation by the authors' published Caffe model, which
        maps grey images. The treatment of colour is ours.
    """

    def __init__(self, channels: int = 1, width: int = 64, modules: int = 3) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise ValueError(f"channels must be 1 (luma) or 3 (RGB), got {channels}")
        for name, size in {"width": width, "modules": modules}.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        self.channels = channels
        self.body = nn.Sequential(
            _conv(channels, width, 3),
            nn.ReLU(),
            *(ResidualModule(width) for _ in range(modules)),
            _conv(width, channels, 3),
        )

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1].

        Returns:
            Images of the same shape, not clamped. With one channel their luma is the network's output.
        """
        if self.channels == 3:
            return cast(Tensor, self.body(low))
        grey = luma(low)
        bright = self.body(grey)
        return cast(Tensor, bright + (low - grey) * (bright / grey.clamp(min=1 / 255)))
