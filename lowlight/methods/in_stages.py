"""Training of one part of a network after the other, on one schedule of epochs."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, final

from omegaconf import DictConfig
from torch import Tensor, nn

from lowlight.images import Batch
from lowlight.methods.base import MakeOptimizer, MakeScheduler
from lowlight.methods.single_optimizer import SingleOptimizer


class InStages(SingleOptimizer):
    """Base of methods that train one part of the network first, then, with that part frozen, the other.

    One optimizer holds both parts. A part that gets no gradient is not changed by its steps: the second stage
    runs the first part under :func:`lowlight.model.evaluating`.

    Args:
        net: The image network; see :class:`lowlight.methods.Method`.
        first_epochs: Number of first epochs that train the first part.
        optimizer: Makes the optimizer from the parameters of both parts.
        scheduler: Makes the learning-rate schedule, stepped once per epoch; None keeps the rate. To start
            again with the second stage, it restarts at ``first_epochs``.

    Attributes:
        FIRST_EPOCHS: Name of the setting of ``first_epochs``, for messages.

    Raises:
        ValueError: If ``first_epochs`` is negative.
    """

    FIRST_EPOCHS: ClassVar[str]

    def __init__(
        self, net: nn.Module, first_epochs: int, optimizer: MakeOptimizer, scheduler: MakeScheduler | None
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        if first_epochs < 0:
            raise ValueError(f"{self.FIRST_EPOCHS}={first_epochs} must be at least 0")
        self.first_epochs = first_epochs

    @final
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of the stage being trained."""
        return self.first_step(batch) if self.current_epoch < self.first_epochs else self.second_step(batch)

    @abstractmethod
    def first_step(self, batch: Batch) -> Tensor:
        """Return the loss of a batch in the first stage, and record it."""

    @abstractmethod
    def second_step(self, batch: Batch) -> Tensor:
        """Return the loss of a batch in the second stage, and record it."""

    def training_problems(self, config: DictConfig) -> Iterator[str]:
        """Yield a warning per setting under which a stage is cut short."""
        if "early_stopping" in (config.callbacks or {}):
            yield (
                "callbacks=[...,early_stopping] counts validations of the first stage, too, whose scores "
                f"mean little: its patience must outlast method.{self.FIRST_EPOCHS}={self.first_epochs}"
            )
        epochs = config.trainer.get("max_epochs")
        if epochs is not None and 0 <= epochs <= self.first_epochs:
            yield (
                f"all of trainer.max_epochs={epochs} train the first stage, none the second: lower "
                f"method.{self.FIRST_EPOCHS}={self.first_epochs}"
            )
