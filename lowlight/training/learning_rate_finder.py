"""Learning-rate range test before training."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.tuner.tuning import Tuner
from pytorch_lightning.utilities import rank_zero_only

from lowlight.callbacks.resuming import EpochSeed
from lowlight.checkpoints.recipe import make
from lowlight.data import PairDataModule
from lowlight.devices import resolved
from lowlight.files import write_table
from lowlight.methods import Method

log = logging.getLogger(__name__)


def steepest(rates: Sequence[float], losses: Sequence[float], skip: int = 10) -> float | None:
    """Return the rate at which the loss falls most steeply over the logarithm of the rate.

    Args:
        rates: Learning rates, ascending.
        losses: Smoothed loss at each rate.
        skip: Number of first points to leave out, where the smoothing has not settled; the last point is left
            out, too.

    Returns:
        The rate; None if too few losses are finite or the loss never falls.
    """
    kept = [(rate, loss) for rate, loss in zip(rates, losses, strict=True) if math.isfinite(loss)][skip:-1]
    if len(kept) < 2:
        return None
    slopes = np.gradient([loss for _, loss in kept], np.log([rate for rate, _ in kept]))
    return kept[int(slopes.argmin())][0] if slopes.min() < 0 else None


def find_lr(config: DictConfig, method: Method, data: PairDataModule) -> dict[str, Any]:
    """Run Lightning's learning-rate finder: a hundred batches at rates rising from 1e-8 to 1.

    The rate is chosen from its curve by :func:`steepest`. Lightning's own suggestion takes the slope over the
    rate itself, which exaggerates noise at the smallest rates: about 1e-7 for any method.

    Writes rates and losses as ``lr_find.csv`` into ``output_dir``, where a run may still be started.

    Args:
        config: A composed ``train`` config.
        method: Method of the config; its state is restored afterwards.
        data: Data of the config, set up for fitting.

    Returns:
        The rate, as ``suggested_lr``.

    Raises:
        ValueError: If the method has several optimizers, or the loss falls at no rate.

    Reference:
        Smith, 2017, "Cyclical learning rates for training neural networks", Section 3.3.
    """
    if not method.automatic_optimization:
        raise ValueError(
            f"find_lr=true cannot tune method={config.method.name}: the finder supports one optimizer; "
            "compare rates by a sweep, such as -m method.optimizer.lr=1e-4,2e-4,4e-4"
        )
    curve = _range_test(config, method, data)
    if min(curve["loss"], default=0) < 0:
        # The test stopped at four times the lowest loss, which any negative loss is above.
        curve = _range_test(config, method, data, early_stop_threshold=None)
    rows = [{"lr": lr, "loss": loss} for lr, loss in zip(curve["lr"], curve["loss"], strict=True)]
    path = Path(config.output_dir) / "lr_find.csv"
    rank_zero_only(write_table)(path, rows, ["lr", "loss"])
    suggestion = steepest(curve["lr"], curve["loss"])
    if suggestion is None:
        raise ValueError(
            f"the losses in {path} suggest no learning rate: choose method.optimizer.lr yourself"
        )
    log.info("suggested learning rate (losses in %s): method.optimizer.lr=%.2g", path, suggestion)
    return {"suggested_lr": suggestion}


def _range_test(
    config: DictConfig, method: Method, data: PairDataModule, **options: Any
) -> dict[str, list[float]]:
    """Return the rates, as ``lr``, and the smoothed ``loss`` at each, of Lightning's finder."""
    with TemporaryDirectory() as scratch:
        trainer: pl.Trainer = make(
            resolved(config.trainer),
            callbacks=[EpochSeed(config.seed)],
            logger=False,
            enable_checkpointing=False,
            default_root_dir=scratch,
            max_epochs=-1,
            reload_dataloaders_every_n_epochs=1,
        )
        finder = Tuner(trainer).lr_find(method, datamodule=data, update_attr=False, **options)
    return finder.results if finder else {"lr": [], "loss": []}
