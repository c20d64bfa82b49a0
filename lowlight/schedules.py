"""Learning-rate schedules, stepped each epoch."""

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class WarmupCosine(LRScheduler):
    """Raise the rate in equal steps, then let it fall along half a cosine.

    The rate is a function of the epoch alone, so a resumed run has the same, and training beyond the last
    epoch goes on at the floor (torch's ``CosineAnnealingLR`` would rise again). A class, since a checkpoint's
    recipe may call networks, optimizers, schedulers and losses only.

    Args:
        optimizer: Whose rates are set; each parameter group's own is the highest it reaches.
        epochs: Length of the training in epochs; the floor is reached after the last one.
        warmup: Epochs before the highest rate ``r`` is reached, with ``r / (warmup + 1)`` in the first and as
            much more in each following one; 0 begins at the highest.
        floor: Rate at the end; a group whose own rate is lower keeps that.
        restart: Epoch in which all begins anew, for a training of two stages; 0 is none.

    Raises:
        ValueError: If ``epochs`` is under 1, or ``warmup`` or ``floor`` negative.

    Reference:
        Loshchilov and Hutter, 2017, "SGDR: stochastic gradient descent with warm restarts", Equation 5
        without restarts; Goyal et al., 2017, "Accurate, large minibatch SGD", Section 2.2 (gradual warm-up).
    """

    def __init__(
        self, optimizer: Optimizer, epochs: int, warmup: int = 0, floor: float = 1e-6, restart: int = 0
    ) -> None:
        if epochs < 1:
            raise ValueError(
                f"a schedule over epochs={epochs} has no end to fall to; set trainer.max_epochs, or "
                "method.scheduler=null"
            )
        if warmup < 0 or floor < 0:
            raise ValueError(f"a schedule's warmup={warmup} and floor={floor} cannot be negative")
        self.epochs = epochs
        self.warmup = warmup
        self.floor = floor
        self.restart = restart
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each parameter group in the epoch ``last_epoch``, counted from 0."""
        return [self._rate(rate) for rate in self.base_lrs]

    def _rate(self, highest: float | Tensor) -> float:
        epoch, rate, epochs = self.last_epoch, float(highest), self.restart or self.epochs
        if epoch >= self.restart:
            epoch, epochs = epoch - self.restart, self.epochs - self.restart
        if epoch < self.warmup:
            return rate * (epoch + 1) / (self.warmup + 1)
        floor = min(self.floor, rate)
        progress = min((epoch - self.warmup) / max(epochs - self.warmup, 1), 1.0)
        return floor + (rate - floor) * (1 + math.cos(math.pi * progress)) / 2
