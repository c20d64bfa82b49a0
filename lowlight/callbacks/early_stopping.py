"""Stopping before the last epoch."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason


class StaysStopped(EarlyStopping):
    """Lightning's ``EarlyStopping``, but a run that it stopped and that is resumed does not go on.

    A run may be killed after its last epoch and before its test; resumed, Lightning would train it further.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at once if training had stopped."""
        trainer.should_stop |= self.stopping_reason != EarlyStoppingReason.NOT_STOPPED
