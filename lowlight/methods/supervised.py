"""Supervised training: one network, one loss against the reference."""

from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lowlight.images import Batch
from lowlight.losses import Loss, apply_loss, charbonnier
from lowlight.methods.base import MakeOptimizer, MakeScheduler, Method, scheduled


@final
class Supervised(Method):
    """Train a network to map dark images to their references.

    MIRNet and the autoencoder of the study are both trained so; they differ in network and loss alone.

    Args:
        net: The image network; see :class:`lowlight.methods.Method`.
        loss: Compares the raw output with the reference.
        optimizer: Makes the optimizer from the network's parameters; Adam at 2e-4 by default, as MIRNet's
            paper trains.
        scheduler: Makes a learning-rate schedule, stepped each epoch; None keeps the rate.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss = charbonnier,
        optimizer: MakeOptimizer = partial(torch.optim.Adam, lr=2e-4),
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(net)
        self.loss_function = loss
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Compare the raw output of shape (B, 3, H, W) with the reference."""
        return apply_loss(self.loss_function, restored, batch["high"], batch["low"])

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch, whose sides must fit the network's stride or are padded to it."""
        restored = self.restore(batch["low"])
        loss = self.loss(restored, batch)
        self.record(restored, batch, {"loss": loss})
        return loss

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Log the norm of the gradient that the network is about to follow, before any clipping."""
        self.log_gradient_norm(self.net, "gradient_norm")

    def configure_optimizers(self) -> Any:
        """Make the optimizer and, if wanted, its schedule."""
        return scheduled(self.make_optimizer(self.net.parameters()), self.make_scheduler)
