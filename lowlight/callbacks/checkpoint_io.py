"""Writing checkpoints."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from lowlight.files import whole
from lowlight.runs.folder import LAST, PREVIOUS


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints whole or not at all: beside the target, synced, then moved over it.

    ``last.ckpt`` leaves the one before as ``previous.ckpt``, should a disk ever spoil the newer.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: What Lightning stores.
            path: The file.
            storage_options: Must be None, as in Lightning's own.

        Raises:
            OSError: If it cannot be written; the file of before is left.
        """
        target = Path(path)
        try:
            with whole(target) as partial:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())
                if target.name == LAST and target.exists():
                    target.replace(target.with_name(PREVIOUS))
        except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
            reason = getattr(error, "strerror", None) or (error.__context__ or error)
            raise OSError(
                f"cannot write {target} ({reason}); what was there is whole: make room, then resume=auto"
            ) from error
