"""The content of the page's tables: scores, paired comparisons, matched features, and runs."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lowlight.report.entries import Entry
from lowlight.report.findings import against_the_first
from lowlight.report.runs import Run
from lowlight.report.table import Column, Row, best_texts, columns_of, marked, number


class Cell(NamedTuple):
    """A value of a table of scores.

    Attributes:
        text: The value as shown.
        more: Its interval and its spread over the seeds, where it has them.
        best: Whether it is the best of its column.
        number: The value for sorting; empty if it is missing.
    """

    text: str
    more: list[str]
    best: bool
    number: str


class Table(NamedTuple):
    """A table of scores: its heading and name, its columns, and the label and cells of each row."""

    title: str
    name: str
    columns: list[Column]
    rows: list[tuple[str, list[Cell]]]


def score_tables(rows: Sequence[Row]) -> list[Table]:
    """Return the main table, then those of each of several sets, other metrics and pixel classifications."""
    method, *columns = columns_of(rows)
    main = [column for column in columns if column.main]
    apart = [column for column in columns if column.apart]
    classes = [column for column in columns if column.group and not column.apart]
    others = [
        column
        for column in columns
        if not column.main and not column.group and column.key != "epochs"  # shown in the table of runs
    ]
    parts = (
        ("Scores", "Scores", main),
        ("Scores of each set", "Sets", apart),
        ("The same outputs under other definitions", "Other definitions", others),
        ("Pixels as samples of a classification", "Classification", classes),
    )
    best = {column.key: best_texts(rows, column) for column in columns}
    return [
        Table(
            title,
            name,
            [method, *chosen],
            [
                (marked(row, method), [_cell(column, row, best[column.key]) for column in chosen])
                for row in rows
            ],
        )
        for title, name, chosen in parts
        if chosen
    ]


def _cell(column: Column, row: Row, best: set[str]) -> Cell:
    """Split a value from its interval and its spread over the seeds."""
    text, number = column.text(row), row[column.key]
    value, *more = re.split(r" (?=\[|± )", text)
    key = "" if isinstance(number, str) or math.isnan(number) else repr(float(number))
    return Cell(value, more, text in best, key)


def paired_rows(entries: Sequence[Entry]) -> list[list[str]]:
    """Compare every method with the best, paired by image."""
    rows = []
    for other, paired in against_the_first(entries):
        bounds = f"[{number(paired.low, 2)}, {number(paired.high, 2)}]"
        rows.append(
            [
                other.label,
                number(paired.difference, 2),
                "–" if math.isnan(paired.low) else bounds,
                "–" if math.isnan(paired.p_value) else f"{paired.p_value:.2g}",
                "distinguishable" if paired.distinguishable else "not distinguishable",
            ]
        )
    return rows


def features_table(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]] | None:
    """Return headings, and a row per detector and image, from dark input to reference; None if unmeasured.

    Dark input and reference are alike for all methods: at each level they are of the first that has it.
    """
    matched = [(entry.label, entry.first.features) for entry in entries if entry.first.features]
    if not matched:
        return None
    levels = sorted({level for _, found in matched for by in found.values() for level in by}, key=int)
    rows = []
    for detector in matched[0][1]:
        ends = {level: by for _, found in reversed(matched) for level, by in found[detector].items()}
        shown = [("low", ends, "low")]
        shown += [(label, found[detector], "enhanced") for label, found in matched]
        shown += [("reference", ends, "reference")]
        rows += [
            [f"{detector.upper()}, {label}", *(_matches(found, level, role) for level in levels)]
            for label, found, role in shown
        ]
    return ["Image", *(f"Noise {level}" for level in levels)], rows


def _matches(found: Mapping[str, Any], level: str, role: str) -> str:
    """Format the correct matches and the precision at a noise level."""
    if level not in found:
        return "–"
    matches = found[level][role]
    return f"{number(matches['correct'], 0)} ({number(100 * matches['precision'], 0)} %)"


def run_rows(runs: Sequence[tuple[str, Run]]) -> list[list[str]]:
    """Describe runs, each given with its label: seed, epochs, end, minutes and commit."""
    rows = []
    for label, run in runs:
        manifest = run.manifest
        epochs, planned = manifest.get("epochs", "unknown"), manifest.get("max_epochs")
        commit = str(manifest.get("commit") or "unknown")[:12]
        rows.append(
            [
                label,
                str(run.seed),
                str(epochs) if planned in (None, epochs) else f"{epochs} of {planned}",
                "–" if run.best_epoch is None else str(run.best_epoch),
                run.stopped.replace("_", " "),
                number(float(manifest.get("train_minutes") or 0), None),
                commit + (" with uncommitted changes" if manifest.get("dirty") else ""),
            ]
        )
    return rows
