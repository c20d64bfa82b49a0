"""Scores of a gallery: of each version of each photograph, and their means over photographs."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lowlight.evaluation.statistics import bootstrap_interval
from lowlight.metrics import APPEARANCE, METRICS
from lowlight.metrics.appearance import MEAN_LUMA
from lowlight.metrics.loe import LOE
from lowlight.metrics.niqe import NIQE
from lowlight.report.page_tables import Cell, Table
from lowlight.report.table import Column, metric_columns, number

INPUT, REFERENCE = "input", "reference"
"""Labels of the dark photograph and of its reference, which no method may have."""

ALONE = (NIQE, LOE, MEAN_LUMA, *APPEARANCE)
"""Scores without a reference."""

AGAINST = tuple(metric for metric in METRICS if metric.against == "high")
"""Scores against a reference."""

Scores = dict[str, float]
"""Values by the metrics' keys."""


@dataclass(frozen=True)
class Version:
    """A version of a photograph on the page: its file, the label below it, its size in pixels."""

    file: str
    label: str
    width: int
    height: int


@dataclass(frozen=True)
class Item:
    """A photograph of the page.

    Attributes:
        name: Its name, unique.
        scene: Source; frames of one video share it.
        width: Width in pixels at which it was enhanced and scored.
        height: Height likewise.
        pictures: The dark photograph, one picture per method, and the reference if there is one.
        scores: Scores by label.
        seconds: Seconds of each method's enhancement, by label.
    """

    name: str
    scene: str
    width: int
    height: int
    pictures: Sequence[Version]
    scores: Mapping[str, dict[str, float]]
    seconds: Mapping[str, float]


def scores_of(enhanced: Tensor, low: Tensor, high: Tensor | None) -> dict[str, float]:
    """Score one image by every metric that has what it is measured against.

    Args:
        enhanced: Image of shape (1, 3, H, W) on 8-bit levels in [0, 1].
        low: Its dark input, of the same shape.
        high: Its reference, or None.
    """
    values: dict[str, float] = {}
    for metric in (*(AGAINST if high is not None else ()), *ALONE):
        other = {"high": high, "low": low, None: None}[metric.against]
        value = metric.measure(enhanced) if other is None else metric.measure(enhanced, other)
        parts = value if isinstance(value, dict) else {"": value}
        values |= {f"{metric.key}/{part}".rstrip("/"): float(one) for part, one in parts.items()}
    return values


def score_columns(*, main: bool, paired: bool) -> list[Column]:
    """Return the columns of the page's first tables, or of that of the further scores.

    Args:
        main: Whether those of the first tables are wanted.
        paired: Whether there are references.
    """
    against = [metric for metric in AGAINST if metric.main == main] if paired else []
    return metric_columns([*against, *(ALONE if main else ())])


def labels_in(items: Sequence[Item]) -> list[str]:
    """Return the labels that any of the photographs has, the references', which not all may have, last."""
    return list(dict.fromkeys(label for item in items for label in item.scores))


def mean_table(
    title: str,
    items: Sequence[Item],
    columns: Sequence[Column],
    memory: Mapping[str, float] | None = None,
) -> Table:
    """Average scores over the photographs where they are defined, with bootstrap intervals over scenes.

    Args:
        title: Heading of the table.
        items: The photographs.
        columns: The scores.
        memory: Peak memory in MB by method, to be shown beside the times; None for neither.
    """
    scenes = [item.scene for item in items]
    rows: list[tuple[str, list[Cell]]] = []
    for label in labels_in(items):
        rows.append((label, [_mean_cell(items, scenes, label, column) for column in columns]))
        if memory is not None:
            time, peak = time_of(items, label), memory.get(label, math.nan)
            rows[-1][1].extend((_cell(time, None), _cell(peak, 0)))
    rows = _marked(rows, columns)
    heads = [Column("method", "Method"), *columns]
    if memory is not None:
        heads += [Column("time", "Time, ms/MP"), Column("memory", "Memory, MB")]
    return Table(title, title, heads, rows)


def item_table(item: Item, columns: Sequence[Column], labels: Sequence[str]) -> Table:
    """Return the scores of one photograph, a row per label; without numbers where it has no such version."""
    rows = [
        (
            label,
            [
                _cell(item.scores.get(label, {}).get(column.key, math.nan), column.decimals)
                for column in columns
            ],
        )
        for label in labels
    ]
    name = f"Scores of {item.name}"
    return Table(name, name, [Column("method", "Method"), *columns], _marked(rows, columns))


def time_of(items: Sequence[Item], label: str) -> float:
    """Return the median time of a method in milliseconds per megapixel; NaN for none."""
    times = [
        item.seconds[label] * 1e9 / (item.width * item.height) for item in items if label in item.seconds
    ]
    return statistics.median(times) if times else math.nan


def interval_of(
    items: Sequence[Item], label: str, key: str, scenes: Sequence[str]
) -> tuple[float, float, float]:
    """Return the mean of a score over the photographs where it is defined, and its bootstrap interval."""
    values: NDArray[np.float64] = np.array([item.scores.get(label, {}).get(key, math.nan) for item in items])
    known = ~np.isnan(values)
    if not known.any():
        return math.nan, math.nan, math.nan
    chosen = [scene for scene, is_known in zip(scenes, known, strict=True) if is_known]
    return float(values[known].mean()), *bootstrap_interval(values[known], chosen)


def _mean_cell(items: Sequence[Item], scenes: Sequence[str], label: str, column: Column) -> Cell:
    mean, low, high = interval_of(items, label, column.key, scenes)
    bounds = "" if math.isnan(low) else f"[{number(low, column.decimals)}, {number(high, column.decimals)}]"
    return _cell(mean, column.decimals, bounds)


def _cell(value: float, decimals: int | None, more: str = "") -> Cell:
    return Cell(
        number(value, decimals), [more] if more else [], False, "" if math.isnan(value) else repr(value)
    )


def _marked(
    rows: Sequence[tuple[str, list[Cell]]], columns: Sequence[Column]
) -> list[tuple[str, list[Cell]]]:
    """Mark the best value of each ranked score among the methods; without references none is ranked."""
    methods = [cells for label, cells in rows if label not in (INPUT, REFERENCE)]
    for index, column in enumerate(columns):
        known = [float(cells[index].number) for cells in methods if cells[index].number]
        if column.ranked and len(known) > 1:
            best = number((min if column.lower else max)(known), column.decimals)
            for cells in methods:
                cells[index] = cells[index]._replace(best=cells[index].text == best)
    return list(rows)
