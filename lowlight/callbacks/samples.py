"""Logging of validation images."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from lowlight.callbacks.pictures import spread
from lowlight.images import Batch, has_references, to_uint8
from lowlight.loggers.base import Sample, run_loggers


class Samples(Callback):
    """Log fixed validation images, as dark image, enhanced image and any reference, to the trackers.

    They are logged after the first validation and the last that is planned, and after each that passes a
    multiple of ``every_n_epochs``; only to a :class:`lowlight.loggers.base.RunLogger`.

    Args:
        count: Number of images, evenly spaced over the validation images; 0 logs none.
        every_n_epochs: Interval in epochs.

    Raises:
        ValueError: If ``count`` is negative or ``every_n_epochs`` is below 1.
    """

    shows_only: ClassVar[bool] = True

    def __init__(self, count: int = 4, every_n_epochs: int = 10) -> None:
        if count < 0 or every_n_epochs < 1:
            raise ValueError(
                f"samples need a count of at least 0 and every_n_epochs of at least 1, got count={count} "
                f"and every_n_epochs={every_n_epochs}"
            )
        self.count = count
        self.every_n_epochs = every_n_epochs
        self._samples: list[Sample] = []

    @rank_zero_only
    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the batch's first image, if chosen."""
        if trainer.sanity_checking or not self._is_due(trainer) or not run_loggers(trainer.loggers):
            return
        if batch_idx in spread(int(trainer.num_val_batches[dataloader_idx]), self.count):
            images = [batch["low"], cast(Tensor, outputs)]
            if has_references(batch):
                images.append(batch["high"])
            self._samples.append(Sample(batch["name"][0], *(to_uint8(image[0]).cpu() for image in images)))

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the images kept."""
        samples, self._samples = self._samples, []
        for logger in run_loggers(trainer.loggers) if samples else []:
            logger.log_samples(samples, trainer.current_epoch + 1)

    def _is_due(self, trainer: pl.Trainer) -> bool:
        interval, epoch = trainer.check_val_every_n_epoch or 1, trainer.current_epoch + 1
        is_last = trainer.max_epochs is not None and 0 <= trainer.max_epochs < epoch + interval
        passes = epoch // self.every_n_epochs > (epoch - interval) // self.every_n_epochs
        return epoch <= interval or passes or is_last
