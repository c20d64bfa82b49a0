from pathlib import Path

import pytest
import torch

from lowlight.callbacks import AtomicCheckpointIO, CurveLogger


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


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"a": 1}, path)

    def full_disk(*args: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        AtomicCheckpointIO().save_checkpoint({"a": 2}, path)
    monkeypatch.undo()
    assert torch.load(path, weights_only=True) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
