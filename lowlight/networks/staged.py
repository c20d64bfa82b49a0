"""Networks that make an image after each of several stages."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Staged(Protocol):
    """A network whose stages each make an image that can be supervised.

    :class:`lowlight.networks.TPET` is one; :class:`lowlight.methods.DeeplySupervised` trains them.
    """

    def stages(self, low: Tensor) -> Sequence[Tensor]:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of the network's stride.

        Returns:
            The unclamped image of each stage, of the same shape; the last is the network's output.
        """
