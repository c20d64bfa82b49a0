"""Automatic optimisation of a network, with one optimizer."""

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from lowlight.methods.base import MakeOptimizer, MakeScheduler, Method


class SingleOptimizer(Method):
    """Train by one optimizer, which Lightning steps on what ``training_step`` returns.

    Abstract base; its subclasses implement ``loss`` and ``training_step``, and ``parameter_groups`` if they
    train more than the network.

    Args:
        net: The image network; see :class:`lowlight.methods.Method`.
        optimizer: Makes the optimizer from what :meth:`parameter_groups` returns.
        scheduler: Makes the learning-rate schedule, stepped once per epoch; None keeps the rate.
    """

    def __init__(self, net: nn.Module, optimizer: MakeOptimizer, scheduler: MakeScheduler | None) -> None:
        super().__init__(net)
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler

    def parameter_groups(self) -> Iterable[nn.Parameter] | Iterable[dict[str, Any]]:
        """Return what is trained: the network's parameters, or groups of them with settings of their own.

        Checkpoints hold the optimizer's state in this order.
        """
        return self.net.parameters()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Log the norm of the gradient, before any clipping."""
        self.log_gradient_norm(optimizer, "gradient_norm")

    def configure_optimizers(self) -> Any:
        """Make the optimizer and its schedule, if any."""
        optimizer = self.make_optimizer(self.parameter_groups())
        if self.make_scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self.make_scheduler(optimizer)}
