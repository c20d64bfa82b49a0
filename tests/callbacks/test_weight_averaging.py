"""The exponential average of the weights, with and without a warm-up."""

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lowlight.callbacks import ExponentialAverage

STEPS = 25


class Counting(pl.LightningModule):
    """A weight that equals the number of steps taken."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.zeros(1))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return -self.steps.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1)


@pytest.mark.parametrize("warmup", [None, 0, 10])
def test_the_average_is_that_of_its_formula(warmup: float | None) -> None:
    expected = 1.0  # after the first step
    for step in range(1, STEPS):
        kept = min(0.95, (1 + step) / (warmup + step)) if warmup else 0.95
        expected = kept * expected + (1 - kept) * (step + 1)
    model = Counting()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", callbacks=[ExponentialAverage(0.95, warmup)], **quiet
    )
    trainer.fit(model, DataLoader(torch.zeros(STEPS, 1)))
    assert model.steps.item() == pytest.approx(expected, rel=1e-5)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="warmup=-1 must be 0 or more"):
        ExponentialAverage(warmup=-1)
