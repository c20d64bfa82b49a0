"""Profiles of a run."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.profilers import PassThroughProfiler, Profiler


def keep_profile(trainer: pl.Trainer, folder: Path | str) -> None:
    """Let a profiler, if there is one, write its tables into a folder as ``<stage>-profile.txt``.

    Lightning would write them to its log, which the commands keep quiet.
    """
    profiler: Profiler = trainer.profiler  # type: ignore[attr-defined]
    if not isinstance(profiler, PassThroughProfiler):
        profiler.dirpath, profiler.filename = str(folder), "profile"
