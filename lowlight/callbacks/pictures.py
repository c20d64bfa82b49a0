"""Callbacks that write images into the run folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from lowlight.images import Batch, has_references, write_image


class ProgressPictures(Callback):
    """Write the enhanced first validation image after some of the validated epochs.

    That of the last one is always among them, also if the training ends early.

    Args:
        folder: Run folder; images are written to ``pictures/progress/`` in it.
        count: Number of epochs, evenly spaced from the first to the last; without a last one, each validation
            whose number is a power of 2.
    """

    shows_only: ClassVar[bool] = True

    def __init__(self, folder: Path | str, count: int = 8) -> None:
        self.folder = Path(folder) / "pictures" / "progress"
        self.count = count
        self._latest: tuple[int, Tensor] | None = None

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
        """Write the first batch's image if the epoch is due, and keep it otherwise."""
        if batch_idx > 0 or trainer.sanity_checking:
            return
        self._latest = trainer.current_epoch + 1, cast(Tensor, outputs)[0].detach().cpu()
        if not self._is_due(trainer):
            return
        for role in ("low", "high") if has_references(batch) else ("low",):
            if not (self.folder / f"{role}.png").exists():
                write_image(batch[role][0], self.folder / f"{role}.png")
        self._write_latest()

    @rank_zero_only
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the image of the last validation, if it is not written yet."""
        self._write_latest()

    def _write_latest(self) -> None:
        if self._latest is not None:
            epoch, image = self._latest
            write_image(image, self.folder / f"epoch-{epoch:04d}.png")
            self._latest = None

    def _is_due(self, trainer: pl.Trainer) -> bool:
        interval = trainer.check_val_every_n_epoch or 1
        number = (trainer.current_epoch + 1) // interval
        if trainer.max_epochs is None or trainer.max_epochs < 0:
            return number.bit_count() == 1
        last = max(trainer.max_epochs // interval, 1)
        return number in np.linspace(1, last, min(self.count, last)).round().astype(int)


class TestPictures(Callback):
    """Write dark image, enhanced image and reference of some test images, evenly spaced over the set.

    Args:
        folder: Run folder; images are written to ``pictures/test/<name>/`` in it.
        count: Number of images.
    """

    shows_only: ClassVar[bool] = True
    __test__ = False  # no test class, though pytest would take its name for one

    def __init__(self, folder: Path | str, count: int = 4) -> None:
        self.folder = Path(folder)
        self.count = count

    @rank_zero_only
    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the batch's first image, if chosen."""
        if batch_idx in spread(int(trainer.num_test_batches[dataloader_idx]), self.count):
            write_triple(self.folder, batch, cast(Tensor, outputs))


class EnhancedImages(Callback):
    """Write every enhanced test image as a PNG file.

    Args:
        folder: Folder of the files.
        name_file: Returns the file name of an image name.
    """

    shows_only: ClassVar[bool] = True

    def __init__(self, folder: Path | str, name_file: Callable[[str], str]) -> None:
        self.folder = Path(folder)
        self.name_file = name_file

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the batch's images; each process writes those it enhanced."""
        for name, enhanced in zip(batch["name"], cast(Tensor, outputs), strict=True):
            write_image(enhanced, self.folder / self.name_file(name))


def spread(total: int, count: int) -> list[int]:
    """Return up to ``count`` of ``total`` indices, evenly spaced from the first to the last."""
    return sorted(set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()))


def write_triple(run: Path, batch: Batch, enhanced: Tensor) -> None:
    """Write a batch's first image as low, enhanced and any reference into ``pictures/test/<name>/``."""
    folder = run / "pictures" / "test" / batch["name"][0].replace("/", "__")
    write_image(batch["low"][0], folder / "low.png")
    write_image(enhanced[0], folder / "enhanced.png")
    if has_references(batch):
        write_image(batch["high"][0], folder / "high.png")
