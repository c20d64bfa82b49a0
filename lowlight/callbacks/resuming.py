"""Callbacks for exact resuming."""

import random
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint


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
