"""Whole runs of tiny methods in this process, as ``lowlight train`` makes them."""

from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from lowlight.callbacks.resuming import EpochSeed
from lowlight.config import load_config
from lowlight.files import read_json
from lowlight.training import train
from tests.tiny import TINY

QUICK = ["trainer=cpu", "trainer.max_epochs=2", "data.batch_size=2", "data.val_fraction=0.3"]
"""Settings of a short run, which trains on four of the six training pairs of the ``lol`` fixture."""


class Poison(Callback):
    """Make a weight undefined before the first batch of the second epoch, or after its last."""

    def __init__(self, after: bool) -> None:
        self.after = after

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if not self.after and trainer.current_epoch == 1:
            self.spoil(pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        if self.after and trainer.current_epoch == 1 and trainer.is_last_batch:
            self.spoil(pl_module)

    def spoil(self, method: Any) -> None:
        with torch.no_grad():
            next(iter(method.net.parameters()))[0] = torch.nan


class Kept(pl.Callback):
    """Keep the weights after each step."""

    weights: list[dict[str, torch.Tensor]]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        Kept.weights = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        Kept.weights.append({key: weight.clone() for key, weight in pl_module.state_dict().items()})


class KeptBatches(pl.Callback):
    """Keep the training batches, per epoch, and the validation batches; tests empty the lists."""

    batches: ClassVar[list[tuple[int, Any]]] = []
    scored: ClassVar[list[Any]] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        KeptBatches.batches.append((trainer.current_epoch, batch))

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        KeptBatches.scored.append(batch)


class LogUndefined(pl.Callback):
    """Log an objective that is not a number."""

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log("val/undefined", torch.nan)


class Kill(Exception):  # noqa: N818
    """Stand-in for anything that ends a run."""


def run_in_two(
    name: str, lol: Path, folder: Path, *more: str, after: int = 2, moved_to: Path | None = None
) -> dict[str, Any]:
    """Train a tiny method, ending the run after some epochs and resuming it, in a moved folder if given."""

    def kill(self: EpochSeed, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.current_epoch == after:
            raise Kill
        begin(self, trainer, pl_module)

    begin = EpochSeed.on_train_epoch_start
    with patch.object(EpochSeed, "on_train_epoch_start", kill), pytest.raises(Kill):
        run(name, lol, folder, "resume=auto", *more)
    assert checkpoint(folder)["epoch"] == after - 1
    torch.rand(7)  # whatever else a process draws
    if moved_to:
        folder = folder.rename(moved_to)
    return run(name, lol, folder, "resume=auto", *more)


def assert_same_training(one: Path, two: Path) -> None:
    """Two runs ended with the same weights, averages, optimizers and schedules, bit for bit, and scores."""
    first, second = (checkpoint(folder) for folder in (one, two))
    assert first.keys() == second.keys()
    compared = ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers")
    for key in compared:
        assert_equal(first.get(key), second.get(key), key)
    for name in ("metrics.csv", "metrics.json", "per_image.csv"):
        assert (one / name).read_text() == (two / name).read_text(), name


def assert_equal(one: Any, two: Any, where: str) -> None:
    """Two nested containers of tensors are equal, exactly."""
    assert type(one) is type(two), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), where
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for key in one:
            assert_equal(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(two), where
        for index, (first, second) in enumerate(zip(one, two, strict=True)):
            assert_equal(first, second, f"{where}.{index}")
    else:
        assert one == two, where


def overrides(name: str, lol: Path, folder: Path, *more: str) -> list[str]:
    """Return the command line that trains a tiny method; later settings replace earlier ones."""
    data = ["data=lol", f"data.root='{lol}'", "data.patch_size=32"]
    output = [f"output_dir='{folder}'", "trainer.enable_progress_bar=false"]
    settings = [f"method={name}", *TINY[name], *data, *QUICK, *output, *more]
    return list({setting.partition("=")[0]: setting for setting in settings}.values())


def run(name: str, lol: Path, folder: Path, *more: str) -> dict[str, Any]:
    """Train a tiny method and return its metrics."""
    return train(load_config(overrides(name, lol, folder, *more)))


def checkpoint(folder: Path, name: str = "last") -> dict[str, Any]:
    """Return a run's checkpoint."""
    content: dict[str, Any] = torch.load(folder / f"{name}.ckpt", weights_only=True)
    return content


def manifest(folder: Path) -> dict[str, Any]:
    """Return a run's manifest."""
    return read_json(folder / "manifest.json")
