"""A function of images as a network, for what is not learnt."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Function(nn.Module):
    """Compute a function without weights, on the device that the module was moved to.

    Args:
        function: Maps images of shape (B, 3, H, W) in [0, 1] to images of the same shape.
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("place", torch.empty(0), persistent=False)  # is moved in the weights' stead

    def forward(self, low: Tensor) -> Tensor:
        """Map images of shape (B, 3, H, W) in [0, 1] to images of the same shape."""
        return self.function(low)
