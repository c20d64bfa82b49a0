"""Methods that learn nothing: a function of the dark image, scored like any other method."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from lowlight.images import Pair
from lowlight.losses import l1
from lowlight.methods.base import Method


def identity(low: Tensor) -> Tensor:
    """Return the images as they are: what every method must beat."""
    return low


def gamma(low: Tensor, exponent: float = 0.4) -> Tensor:
    """Raise images of shape (B, 3, H, W) in [0, 1] to a power; an exponent under 1 brightens."""
    return low.clamp(0, 1).pow(exponent)


def histogram(low: Tensor) -> Tensor:
    """Equalise the histogram of the BT.601 luma of each image; chroma stays.

    Args:
        low: Images of shape (B, 3, H, W) in [0, 1].

    Returns:
        Images of the same shape in [0, 1]; what chroma would carry beyond is clipped.

    Reference:
        Gonzalez and Woods, "Digital image processing", section on histogram equalisation; kornia's
        ``equalize`` with 256 bins.
    """
    from kornia.color import rgb_to_ycbcr, ycbcr_to_rgb
    from kornia.enhance import equalize

    image: Tensor = rgb_to_ycbcr(low.float())
    luma, chroma = image[:, :1], image[:, 1:]
    # kornia truncates to 8 bits; a quarter of a level keeps a rounded luma at its own level.
    level = luma.clamp(0, 1).mul(255).round().add(0.25).div(255)
    equalised: Tensor = ycbcr_to_rgb(torch.cat((equalize(level), chroma), dim=1))
    return equalised


class _Function(nn.Module):
    """An image network around a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, low: Tensor) -> Tensor:
        return self.function(low)


@final
class Classical(Method):
    """Enhance by a function; nothing is learnt.

    Args:
        function: Maps images of shape (B, 3, H, W) in [0, 1] to images of the same shape.
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(_Function(function))

    def loss(self, restored: Tensor, batch: Pair) -> Tensor:
        """Return the mean absolute error, for the record."""
        return l1(restored, batch["high"])

    def training_step(self, batch: Pair, batch_idx: int) -> None:
        """Refuse to train.

        Raises:
            ValueError: Always.
        """
        raise ValueError("this method learns nothing: score it with `lowlight evaluate method=...`")

    def configure_optimizers(self) -> None:
        """Return no optimizer."""
