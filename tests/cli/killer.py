"""``python -m tests.cli.killer PLACE SIGNAL EPOCH OVERRIDE...``: train, and be killed at a chosen place.

Places: ``batch`` and ``validation``, after an image of an epoch; ``writing``, half of ``last.ckpt`` written;
``renaming``, before it takes its place; ``saved``, once it has; ``test``, after a test image.
Epochs count from 0.
"""

import io
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch


class Killer(pl.Callback):
    """Send this process a signal, once."""

    def __init__(self, place: str, number: int, epoch: int) -> None:
        self.place, self.number, self.epoch = place, number, epoch

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self.reach("batch", trainer.current_epoch)

    def on_validation_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self.reach("validation", trainer.current_epoch)

    def on_test_batch_end(self, *args: Any) -> None:
        self.reach("test", self.epoch)

    def reach(self, place: str, epoch: int) -> None:
        if (place, epoch) == (self.place, self.epoch):
            self.epoch = -1
            os.kill(os.getpid(), self.number)


def main() -> None:
    train = import_module("lowlight.training.train")
    from lowlight.cli.train import app

    place, name, epoch, *overrides = sys.argv[1:]
    killer = Killer(place, getattr(signal, name), int(epoch))
    make_trainer, save, replace = train.make_trainer, torch.save, Path.replace

    def with_killer(*args: Any) -> pl.Trainer:
        trainer = make_trainer(*args)
        trainer.callbacks.insert(0, killer)  # type: ignore[attr-defined]
        return trainer

    def save_half(checkpoint: dict[str, Any], file: io.BufferedWriter) -> None:
        if ".last.ckpt." in file.name and place == "writing":
            whole = io.BytesIO()
            save(checkpoint, whole)
            file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
            file.flush()
            killer.reach("writing", checkpoint["epoch"])
            file.seek(0)
        save(checkpoint, file)

    def replace_and_reach(path: Path, target: Path) -> Path:
        if not path.name.startswith(".last.ckpt.") or place not in ("renaming", "saved"):
            return replace(path, target)
        epoch = torch.load(path, weights_only=True)["epoch"]
        killer.reach("renaming", epoch)
        target = replace(path, target)
        killer.reach("saved", epoch)
        return target

    train.make_trainer = with_killer
    torch.save = save_half
    Path.replace = replace_and_reach  # type: ignore[method-assign, assignment]
    sys.argv = ["lowlight-train", *overrides]
    app()


if __name__ == "__main__":
    main()
