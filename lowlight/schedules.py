"""Learning-rate schedules, stepped once per epoch."""

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class LinearDecay(LRScheduler):
    """Constant learning rate, then a linear decay that would reach 0 one epoch after the last.

    Args:
        optimizer: The optimizer; the rate of each parameter group is its first.
        epochs: Length of the training in epochs.
        share: Share of the epochs, at the end, over which the rate decays, in (0, 1].

    Raises:
        ValueError: If ``epochs`` is below 1 or ``share`` not in (0, 1].

    Reference:
        Zhu et al., 2017, "Unpaired image-to-image translation using cycle-consistent adversarial networks",
        Section 4: 100 epochs and 100 more of decay.
    """

    def __init__(self, optimizer: Optimizer, epochs: int, share: float = 0.5) -> None:
        if epochs < 1 or not 0 < share <= 1:
            raise ValueError(
                f"a linear decay over share={share} of epochs={epochs} has no end: share must be in (0, 1]; "
                "set trainer.max_epochs, or method.scheduler=null"
            )
        self.epochs = epochs
        self.share = share
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each parameter group in epoch ``last_epoch``, counted from 0."""
        left = (self.epochs - self.last_epoch) / (self.share * self.epochs)
        return [float(rate) * min(max(left, 0.0), 1.0) for rate in self.base_lrs]


class WarmupCosine(LRScheduler):
    """Cosine decay of the learning rate after a linear warm-up.

    The rate depends on the epoch alone, so resumed runs get the same rates, and stays at the floor after the
    last epoch (torch's ``CosineAnnealingLR`` would rise again). It is a class because a checkpoint's recipe
    may call networks, optimizers, schedulers and losses only.

    Args:
        optimizer: The optimizer; the rate of each parameter group is its peak.
        epochs: Length of the training in epochs; the floor is reached after the last one.
        warmup: Epochs before the peak ``r``, at ``r / (warmup + 1)``, ``2 * r / (warmup + 1)``, ...; 0 begins
            at the peak.
        floor: Rate at the end; a group with a lower rate keeps its own.
        restart: Epoch at which the schedule begins again, for a training in two stages; 0 is none.

    Raises:
        ValueError: If ``epochs`` is below 1, or ``warmup`` or ``floor`` is negative.

    Reference:
        Loshchilov and Hutter, 2017, "SGDR: stochastic gradient descent with warm restarts", Equation 5
        without restarts; Goyal et al., 2017, "Accurate, large minibatch SGD", Section 2.2 (gradual warm-up).
    """

    def __init__(
        self, optimizer: Optimizer, epochs: int, warmup: int = 0, floor: float = 1e-6, restart: int = 0
    ) -> None:
        if epochs < 1:
            raise ValueError(
                f"a schedule over epochs={epochs} has no end to decay to; set trainer.max_epochs, or "
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
        """Return the rate of each parameter group in epoch ``last_epoch``, counted from 0."""
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


class StepDecay(LRScheduler):
    """Constant learning rate that drops once.

    Args:
        optimizer: The optimizer; the rate of each parameter group is its peak.
        epochs: Epochs at the peak.
        factor: Share of the peak afterwards.
        restart: Epoch at which the schedule begins again, for a training in two stages; 0 is none.

    Raises:
        ValueError: If ``epochs`` or ``factor`` is negative.
    """

    def __init__(self, optimizer: Optimizer, epochs: int, factor: float = 0.1, restart: int = 0) -> None:
        if epochs < 0 or factor < 0:
            raise ValueError(f"a schedule's epochs={epochs} and factor={factor} cannot be negative")
        self.epochs = epochs
        self.factor = factor
        self.restart = restart
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each parameter group in epoch ``last_epoch``, counted from 0."""
        started = self.restart if self.last_epoch >= self.restart else 0
        factor = 1.0 if self.last_epoch - started < self.epochs else self.factor
        return [rate * factor for rate in self.base_lrs]
