"""A callback that kills its own process, as a power cut would."""

import os
import signal

import pytorch_lightning as pl


class KillAfter(pl.Callback):
    """Send SIGKILL in the middle of the epoch that follows so many whole ones."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        """Kill."""
        if trainer.current_epoch == self.epochs:
            os.kill(os.getpid(), signal.SIGKILL)
