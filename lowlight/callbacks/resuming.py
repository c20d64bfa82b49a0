"""Callbacks for exact resuming of runs."""

import random
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from lowlight.loggers.curves import CurveLogger


class EpochSeed(Callback):
    """Seed the global generators at the start of each epoch from the run's seed and the epoch.

    Random numbers, of dropout for example, are then the same in a resumed and an uninterrupted run, and no
    random state is stored.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed the generators, differently in each process."""
        state = np.random.SeedSequence([self.seed, trainer.current_epoch, trainer.global_rank])
        seed = int(state.generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)


class CurvesFirst(Callback):
    """Write an epoch's row of ``metrics.csv`` before its checkpoint.

    Lightning logs the training scores after the checkpoint is written; a process killed between the two would
    continue with the next epoch, and the row would stay half empty.
    """

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write the epoch's training scores; those of a validation are written when it ends."""
        scores = {
            key: float(value) for key, value in trainer.logged_metrics.items() if key.startswith("train/")
        }
        for logger in trainer.loggers:
            if isinstance(logger, CurveLogger):
                logger.log_metrics({**scores, "epoch": trainer.current_epoch})
                logger.save()


class MovedFolder(Callback):
    """Keep the best checkpoint and its score when a run is resumed in a moved or renamed folder.

    Lightning stores the path of the checkpoints' folder, and discards the best score if that differs.
    """

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Replace the stored folder by the present one before the callbacks load their states."""
        for callback in trainer.checkpoint_callbacks:
            state = checkpoint["callbacks"].get(callback.state_key, {})
            if isinstance(callback, ModelCheckpoint) and "dirpath" in state:
                checkpoint["callbacks"][callback.state_key] = _moved(
                    state, f"{state['dirpath']}/", f"{callback.dirpath}/"
                )


def _moved(state: Any, before: str, now: str) -> Any:
    """Replace the folder ``before`` by ``now`` in the paths of a checkpoint callback's state."""
    if isinstance(state, dict):
        return {_moved(key, before, now): _moved(value, before, now) for key, value in state.items()}
    if isinstance(state, str) and f"{state}/".startswith(before):
        return f"{now}{state[len(before) :]}" if len(state) > len(before) else now.removesuffix("/")
    return state
