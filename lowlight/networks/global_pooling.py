"""The base of layers that see the whole image, whose statistics the tiles of a large image can share."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class GlobalPooling(nn.Module, ABC):
    """A layer that computes statistics of the whole image and applies them to each pixel.

    The statistics do not depend on the size of the image, so those of a small copy stand for it: see
    :func:`lowlight.networks.receptive_field.recorded`.
    """

    @abstractmethod
    def statistics(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return the statistics of features of shape (B, C, H, W); the first axis of each is the image."""

    @abstractmethod
    def under(self, features: Tensor, statistics: tuple[Tensor, ...]) -> Tensor:
        """Return the layer's output, its pixels independent of each other, under given statistics."""

    def forward(self, features: Tensor) -> Tensor:
        """Return the layer's output under the features' own statistics."""
        return self.under(features, self.statistics(features))
