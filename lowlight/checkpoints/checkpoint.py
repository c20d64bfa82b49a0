"""Checkpoint files: reading them as plain data."""

import pickle
from pathlib import Path
from typing import Any

import torch

from lowlight.files import first_line
from lowlight.runs.folder import BEST, LAST


def best_of(run: Path) -> Path:
    """Return the checkpoint that speaks for a run: the best, or the last where nothing was validated."""
    best, last = run / BEST, run / LAST
    return last if last.exists() and not best.exists() else best


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint as plain data; nothing in it is run.

    Raises:
        ValueError: If the file is missing, truncated, holds code, or is no checkpoint of Lightning's.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such checkpoint")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: refused, broken or holding objects that are no plain data") from error
    except Exception as error:  # torch raises whatever the broken bytes lead to
        raise ValueError(f"{path}: not a checkpoint ({first_line(error)})") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"{path}: not a Lightning checkpoint (no state_dict)")
    return checkpoint
