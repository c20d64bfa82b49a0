"""Finding a learning rate before training."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.tuner.tuning import Tuner

from lowlight import run_folder
from lowlight.callbacks import EpochSeed
from lowlight.checkpoint import make
from lowlight.data import PairDataModule
from lowlight.methods import Method

log = logging.getLogger(__name__)


def find_lr(config: DictConfig, method: Method, data: PairDataModule) -> dict[str, Any]:
    """Run Lightning's learning-rate finder: a hundred batches at rates that rise from 1e-8 to 1.

    Writes rates and losses as ``lr_find.csv`` into ``output_dir``, where a run may still begin.

    Args:
        config: A composed ``train`` config.
        method: What it builds; afterwards as before.
        data: Set up for fitting.

    Returns:
        The rate where the loss falls most steeply, as ``suggested_lr``.

    Raises:
        ValueError: If the method has several optimizers, or the losses show no such rate.

    Reference:
        Smith, 2017, "Cyclical learning rates for training neural networks", Section 3.3.
    """
    if not method.automatic_optimization:
        raise ValueError(
            f"find_lr=true cannot tune method={config.method.name}: Lightning's finder knows one optimizer; "
            "compare rates by a sweep, such as -m method.optimizer.lr=1e-4,2e-4,4e-4"
        )
    with TemporaryDirectory() as scratch:
        trainer: pl.Trainer = make(
            config.trainer,
            callbacks=[EpochSeed(config.seed)],
            logger=False,
            enable_checkpointing=False,
            default_root_dir=scratch,
            max_epochs=-1,
            reload_dataloaders_every_n_epochs=1,
        )
        finder = Tuner(trainer).lr_find(method, datamodule=data, update_attr=False)
    curve = finder.results if finder else {"lr": [], "loss": []}
    rows = [{"lr": lr, "loss": loss} for lr, loss in zip(curve["lr"], curve["loss"], strict=True)]
    path = Path(config.output_dir) / "lr_find.csv"
    if trainer.is_global_zero:
        run_folder.write_table(path, rows, ["lr", "loss"])
    suggestion = finder.suggestion() if finder else None
    if suggestion is None:
        raise ValueError(f"the losses in {path} suggest no learning rate; look at them yourself")
    log.info("suggested learning rate (losses in %s): method.optimizer.lr=%.2g", path, suggestion)
    return {"suggested_lr": suggestion}
