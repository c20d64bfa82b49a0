import time
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from lowlight.callbacks import AtomicCheckpointIO, CurveLogger, ProgressPictures, Stopwatch


def test_curves_are_a_row_an_epoch_and_go_on_after_a_stop(tmp_path: Path) -> None:
    logger = CurveLogger(tmp_path)
    logger.log_metrics({"val/psnr": 10.0, "epoch": 0}, step=3)
    logger.log_metrics({"train/loss": 0.5, "epoch": 0}, step=3)
    logger.log_metrics({"val/psnr": 11.0, "epoch": 1}, step=6)
    logger.save()
    resumed = CurveLogger(tmp_path)
    resumed.log_metrics({"val/psnr": 12.0, "epoch": 1}, step=6)
    resumed.log_metrics({"test/psnr": 99.0, "epoch": 2}, step=6)
    resumed.save()
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert lines == ["epoch,train/loss,val/psnr", "1,0.5,10.0", "2,,12.0"]


@pytest.mark.parametrize(("epochs", "every", "shown"), [(72, 4, 8), (3, 1, 3), (40, 1, 8), (5, 5, 1)])
def test_progress_is_shown_on_validated_epochs_up_to_the_last(
    epochs: int, every: int, shown: int, tmp_path: Path
) -> None:
    callback = ProgressPictures(tmp_path, count=8)
    trainer = pl.Trainer(max_epochs=epochs, check_val_every_n_epoch=every, accelerator="cpu", logger=False)
    image = torch.rand(1, 3, 4, 4)
    for epoch in range(every, epochs + 1, every):
        trainer.fit_loop.epoch_progress.current.processed = epoch - 1
        trainer.fit_loop.epoch_progress.current.completed = epoch - 1
        batch = {"low": image, "high": image, "name": ["a"]}
        callback.on_validation_batch_end(trainer, pl.LightningModule(), image, batch, 0)
    written = sorted(path.stem for path in callback.folder.glob("epoch-*.png"))
    assert len(written) == shown
    assert written[-1] == f"epoch-{epochs:04d}"


def test_the_last_checkpoint_leaves_the_one_before(tmp_path: Path) -> None:
    for epoch in range(3):
        AtomicCheckpointIO().save_checkpoint({"epoch": epoch}, tmp_path / "last.ckpt")
        AtomicCheckpointIO().save_checkpoint({"epoch": epoch}, tmp_path / "best.ckpt")
    epochs = {path.name: torch.load(path, weights_only=True)["epoch"] for path in tmp_path.iterdir()}
    assert epochs == {"last.ckpt": 2, "previous.ckpt": 1, "best.ckpt": 2}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("writer failed")])
def test_a_failed_save_says_so_and_leaves_the_old_checkpoint(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"a": 1}, path)

    def full_disk(*args: object) -> None:
        raise error

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match=r"cannot write .*last.ckpt \((No space left|writer failed).*make room"):
        AtomicCheckpointIO().save_checkpoint({"a": 2}, path)
    monkeypatch.undo()
    assert torch.load(path, weights_only=True) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


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
