"""Lightning's profiles as files of the run folder."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.profilers import PassThroughProfiler, Profiler


def keep_profile(trainer: pl.Trainer, folder: Path | str) -> None:
    """Write the tables of a trainer's profiler, if any, to ``<stage>-profile.txt`` in a folder.

    Lightning writes them to its log by default, which the commands silence.
    """
    profiler: Profiler = trainer.profiler  # type: ignore[attr-defined]
    if not isinstance(profiler, PassThroughProfiler):
        profiler.dirpath, profiler.filename = str(folder), "profile"
