"""CSV file of a run's curves."""

import re
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from lowlight.files import read_table, write_table

_RATE = re.compile(r"train/(?:.+_)?lr")
"""Learning rates, which are logged when an epoch begins."""


class CurveLogger(Logger):
    """Write the curves of a run to ``metrics.csv``, one row per epoch, counted from 1, after each epoch.

    An epoch that ended before anything was measured has no row, and without rows there is no file: a run that
    stops in its first epoch leaves nothing to be kept.

    An existing file is continued, so a resumed run keeps the rows of earlier epochs, where Lightning's
    ``CSVLogger`` deletes it. The file is replaced whole, so a killed process leaves no half row, and only
    after rows were added: those of a process that was started for the training are not in this one.

    Args:
        folder: Folder of the file.
    """

    def __init__(self, folder: Path | str) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"
        self.rows: dict[int, dict[str, Any]] = {}
        self._is_saved = True
        if self.path.exists():
            self.rows = {int(row.pop("epoch")): dict(row) for row in read_table(self.path)}

    @property
    def name(self) -> str:
        """Kind of the logger."""
        return "csv"

    @property
    def version(self) -> str:
        """Empty, since there is one file per run."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing; ``config.yaml`` has the settings."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add the metrics of an epoch; test scores are written to ``metrics.json`` instead."""
        curves = {key: value for key, value in metrics.items() if key.startswith(("train/", "val/"))}
        if curves and "epoch" in metrics:
            self.rows.setdefault(int(metrics["epoch"]) + 1, {}).update(curves)
            self._is_saved = False

    @rank_zero_only
    def save(self) -> None:
        """Write the file."""
        rows = {epoch: row for epoch, row in self.rows.items() if not all(map(_RATE.fullmatch, row))}
        if self._is_saved or not rows:
            return
        columns = ["epoch", *sorted({key for row in rows.values() for key in row})]
        write_table(self.path, [{"epoch": epoch, **row} for epoch, row in sorted(rows.items())], columns)
        self._is_saved = True
