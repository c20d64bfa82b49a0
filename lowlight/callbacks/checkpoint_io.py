"""Atomic writing of checkpoints."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from lowlight.files import whole
from lowlight.runs.folder import LAST, PREVIOUS


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints whole or not at all: to a temporary file, synced, then moved to the target.

    The replaced ``last.ckpt`` is kept as ``previous.ckpt``, in case the disk damages the newer one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: Content, as Lightning stores it.
            path: Target file.
            storage_options: Not supported, must be None.

        Raises:
            OSError: If it cannot be written; an existing file stays intact.
        """
        target = Path(path)
        try:
            with whole(target) as partial:
                # When a signal stops it, torch's writer ends its file as it is deleted. If that is closed by
                # then, it aborts the process, and a preempted job would not be submitted again.
                file = partial.open("wb")
                try:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())
                except Exception:
                    file.close()
                    raise
                file.close()
                if target.name == LAST and target.exists():
                    _keep(target, target.with_name(PREVIOUS))
        except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
            reason = getattr(error, "strerror", None) or (error.__context__ or error)
            raise OSError(
                f"cannot write {target} ({reason}); the old file is intact: free space, then resume=auto"
            ) from error


def _keep(target: Path, previous: Path) -> None:
    """Give a file a second name, so that it has the first at any time; rename it where that is impossible."""
    try:
        with whole(previous) as second:
            os.link(target, second)
    except OSError:
        target.replace(previous)
