"""Logging the learning rate."""

from typing import ClassVar

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback


class LearningRate(Callback):
    """Log the learning rates at the start of each epoch.

    ``train/lr`` is the image network's rate, ``train/<part>_lr`` that of another part, such as
    ``train/discriminator_lr``.
    """

    shows_only: ClassVar[bool] = True

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the rates, unrounded."""
        part_of = {
            id(parameter): name
            for name, part in pl_module.named_children()
            for parameter in part.parameters()
        }
        rates: dict[str, float] = {}
        for group in (group for optimizer in trainer.optimizers for group in optimizer.param_groups):
            part = part_of.get(id(group["params"][0]), "net")
            rates.setdefault("train/lr" if part == "net" else f"train/{part}_lr", float(group["lr"]))
        for logger in trainer.loggers:
            logger.log_metrics({**rates, "epoch": trainer.current_epoch}, trainer.global_step)
