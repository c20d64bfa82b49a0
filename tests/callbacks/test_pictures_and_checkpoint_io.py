import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from lowlight.callbacks.checkpoint_io import AtomicCheckpointIO
from lowlight.callbacks.pictures import ProgressPictures
from lowlight.checkpoints import read
from lowlight.loggers.curves import CurveLogger


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


def test_curves_that_a_spawned_process_wrote_stay(tmp_path: Path) -> None:
    for epoch in range(3):  # each in a sitting of its own
        parent = CurveLogger(tmp_path)
        spawned = pickle.loads(pickle.dumps(parent))
        spawned.log_metrics({"val/psnr": 10.0 + epoch, "epoch": epoch})
        spawned.save()
        parent.log_metrics({"test/psnr": 99.0, "epoch": epoch})
        parent.save()
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "epoch,val/psnr",
        "1,10.0",
        "2,11.0",
        "3,12.0",
    ]


@pytest.mark.parametrize(
    ("planned", "epochs", "every", "shown"),
    [
        (72, 72, 4, 8), (3, 3, 1, 3), (40, 40, 1, 8), (5, 5, 5, 1),
        (1000, 60, 1, 2),  # stopped early
        (-1, 60, 1, 7),  # 1, 2, 4, 8, 16, 32 and the last
    ],
)  # fmt: skip
def test_progress_is_shown_on_validated_epochs_up_to_the_last(
    planned: int, epochs: int, every: int, shown: int, tmp_path: Path
) -> None:
    callback = ProgressPictures(tmp_path, count=8)
    trainer = pl.Trainer(max_epochs=planned, check_val_every_n_epoch=every, accelerator="cpu", logger=False)
    image = torch.rand(1, 3, 4, 4)
    for epoch in range(every, epochs + 1, every):
        trainer.fit_loop.epoch_progress.current.processed = epoch - 1
        trainer.fit_loop.epoch_progress.current.completed = epoch - 1
        batch = {"low": image, "high": image, "name": ["a"]}
        callback.on_validation_batch_end(trainer, pl.LightningModule(), image, batch, 0)
    callback.on_train_end(trainer, pl.LightningModule())
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
    with pytest.raises(
        OSError, match=r"cannot write .*last.ckpt \((No space left|writer failed).*free space"
    ):
        AtomicCheckpointIO().save_checkpoint({"a": 2}, path)
    monkeypatch.undo()
    assert torch.load(path, weights_only=True) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


class Killed(BaseException):
    """Stand-in for a kill: nothing runs after it."""


STEPS = [(Path, "open"), (torch, "save"), (os, "fsync"), (os, "link"), (Path, "replace"), (Path, "unlink")]


def save_and_be_killed(path: Path, epoch: int, step: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Save a checkpoint, killed before a step, in the middle of it if it writes; return whether it was."""
    done: list[str] = []

    def stepping(name: str, original: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            if len(done) >= step:
                if len(done) == step and name == "save":
                    args[1].write(b"half")
                done.append(name)
                raise Killed
            done.append(name)
            return original(*args, **kwargs)

        return run

    with monkeypatch.context() as patch:
        for owner, name in STEPS:
            patch.setattr(owner, name, stepping(name, getattr(owner, name)))
        try:
            AtomicCheckpointIO().save_checkpoint({"state_dict": {}, "epoch": epoch}, path)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("links", [True, False], ids=["links", "no-links"])
def test_a_kill_between_any_two_steps_of_a_save_leaves_a_whole_checkpoint(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*args: Any) -> None:
        raise OSError(1, f"links are not supported: {args}")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    for step in range(20):
        folder = tmp_path / str(step)
        for epoch in range(2):
            AtomicCheckpointIO().save_checkpoint({"state_dict": {}, "epoch": epoch}, folder / "last.ckpt")
        killed = save_and_be_killed(folder / "last.ckpt", 2, step, monkeypatch)
        epochs = {path.name: read(path)["epoch"] for path in folder.glob("*.ckpt")}
        assert max(epochs.values()) >= 1
        assert "last.ckpt" in epochs or not links
        AtomicCheckpointIO().save_checkpoint({"state_dict": {}, "epoch": 3}, folder / "last.ckpt")
        assert read(folder / "last.ckpt")["epoch"] == 3
        if not killed:
            assert step >= 6
            assert epochs == {"last.ckpt": 2, "previous.ckpt": 1}
            return
    pytest.fail("a save of more than 20 steps")


def test_a_save_that_a_signal_stops_leaves_the_process_to_end_itself(tmp_path: Path) -> None:
    program = """
import sys, torch
from lowlight.callbacks.checkpoint_io import AtomicCheckpointIO

def stopped(checkpoint, file):
    writer = torch._C.PyTorchFileWriter(file)  # not ended, as amid torch.save
    writer.write_record("data", b"1" * 100, 100)
    sys.exit(3)

torch.save = stopped
AtomicCheckpointIO().save_checkpoint({}, sys.argv[1])
"""
    path = tmp_path / "last.ckpt"
    ended = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (3, "")
    assert not list(tmp_path.iterdir())
