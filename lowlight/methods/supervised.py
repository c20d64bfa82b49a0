"""Training of one network by one loss, with one optimizer."""

from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from lowlight.images import Batch
from lowlight.losses import Loss, apply_loss, charbonnier
from lowlight.methods.base import MakeOptimizer, MakeScheduler
from lowlight.methods.single_optimizer import SingleOptimizer


@final
class Supervised(SingleOptimizer):
    """Train a network to map dark images to their references.

    MIRNet and the study's autoencoder are trained this way; they differ in network and loss only.

    Args:
        net: The image network; see :class:`lowlight.methods.Method`.
        loss: Loss of the raw output, with or without a reference; see :func:`lowlight.losses.apply_loss`.
        optimizer: Makes the optimizer from the network's parameters; by default Adam at 2e-4, as in MIRNet's
            paper.
        scheduler: Makes the learning-rate schedule, stepped once per epoch; None keeps the rate.
        needs_references: Whether the loss uses references; if it does not, data without them will do.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss = charbonnier,
        optimizer: MakeOptimizer = partial(torch.optim.Adam, lr=2e-4),
        scheduler: MakeScheduler | None = None,
        needs_references: bool = True,
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        self.needs_references = needs_references
        self.loss_function = loss

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the loss of the raw output, shape (B, 3, H, W)."""
        return apply_loss(self.loss_function, restored, batch["high"], batch["low"], self.net)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        restored = self.restore(batch["low"])
        loss = self.loss(restored, batch)
        self.record(restored, batch, {"loss": loss})
        return loss
