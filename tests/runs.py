"""Whole runs of tiny methods in this process, as ``lowlight train`` makes them."""

from pathlib import Path
from typing import Any

import torch

from lowlight.config import load_config
from lowlight.run_folder import read_json
from lowlight.training import train
from tests.tiny import TINY

QUICK = ["trainer=cpu", "trainer.max_epochs=2", "data.batch_size=2", "data.val_fraction=0.3"]
"""Of the six training pairs of the ``lol`` fixture four are trained on."""


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
