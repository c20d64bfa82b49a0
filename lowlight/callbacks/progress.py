"""The bar that a training shows on a terminal."""

import time
from collections.abc import Iterable
from typing import Any, cast

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback, ProgressBar, Timer
from tqdm import tqdm

_SHOWN = ("val/psnr", "val/ssim")
_INTERVAL = 0.5
"""Seconds between two looks at the loss, each of which waits for the device."""


class OneBar(ProgressBar):
    """Show one bar over all epochs: epoch, loss, ``val/psnr``, ``val/ssim`` and the time that is left.

    It stands on stderr, and only where that is a terminal. The time left is that of the epochs to come, at
    the pace of this sitting, or until ``max_time`` where that is less. Under manual optimisation the loss is
    the mean of the last epoch.
    """

    shows_only = True

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: tqdm[Any] | None = None
        self._scores: dict[str, float] = {}
        self._looked = 0.0

    def disable(self) -> None:
        """Show nothing, as in all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Show the bar."""
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print above the bar."""
        tqdm.write(" ".join(map(str, args)), **kwargs)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar at the epoch from which the run goes on."""
        epochs = trainer.max_epochs if (trainer.max_epochs or 0) > 0 else None
        self._open(epochs, "{desc}{bar:14}|" if epochs else "{desc}", initial=trainer.current_epoch)
        self._show(trainer, trainer.current_epoch)
        self._looked = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar, twice a second at most."""
        if time.monotonic() - self._looked < _INTERVAL or self._bar is None:
            return
        if isinstance(outputs, dict) and "loss" in outputs:
            self._scores["loss"] = float(outputs["loss"])
        self._show(trainer, trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches)
        self._looked = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take over the scores of the validation."""
        self._scores |= {
            key: float(trainer.callback_metrics[key]) for key in _SHOWN if key in trainer.callback_metrics
        }

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the epoch's loss and scores."""
        if "train/loss" in trainer.callback_metrics:
            self._scores["loss"] = float(trainer.callback_metrics["train/loss"])
        self._show(trainer, trainer.current_epoch + 1)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the bar as it is."""
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the bar as it is."""
        self._close()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open a bar over the test images."""
        self._open(cast(int, sum(trainer.num_test_batches)), "test |{bar:14}| {n_fmt}/{total_fmt}")

    def on_test_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the bar as it is."""
        self._close()

    def _open(self, total: int | None, form: str, initial: int = 0) -> None:
        hidden = None if self._enabled else True
        self._bar = tqdm(
            total=total, initial=initial, bar_format=form, dynamic_ncols=True, disable=hidden, mininterval=0
        )

    def _show(self, trainer: pl.Trainer, done: float) -> None:
        if self._bar is None or self._bar.disable:
            return
        of = f"/{self._bar.total}" if self._bar.total else ""
        parts = [f"epoch {min(int(done) + 1, self._bar.total or int(done) + 1)}{of}"]
        parts += [f"{key} {self._scores[key]:.4g}" for key in ("loss", *_SHOWN) if key in self._scores]
        limits = [one.time_remaining() for one in trainer.callbacks if isinstance(one, Timer)]  # type: ignore[attr-defined]
        left = [limit for limit in limits if limit is not None]
        if self._bar.total and done > self._bar.initial:
            pace = self._bar.format_dict["elapsed"] / (done - self._bar.initial)
            left.append((self._bar.total - done) * pace)
        if left:
            parts.append(f"{tqdm.format_interval(max(min(left), 0))} left")
        self._bar.n = done
        self._bar.set_description_str(", ".join(parts) + " |")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def bar(trainer: DictConfig, callbacks: Iterable[Callback] = ()) -> list[Callback]:
    """Return the bar of a trainer, unless its config wants none or the callbacks bring their own."""
    has_own = any(isinstance(one, ProgressBar) for one in callbacks)
    return [] if has_own or trainer.get("enable_progress_bar") is False else [OneBar()]
