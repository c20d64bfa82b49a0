"""Score a method on the test images of a data set, per image and in total."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from lowlight import run_folder
from lowlight.callbacks import TestPictures
from lowlight.checkpoint import build, load, make
from lowlight.data import PairDataModule
from lowlight.methods import Method
from lowlight.metrics import DEFINITIONS


def evaluate(config: DictConfig) -> dict[str, Any]:
    """Run what ``lowlight evaluate`` runs: score a checkpoint, or a method that learns nothing.

    Args:
        config: A composed ``evaluate`` config.

    Returns:
        The content of ``metrics.json``.

    Raises:
        ValueError: If neither or both of ``checkpoint`` and ``method`` are given, either is unusable, or
            ``output_dir`` holds a training run.
    """
    if (config.checkpoint is None) == (config.get("method") is None):
        raise ValueError("give one of checkpoint=RUN_OR_CKPT and method=NAME (identity, gamma, histogram)")
    method = load(config.checkpoint, trust=config.trust) if config.checkpoint else build(config.method)
    if config.checkpoint is None and any(True for _ in method.parameters()):
        raise ValueError(f"method={config.method.name} must be trained first: give checkpoint=RUN_OR_CKPT")
    if config.checkpoint:
        config.checkpoint = str(Path(config.checkpoint).resolve())  # compare may run elsewhere
    data = make(config.data)
    data.setup("test")
    rank_zero_only(run_folder.prepare_evaluation)(config)
    folder = Path(config.output_dir)
    trainer = make(config.trainer, logger=False, callbacks=[TestPictures(folder, config.pictures)])
    metrics = score(method, data, trainer, folder)
    if trainer.is_global_zero:
        manifest = run_folder.provenance() | {
            "method": (method.recipe or {}).get("name", type(method).__name__),
            "seed": config.seed,
            "parameters": sum(parameter.numel() for parameter in method.net.parameters()),
            "data": data.describe(),
        }
        run_folder.write_json(folder / "metrics.json", metrics)
        run_folder.write_json(folder / "manifest.json", manifest | _training(config.checkpoint))
    return metrics


def _training(checkpoint: str | None) -> dict[str, Any]:
    """Return what is known of how a method was trained: nothing took no time, a run folder tells."""
    if checkpoint is None:
        return {"epochs": 0, "train_minutes": 0.0, "stopped": "finished"}
    path = Path(checkpoint)
    manifest = (path if path.is_dir() else path.parent) / "manifest.json"
    known = run_folder.read_json(manifest) if manifest.exists() else {}
    return {
        key: known[key]
        for key in ("seed", "epochs", "max_epochs", "train_minutes", "stopped")
        if key in known
    }


def score(method: Method, data: PairDataModule, trainer: pl.Trainer, folder: Path) -> dict[str, Any]:
    """Score a method on the test split and write ``per_image.csv``.

    Args:
        method: The method, with the weights to be scored.
        data: Gives the test images.
        trainer: Runs the test; its callbacks may write pictures.
        folder: Where the table goes.

    Returns:
        What belongs into ``metrics.json``: means by ``test/<key>``, and what they were measured on.
    """
    (means,) = trainer.test(method, datamodule=data, verbose=False)
    table = method.test_table
    _write_table(folder / "per_image.csv", table)
    described = data.describe()
    size = described["eval_size"]
    return {
        **means,
        "split": "test",
        "protocol": described["split"],
        "images": len(table),
        "size": f"{size}x{size}" if size else "native",
        "rounding": "8-bit",
        "definitions": DEFINITIONS,
    }


@rank_zero_only
def _write_table(path: Path, table: Mapping[str, Mapping[str, float]]) -> None:
    text = io.StringIO()
    columns = list(next(iter(table.values())))
    writer = csv.DictWriter(text, ["name", *columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"name": name, **values} for name, values in table.items())
    run_folder.write_text(path, text.getvalue())
