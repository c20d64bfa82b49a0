"""Files written whole or not at all, tables and JSON, and errors in one line."""

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write rows as CSV, whole or not at all; the columns are the first row's where none are given."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a mapping as JSON; infinite and undefined floats become the strings Infinity, -Infinity, NaN."""
    write_text(path, json.dumps(_valid(values), indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what :func:`write_json` wrote; floats that JSON lacks stay strings, which ``float`` accepts.

    Raises:
        ValueError: If the file is missing or no JSON.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not readable ({error}); the run in this folder is not whole") from error
    return values


def _valid(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _valid(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_valid(child) for child in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a hidden file beside ``path`` that takes its place when the block ends well.

    Whatever stops the process leaves ``path`` as it was; the next attempt takes the hidden file over.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
