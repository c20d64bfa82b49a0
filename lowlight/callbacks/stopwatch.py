"""Timing of a training and its parts."""

import logging
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

log = logging.getLogger(__name__)

_PARTS = ("seconds", "waiting", "validating")


class Stopwatch(Callback):
    """Measure the training time of a run over all its sittings, that is, starts and resumptions.

    Attributes:
        sittings: Number of sittings.
        seconds: Training time in seconds, including the following.
        waiting: Seconds between training steps, mostly spent waiting for data.
        validating: Seconds in validation.
        precisions: Arithmetic precision per sitting, such as ``32-true``; successive equal ones once.
    """

    def __init__(self) -> None:
        self.sittings = 0
        self.seconds = self.waiting = self.validating = 0.0
        self.precisions: list[str] = []
        self._since: float | None = None
        self._paused = self._began = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock; note the precision, and warn if the run was trained with another one so far."""
        self.sittings += 1
        if not self.precisions or self.precisions[-1] != trainer.precision:
            if self.precisions:
                log.warning(
                    "trained with precision %s so far, this run goes on with %s on this machine: its weights "
                    "will not be those of an uninterrupted run, bit for bit",
                    self.precisions[-1],
                    trainer.precision,
                )
            self.precisions.append(trainer.precision)
        self._since = self._paused = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start waiting for the epoch's first batch."""
        self._paused = time.monotonic()

    def on_train_batch_start(self, *_: Any) -> None:
        """Add the time waited for the batch."""
        self.waiting += time.monotonic() - self._paused

    def on_train_batch_end(self, *_: Any) -> None:
        """Start waiting for the next batch."""
        self._paused = time.monotonic()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start timing a validation."""
        self._began = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the validation's time, which does not count as waiting."""
        now = time.monotonic()
        if not trainer.sanity_checking:
            self.validating += now - self._began
        self._paused = now

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._add()

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds and sittings so far, for the checkpoint."""
        if self._since is not None:
            self._add()
            self._since = time.monotonic()
        return {name: getattr(self, name) for name in (*_PARTS, "sittings", "precisions")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint's seconds and sittings."""
        for name in _PARTS:
            setattr(self, name, float(state_dict.get(name, 0)))
        self.precisions = list(state_dict.get("precisions", []))
        self.sittings = int(state_dict.get("sittings", 1))

    def _add(self) -> None:
        if self._since is not None:
            self.seconds += time.monotonic() - self._since
            self._since = None
