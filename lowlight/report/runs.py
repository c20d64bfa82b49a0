"""Finished run folders, read and checked to be comparable."""

import hashlib
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from lowlight.files import read_json, read_table, read_yaml
from lowlight.images import read_rgb
from lowlight.metrics import METRICS, OPTIONAL

log = logging.getLogger(__name__)

Curve = dict[int, float]
"""Value by epoch, counted from 1."""

REMEDY = "finish the run (the same `lowlight train` command with resume=auto) or leave it out"


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder.

    ``scores`` and ``definitions`` are keyed by metric without ``test/`` ("psnr" in dB, "exposure/f1" in
    [0, 1]), ``per_image`` and ``scenes`` by image name, ``curves`` by logged column ("val/psnr"), and
    ``features`` as in :func:`lowlight.evaluation.feature_matching.summary`.
    """

    folder: Path
    config: dict[str, Any]
    manifest: dict[str, Any]
    scores: dict[str, float]
    definitions: dict[str, str]
    conditions: dict[str, str]
    per_image: dict[str, dict[str, float]]
    scenes: dict[str, str]
    curves: dict[str, Curve]
    features: dict[str, Any]

    @property
    def method(self) -> str:
        """Name of the method, as the manifest has it."""
        return str(self.manifest["method"])

    @property
    def seed(self) -> int:
        """Seed of the run, 0 if none is recorded."""
        return int(self.manifest.get("seed") or 0)

    @property
    def stopped(self) -> str:
        """Why training ended: "finished", "max_time", "early_stopping" or, unrecorded, "unknown"."""
        return str(self.manifest.get("stopped") or "unknown")

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the kept checkpoint; None without training."""
        if self.manifest.get("best_epoch") is not None:
            return int(self.manifest["best_epoch"])
        objective = self.config.get("objective") or {}
        curve = self.curves.get(str(objective.get("metric")), {})
        values = {epoch: value for epoch, value in curve.items() if not math.isnan(value)}
        if not values:
            return None
        choose = min if objective.get("mode") == "min" else max
        return choose(values, key=lambda epoch: values[epoch])


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        ValueError: If the folder or one of its files is missing or unreadable.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such run folder")
    for name in ("metrics.json", "per_image.csv", "manifest.json", "config.yaml"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: not a finished run, it has no {name}; {REMEDY}")
    metrics = read_json(folder / "metrics.json")
    manifest = read_json(folder / "manifest.json")
    config = _read_config(folder / "config.yaml")
    manifest.setdefault("method", (config.get("method") or {}).get("name", folder.name))
    per_image = _read_rows(folder / "per_image.csv", "name")
    tests = {key.removeprefix("test/"): value for key, value in metrics.items() if key.startswith("test/")}
    return Run(
        folder=folder,
        config=config,
        manifest=manifest,
        scores=_numbers(
            {key: value for key, value in tests.items() if key != "loss"}, folder / "metrics.json"
        ),
        definitions={
            str(key).removeprefix("test/"): str(text)
            for key, text in (metrics.get("definitions") or {}).items()
        },
        conditions={
            key: str(metrics.get(key, "unknown")) for key in ("split", "protocol", "size", "rounding")
        }
        | {"references": "yes" if metrics.get("references", True) else "no"},
        scenes={row["name"]: row.pop("scene", row["name"]) for row in per_image},
        per_image=_numbers_by(per_image, "name", folder / "per_image.csv"),
        curves=_read_curves(folder / "metrics.csv"),
        features=read_json(folder / "features.json") if (folder / "features.json").is_file() else {},
    )


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read run folders and check that their scores are comparable.

    Raises:
        ValueError: If a run is unfinished or given twice, or if two runs were scored on different images
            or in different ways.
    """
    if not folders:
        raise ValueError("no run to compare; give at least one run folder")
    given: dict[Path, Path] = {}
    for folder in folders:
        if folder.resolve() in given:
            raise ValueError(f"{folder}: this run is given twice; name each run once")
        given[folder.resolve()] = folder
    runs = [read_run(folder) for folder in folders]
    for run in runs[1:]:
        _check_same_images(runs[0], run)
    _check_pictures(runs)
    return _of_one_definition(runs)


def _check_same_images(first: Run, second: Run) -> None:
    """Raise ValueError unless two runs were scored on images of the same names and scenes in the same way."""
    for key, value in first.conditions.items():
        if second.conditions[key] != value:
            _refuse(first, second, f": {key} is {value} in one, {second.conditions[key]} in the other")
    if first.per_image.keys() != second.per_image.keys():
        differences = [
            f"only in {run.folder}: {_first_names(run.per_image.keys() - other.per_image.keys())}"
            for run, other in ((first, second), (second, first))
            if run.per_image.keys() - other.per_image.keys()
        ]
        _refuse(first, second, f", their images differ: {'; '.join(differences)}")
    moved = {name for name, scene in first.scenes.items() if second.scenes[name] != scene}
    if moved:
        _refuse(first, second, f": these images have another scene in each: {_first_names(moved)}")


def _of_one_definition(runs: Sequence[Run]) -> list[Run]:
    """Return runs in which each metric has one definition; one that ranks nothing is left out otherwise.

    Raises:
        ValueError: If runs define a metric by which methods are ranked differently.
    """
    unranked = {metric.key for metric in (*METRICS, *OPTIONAL) if not metric.ranked}
    known: dict[str, Run] = {}
    dropped: set[str] = set()
    for run in runs:
        for metric, definition in run.definitions.items():
            first = known.setdefault(metric, run)
            if first.definitions[metric] != definition and metric not in unranked:
                _refuse(first, run, f": they define {metric} differently")
            if first.definitions[metric] != definition:
                dropped.add(metric)
    for metric in sorted(dropped):
        log.warning("%s is left out: not all runs define it alike; score them anew to compare it", metric)
    return [_without(run, dropped) for run in runs] if dropped else list(runs)


def _without(run: Run, metrics: Collection[str]) -> Run:
    def left(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if key not in metrics}

    per_image = {name: left(row) for name, row in run.per_image.items()}
    return replace(run, scores=left(run.scores), definitions=left(run.definitions), per_image=per_image)


def _check_pictures(runs: Sequence[Run]) -> None:
    """Raise ValueError unless each kept dark image and reference is the same in all runs that kept it."""
    known: dict[str, tuple[Run, tuple[tuple[int, ...], bytes]]] = {}
    for run in runs:
        for name in kept_pictures(run):
            for file in (f"{name}/low.png", f"{name}/high.png"):
                path = run.folder / "pictures" / "test" / file
                if path.is_file():
                    pixels = read_rgb(path)
                    found = pixels.shape, hashlib.sha256(pixels.tobytes()).digest()
                    first, expected = known.setdefault(file, (run, found))
                    if found != expected:
                        _refuse(first, run, f": {file} is a different picture in each")


def _refuse(first: Run, second: Run, why: str) -> NoReturn:
    raise ValueError(
        f"{first.folder} and {second.folder} cannot be ranked{why}; "
        "score both on the same images with `lowlight evaluate`"
    )


def kept_pictures(run: Run) -> list[str]:
    """List the folders of the test pictures that a run kept, sorted by name."""
    return sorted(path.name for path in (run.folder / "pictures" / "test").glob("*") if path.is_dir())


def _first_names(names: set[str]) -> str:
    """List the first five names of a set, and their number if there are more."""
    shown = ", ".join(sorted(names)[:5])
    return shown if len(names) <= 5 else f"{shown} ... ({len(names)} in all)"


def _numbers(values: Mapping[str, Any], path: Path) -> dict[str, float]:
    """Convert values to floats, "Infinity" and "NaN" included; an error names the file."""
    try:
        return {key: float(value) for key, value in values.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a number ({error}); {REMEDY}") from error


def _read_config(path: Path) -> dict[str, Any]:
    """Read a run's config; an error names the file and the remedy."""
    try:
        return read_yaml(path)
    except ValueError as error:
        raise ValueError(f"{error}; {REMEDY}") from error


def _read_rows(path: Path, key: str) -> list[dict[str, str]]:
    """Read the rows of a CSV file with a column ``key``."""
    try:
        rows = read_table(path)
    except ValueError as error:
        raise ValueError(f"{error}; {REMEDY}") from error
    if not all(key in row for row in rows):
        raise ValueError(f"{path}: no column {key!r}; {REMEDY}")
    return rows


def _numbers_by(rows: Sequence[Mapping[str, str]], key: str, path: Path) -> dict[str, dict[str, float]]:
    """Return the numbers of each row by its value of ``key``, without empty cells."""
    return {
        row[key]: _numbers({name: cell for name, cell in row.items() if cell and name != key}, path)
        for row in rows
    }


def _read_curves(path: Path) -> dict[str, Curve]:
    """Read the curves of a run; empty without training."""
    curves: dict[str, Curve] = {}
    table = _numbers_by(_read_rows(path, "epoch"), "epoch", path) if path.is_file() else {}
    for epoch, row in table.items():
        for column, value in row.items():
            curves.setdefault(column, {})[int(_numbers({"epoch": epoch}, path)["epoch"])] = value
    return curves
