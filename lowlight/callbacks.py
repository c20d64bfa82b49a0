"""Callbacks and small Lightning parts that every run uses."""

import csv
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from lowlight.images import Pair, write_image
from lowlight.run_folder import LAST, PREVIOUS, write_table


class CurveLogger(Logger):
    """Write the curves of a run as ``metrics.csv``: a row an epoch, counted from 1, whole after each epoch.

    An existing file is continued: a resumed run keeps the rows of the epochs before.

    Args:
        folder: Where the file goes.
    """

    def __init__(self, folder: Path | str) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"
        self.rows: dict[int, dict[str, Any]] = {}
        if self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                self.rows = {int(row.pop("epoch")): dict(row) for row in csv.DictReader(file)}

    @property
    def name(self) -> str:
        """The kind of logger."""
        return "csv"

    @property
    def version(self) -> str:
        """One file, one version."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: ``config.yaml`` holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Take metrics of an epoch; those of the test go to ``metrics.json`` instead."""
        curves = {key: value for key, value in metrics.items() if key.startswith(("train/", "val/"))}
        if curves and "epoch" in metrics:
            self.rows.setdefault(int(metrics["epoch"]) + 1, {}).update(curves)

    @rank_zero_only
    def save(self) -> None:
        """Write the file."""
        if not self.rows:
            return
        columns = ["epoch", *sorted({key for row in self.rows.values() for key in row})]
        write_table(self.path, [{"epoch": epoch, **row} for epoch, row in sorted(self.rows.items())], columns)


class EpochSeed(Callback):
    """Reseed the global generators at each epoch, by seed and epoch.

    A resumed run then draws (dropout, say) what a run never stopped would have drawn, and no random state
    need be stored.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reseed; each process of several differently."""
        state = np.random.SeedSequence([self.seed, trainer.current_epoch, trainer.global_rank])
        seed = int(state.generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)


class MovedFolder(Callback):
    """Let a run that goes on in a moved or renamed folder keep its best checkpoint and that one's score.

    Lightning stores the folder of its checkpoints by its path, and forgets the best score where that differs.
    """

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write the present folder in place of the one before, ahead of each callback's taking its state."""
        for callback in trainer.checkpoint_callbacks:
            state = checkpoint["callbacks"].get(callback.state_key, {})
            if isinstance(callback, ModelCheckpoint) and "dirpath" in state:
                checkpoint["callbacks"][callback.state_key] = _moved(
                    state, f"{state['dirpath']}/", f"{callback.dirpath}/"
                )


def _moved(state: Any, before: str, now: str) -> Any:
    """Replace the beginning of the paths in a checkpoint callback's state."""
    if isinstance(state, dict):
        return {_moved(key, before, now): _moved(value, before, now) for key, value in state.items()}
    if isinstance(state, str) and f"{state}/".startswith(before):
        return f"{now}{state[len(before) :]}" if len(state) > len(before) else now.removesuffix("/")
    return state


class ProgressPictures(Callback):
    """Write the first validation image as the method enhances it, after some of the validated epochs.

    Args:
        folder: The run's folder; pictures go to ``pictures/progress/`` in it.
        count: How many epochs are shown, evenly spread with the first and the last.
    """

    def __init__(self, folder: Path | str, count: int = 8) -> None:
        self.folder = Path(folder) / "pictures" / "progress"
        self.count = count

    @rank_zero_only
    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the picture of the first batch."""
        if batch_idx > 0 or trainer.sanity_checking or not self._is_due(trainer):
            return
        pair = cast(Pair, batch)
        for role in ("low", "high"):
            if not (self.folder / f"{role}.png").exists():
                write_image(pair[role][0], self.folder / f"{role}.png")
        write_image(cast(Tensor, outputs)[0], self.folder / f"epoch-{trainer.current_epoch + 1:04d}.png")

    def _is_due(self, trainer: pl.Trainer) -> bool:
        interval = trainer.check_val_every_n_epoch or 1
        last = max((trainer.max_epochs or 0) // interval, 1)
        due = np.linspace(1, last, min(self.count, last)).round().astype(int)
        return (trainer.current_epoch + 1) // interval in due


class TestPictures(Callback):
    """Write low, enhanced and reference of some test images, spread evenly over the set.

    Args:
        folder: The run's folder; pictures go to ``pictures/test/<name>/`` in it.
        count: How many images.
    """

    __test__ = False  # no test class, whatever its name tells pytest

    def __init__(self, folder: Path | str, count: int = 4) -> None:
        self.folder = Path(folder)
        self.count = count

    @rank_zero_only
    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the batch's first image, if it is one of those wanted."""
        if batch_idx in spread(int(trainer.num_test_batches[dataloader_idx]), self.count):
            write_triple(self.folder, cast(Pair, batch), cast(Tensor, outputs))


class EnhancedImages(Callback):
    """Write every enhanced test image as a PNG file.

    Args:
        folder: Where they go.
        name_file: Says what the image of a name is saved as.
    """

    def __init__(self, folder: Path | str, name_file: Callable[[str], str]) -> None:
        self.folder = Path(folder)
        self.name_file = name_file

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the batch's images; each process those it enhanced."""
        for name, enhanced in zip(cast(Pair, batch)["name"], cast(Tensor, outputs), strict=True):
            write_image(enhanced, self.folder / self.name_file(name))


def spread(total: int, count: int) -> list[int]:
    """Choose up to ``count`` of ``total`` indices, evenly spread with the first and the last."""
    return sorted(set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()))


def write_triple(run: Path, batch: Pair, enhanced: Tensor) -> None:
    """Write low, enhanced and reference of a batch's first image into ``pictures/test/<name>/`` of a run."""
    folder = run / "pictures" / "test" / batch["name"][0].replace("/", "__")
    write_image(batch["low"][0], folder / "low.png")
    write_image(enhanced[0], folder / "enhanced.png")
    write_image(batch["high"][0], folder / "high.png")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints whole or not at all: beside the target, synced, then moved over it.

    ``last.ckpt`` leaves the one before as ``previous.ckpt``, should a disk ever spoil the newer.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: What Lightning stores.
            path: The file.
            storage_options: Must be None, as in Lightning's own.

        Raises:
            OSError: If it cannot be written; the file of before is left.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if target.name == LAST and target.exists():
                target.replace(target.with_name(PREVIOUS))
            partial.replace(target)
        except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
            reason = getattr(error, "strerror", None) or (error.__context__ or error)
            raise OSError(
                f"cannot write {target} ({reason}); what was there is whole: make room, then resume=auto"
            ) from error
        finally:
            partial.unlink(missing_ok=True)
