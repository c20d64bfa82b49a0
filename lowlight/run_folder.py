"""What a run leaves in its folder, and whether a run may begin, continue or be left alone there.

Imports no torch: a finished run is recognised in a moment.
"""

import csv
import io
import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

Resume = Literal["never", "auto", "restart"]

_LAUNCH = frozenset({"resume", "output_dir", "logger", "hydra", "trust", "pictures", "find_lr"})
"""Sections of a config that say where and how a run is launched, not what it computes."""

_SPEED = frozenset(
    {"num_workers", "cache", "cache_dir", "enable_progress_bar", "enable_model_summary", "profiler"}
)
"""Last parts of keys that change how fast a run goes or what it shows, not what it computes."""

OVERRIDES = "overrides.yaml"
"""The overrides of the finished run: Hydra's own are those of the latest job there, refused or not."""

WANDB_ID = "wandb_id.txt"
"""The file that holds the id of a run's W&B run."""

_SHOWING = ("learning_rate", "samples", "progress_pictures", "test_pictures")
"""Callbacks that show a run without changing it."""

_RESULTS = (
    "config.yaml",
    "metrics.json",
    "metrics.csv",
    "per_image.csv",
    "features.json",
    "features.csv",
    "manifest.json",
    WANDB_ID,
    "lr_find.csv",
    "fit-profile.txt",
    "test-profile.txt",
    OVERRIDES,
)
BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"
"""The checkpoint with the best objective, that of the last epoch, and that of the epoch before."""

FAILURE = "failed.json"
"""Why a job of a sweep ended without results; gone once it has them."""

REFUSAL = "refused.json"
"""Why a job failed in a folder that holds a finished run; gone once the sweep has told it."""

_WEIGHTS = (BEST, LAST, PREVIOUS)


def prepare(config: DictConfig) -> None:
    """Make the output folder ready for a run, and store the config in it.

    Args:
        config: A whole run's config; reads ``output_dir`` and ``resume``.

    Raises:
        ValueError: If the folder holds a run that must not be touched, or cannot be written.
    """
    folder = Path(config.output_dir)
    if config.resume not in ("never", "auto", "restart"):
        raise ValueError(f"resume={config.resume} is none of never, auto, restart")
    exists = (folder / "config.yaml").exists()
    if exists and config.resume == "never":
        raise ValueError(
            f"{folder} already holds a run: resume=auto continues it, resume=restart replaces it, "
            "or choose another output_dir (in a sweep, hydra.sweep.dir)"
        )
    if exists and config.resume == "auto":
        _refuse_other_recipe(config, folder)
    if exists and config.resume == "restart":
        _remove_run(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for partial in folder.glob(".*.ckpt.*"):  # of a process that was killed while it wrote
            partial.unlink()
        (folder / FAILURE).unlink(missing_ok=True)  # that of a job repeated alone
        write_text(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    except OSError as error:
        raise ValueError(f"cannot write to output_dir={folder} ({error.strerror}); choose another") from error


def resumable(config: DictConfig) -> list[Path]:
    """Return the checkpoints that a run may go on from once its folder is prepared, the newest first."""
    if config.resume != "auto":
        return []
    checkpoints = (Path(config.output_dir) / name for name in (LAST, PREVIOUS))
    return [path for path in checkpoints if path.exists()]


def prepare_evaluation(config: DictConfig) -> None:
    """Make the output folder ready for an evaluation, which replaces an earlier one but no training run.

    Raises:
        ValueError: If the folder holds a training run or cannot be written.
    """
    folder = Path(config.output_dir)
    if any((folder / name).exists() for name in _WEIGHTS):
        raise ValueError(f"{folder} holds a training run; choose another output_dir for its evaluation")
    prepare(config)


def finished(config: DictConfig) -> dict[str, Any] | None:
    """Return the metrics of the finished run that this config would repeat, or None.

    Raises:
        ValueError: If the folder holds a run of another recipe.
    """
    folder = Path(config.output_dir)
    if config.resume != "auto" or config.get("find_lr") or not (folder / "manifest.json").exists():
        return None
    _refuse_other_recipe(config, folder)
    return read_json(folder / "metrics.json")


def _remove_run(folder: Path) -> None:
    """Remove what a run left in its folder, and nothing else.

    Raises:
        ValueError: If the config in it is not one of ours.
    """
    there = OmegaConf.load(folder / "config.yaml")
    if not isinstance(there, DictConfig) or not {"output_dir", "data", "method"} <= there.keys():
        raise ValueError(
            f"{folder} holds a config.yaml that no run of lowlight wrote; choose another output_dir"
        )
    for name in (*_RESULTS, *_WEIGHTS):
        (folder / name).unlink(missing_ok=True)
    for name in ("pictures/test", "pictures/progress", "images", "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _refuse_other_recipe(config: DictConfig, folder: Path) -> None:
    there, here = (
        recipe(OmegaConf.to_container(one, resolve=True))  # type: ignore[arg-type]
        for one in (OmegaConf.load(folder / "config.yaml"), config)
    )
    if differs := difference(there, here):
        raise ValueError(
            f"{folder} holds a run of another recipe: {differs}; choose another output_dir, or replace that "
            "run by resume=restart"
        )


def difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Say in which setting two recipes differ first, such as ``seed is 0 there and 1 here``; or nothing."""
    for key in sorted(there.keys() | here.keys()):
        if there.get(key) != here.get(key):
            return f"{key} is {there.get(key)} there and {here.get(key)} here"
    return ""


def recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide what a run computes, by dotted keys.

    Left out is where the run goes and how fast; folders and files count by their absolute paths.
    """
    home = f"{config.get('output_dir')}/"
    flat = flatten({key: value for key, value in config.items() if key not in _LAUNCH})
    settings = {
        key: value
        for key, value in flat.items()
        if key.rpartition(".")[2] not in _SPEED
        and not key.startswith(tuple(f"callbacks.{name}." for name in _SHOWING))
        and not f"{value}/".startswith(home)
    }
    if roots := settings.get("data.root"):
        listed = roots if isinstance(roots, list) else [roots]
        settings["data.root"] = [str(Path(root).expanduser().resolve()) for root in listed]
    for key in ("checkpoint", "predictions"):
        if settings.get(key):
            settings[key] = str(Path(settings[key]).expanduser().resolve())
    return settings


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested mappings into one mapping with dotted keys; an empty mapping is a leaf."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


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


def commit_of(source: Path) -> str | None:
    """Return the commit that a run was made by, of its folder or a file in it; None where it is not known."""
    folder = source if source.is_dir() else source.parent
    manifests = [path for name in ("manifest.json", "config.json") if (path := folder / name).is_file()]
    return read_json(manifests[0]).get("commit") if manifests else None
