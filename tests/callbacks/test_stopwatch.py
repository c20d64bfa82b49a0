"""Timing of a training and its parts."""

import time

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from lowlight.callbacks.stopwatch import Stopwatch


class Slow(pl.LightningModule):
    """Takes 0.1 s for a training step and 0.15 s for one of validation."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        time.sleep(0.1)
        return self.layer(batch).sum()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        time.sleep(0.15)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-3)


class SlowlyRead(Dataset[torch.Tensor]):
    """Three samples that take 0.05 s each."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> torch.Tensor:
        time.sleep(0.05)
        return torch.ones(1)


def test_waiting_for_data_and_validation_are_parts_of_the_training_time() -> None:
    stopwatch = Stopwatch()
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[stopwatch],
    )
    trainer.fit(Slow(), DataLoader(SlowlyRead()), DataLoader(torch.ones(1, 1)))  # type: ignore[arg-type]
    steps, reading, validation = 2 * 3 * 0.1, 2 * 3 * 0.05, 2 * 0.15
    assert stopwatch.waiting >= reading
    assert stopwatch.validating >= validation
    assert stopwatch.seconds >= steps + stopwatch.waiting + stopwatch.validating  # nothing counts twice
    again = Stopwatch()
    again.load_state_dict(stopwatch.state_dict())
    assert again.state_dict() == stopwatch.state_dict()
