"""Two trained methods, fused."""

from typing import final

from torch import Tensor

from lowlight.images import Batch
from lowlight.losses import l1
from lowlight.methods.base import Method
from lowlight.networks.fusion import FusedNetworks


@final
class Fusion(Method):
    """Enhance by two networks that were trained before; there is nothing more to learn.

    Args:
        net: The networks and how their results are fused.
        first: In a config, where the first network comes from: a run folder, a checkpoint, a pretrained
            folder, shipped weights, or the name of a method that needs no training. A stored recipe holds the
            network itself; see :func:`lowlight.checkpoints.recipe.assembled`.
        second: The same for the second network.
    """

    learns = False
    net: FusedNetworks

    def __init__(self, net: FusedNetworks, first: str | None = None, second: str | None = None) -> None:
        super().__init__(net)
        del first, second

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the mean absolute error, which is logged only."""
        return l1(restored, batch["high"])

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Refuse to train.

        Raises:
            ValueError: Always.
        """
        raise ValueError("a fusion learns nothing: train its two methods, then score it")

    def configure_optimizers(self) -> None:
        """Return no optimizer."""
