"""Early stopping that survives resuming."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason


class StaysStopped(EarlyStopping):
    """Lightning's ``EarlyStopping``, which stays in force when the stopped run is resumed.

    A run may be killed between its last epoch and its test; when resumed, Lightning alone would train on.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at once if training had been stopped."""
        trainer.should_stop |= self.stopping_reason != EarlyStoppingReason.NOT_STOPPED
