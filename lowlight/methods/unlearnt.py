"""Methods that learn nothing, scored like any other method."""

from collections.abc import Callable
from typing import final

from torch import Tensor

from lowlight.images import Batch
from lowlight.losses import l1
from lowlight.methods.base import Method
from lowlight.networks.function import Function


class Unlearnt(Method):
    """Base of methods that learn nothing, or nothing more.

    Args:
        net: The image network; see :class:`lowlight.methods.Method`.
    """

    learns = False

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the mean absolute error, which is logged only."""
        return l1(restored, batch["high"])

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Refuse to train.

        Raises:
            ValueError: Always.
        """
        raise ValueError("this method learns nothing: score it with `lowlight evaluate method=...`")

    def configure_optimizers(self) -> None:
        """Return no optimizer."""


@final
class Classical(Unlearnt):
    """Enhance by a function, without learning.

    Args:
        function: Maps images of shape (B, 3, H, W) in [0, 1] to images of the same shape.
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(Function(function))
