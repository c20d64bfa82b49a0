"""Callbacks that show a run, and the loggers they show it to."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import get_class
from pytorch_lightning.loggers import CSVLogger

from lowlight.callbacks.pictures import ProgressPictures
from lowlight.callbacks.samples import Samples
from lowlight.config import load_config
from lowlight.data import PairDataModule
from lowlight.images import Batch
from lowlight.loggers.base import RunLogger, Sample, log_best
from tests.tiny import tiny


class Noting(RunLogger, CSVLogger):
    """A logger of a user's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.shown: list[str] = []

    def log_samples(self, samples: Sequence[Sample], epoch: int) -> None:
        """Note the names."""
        self.shown += [f"{sample.name} after {epoch}" for sample in samples]


def test_any_logger_that_takes_samples_gets_them(lol: Path, tmp_path: Path) -> None:
    noting, plain = Noting(tmp_path / "noting"), CSVLogger(tmp_path / "plain")
    data = PairDataModule(lol, batch_size=2, patch_size=32, val_fraction=0.2)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=[noting, plain],
        callbacks=[Samples(count=1)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(tiny("autoencoder"), data)
    assert noting.shown == [f"{data.datasets['val'].items[0].name} after 1"]
    (tmp_path / "best.ckpt").touch()
    log_best(trainer.loggers, tmp_path / "best.ckpt", {})  # which neither keeps


@pytest.mark.parametrize(("has_reference", "width"), [(True, 12), (False, 8)])
def test_a_dark_image_is_not_shown_as_its_reference(
    has_reference: bool, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pl.Trainer, "num_val_batches", [1])
    trainer = pl.Trainer(accelerator="cpu", max_epochs=1, logger=Noting(tmp_path))
    image = torch.rand(1, 3, 4, 4)
    batch: Batch = {"low": image, "high": image, "name": ["a"], "has_reference": has_reference}
    samples, progress = Samples(count=1), ProgressPictures(tmp_path)
    for callback in (samples, progress):
        callback.on_validation_batch_end(trainer, pl.LightningModule(), image, batch, 0)
    assert [sample.side_by_side.shape for sample in samples._samples] == [(3, 4, width)]
    assert (progress.folder / "low.png").exists()
    assert (progress.folder / "high.png").exists() == has_reference


def test_callbacks_that_only_show_say_so() -> None:
    callbacks = load_config(["callbacks=[default,ema,early_stopping]"]).callbacks
    showing = [
        name for name, node in callbacks.items() if getattr(get_class(node._target_), "shows_only", False)
    ]
    assert sorted(showing) == ["learning_rate", "progress_pictures", "samples", "test_pictures"]
