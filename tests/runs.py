"""Whole runs of tiny methods in this process, as ``lowlight train`` makes them."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from lowlight.config import load_config
from lowlight.run_folder import read_json
from lowlight.training import train
from tests.tiny import TINY

QUICK = ["trainer=cpu", "trainer.max_epochs=2", "data.batch_size=2", "data.val_fraction=0.3"]
"""Of the six training pairs of the ``lol`` fixture four are trained on."""


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
