"""Two trained methods, fused."""

from typing import final

from lowlight.methods.unlearnt import Unlearnt
from lowlight.networks.fusion import FusedNetworks


@final
class Fusion(Unlearnt):
    """Enhance by two networks that were trained before; there is nothing more to learn.

    Args:
        net: The networks and how their results are fused.
        first: In a config, where the first network comes from: a run folder, a checkpoint, a pretrained
            folder, shipped weights, or the name of a method that needs no training. A stored recipe holds the
            network itself; see :func:`lowlight.checkpoints.recipe.assembled`.
        second: The same for the second network.
    """

    net: FusedNetworks

    def __init__(self, net: FusedNetworks, first: str | None = None, second: str | None = None) -> None:
        super().__init__(net)
        del first, second
