"""Scoring a method on the test split."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from lowlight.data import PairDataModule
from lowlight.data.pairs import set_of
from lowlight.evaluation.statistics import bootstrap_interval
from lowlight.evaluation.videos import DEFINITIONS as VIDEO_DEFINITIONS
from lowlight.evaluation.videos import score_videos
from lowlight.files import write_table
from lowlight.methods import Method
from lowlight.metrics import DEFINITIONS, OPTIONAL

_Table = Mapping[str, Mapping[str, float]]  # score by image name and metric key


@contextmanager
def interruptible() -> Iterator[None]:
    """Run a trainer's stage, which Lightning leaves by exit status 1 at Ctrl-C, as if it were any other code.

    Raises:
        KeyboardInterrupt: At Ctrl-C.
    """
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


def score(method: Method, data: PairDataModule, trainer: pl.Trainer, folder: Path) -> dict[str, Any]:
    """Score a method on the test split and write ``per_image.csv``.

    Args:
        method: Method with the weights to be scored.
        data: Data module with the test images.
        trainer: Runs the test; its callbacks may write pictures.
        folder: Output folder of the table.

    Returns:
        The content of ``metrics.json``: means by ``test/<key>``, what they were measured on, and the method's
        ``test_details``.
    """
    with interruptible():
        (means,) = trainer.test(method, datamodule=data, verbose=False)
    return summarise(dict(means), method.test_table, data, folder) | dict(method.test_details)


def summarise(means: dict[str, Any], table: _Table, data: PairDataModule, folder: Path) -> dict[str, Any]:
    """Write ``per_image.csv`` and, of videos, ``per_video.csv``.

    Returns:
        The means with their intervals, and what they were measured on.
    """
    scenes = data.scene_labels("test")
    rows = [{"name": name, "scene": scenes[name], **values} for name, values in table.items()]
    rank_zero_only(write_table)(folder / "per_image.csv", rows)
    described = data.describe()
    size = described["eval_size"]
    intervals = {"": _intervals(table, scenes)}
    if len({set_of(name) for name in table}) > 1:
        for one in data.sets:
            own = {name: row for name, row in table.items() if set_of(name) == one}
            intervals |= {f"{one}/": _intervals(own, scenes)} if own else {}
    videos = score_videos(table, data.datasets["test"], scenes)
    if videos:
        columns = dict.fromkeys(key for row in videos for key in row)
        rank_zero_only(write_table)(folder / "per_video.csv", videos, [*columns])
        for key in [key for key in VIDEO_DEFINITIONS if key in columns]:
            known = [row for row in videos if not math.isnan(row[key])]
            values = [row[key] for row in known]
            means[f"test/{key}"] = fmean(values) if values else math.nan
            intervals[""][key] = list(bootstrap_interval(values, [row["scene"] for row in known]))
    return {
        **means,
        "split": "test",
        "protocol": described["split"],
        "images": len(table),
        **({} if data.datasets["test"].has_references else {"references": False}),
        **({"videos": len(videos)} if videos else {}),
        "scenes": len({scenes[name] for name in table}),
        "size": f"{size}x{size}" if size else "native",
        "rounding": "8-bit",
        "intervals": {one + key: ends for one, own in intervals.items() for key, ends in own.items()},
        "intervals_are": "95 % bootstrap over scenes of the mean over images"
        + (", of flicker over videos" if videos else ""),
        "definitions": DEFINITIONS
        | {one.key: one.definition for one in OPTIONAL if {*one.keys} & {*next(iter(table.values()))}}
        | (VIDEO_DEFINITIONS if videos else {}),
    }


def _intervals(table: _Table, scenes: Mapping[str, str]) -> dict[str, list[float]]:
    """Return the bootstrap interval over scenes of each score's mean over images."""
    labels, keys = [scenes[name] for name in table], next(iter(table.values()))
    return {key: list(bootstrap_interval([row[key] for row in table.values()], labels)) for key in keys}
