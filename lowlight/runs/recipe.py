"""The recipe of a run: the settings that decide what it computes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LAUNCH = frozenset({"resume", "output_dir", "logger", "hydra", "trust", "pictures", "find_lr"})
"""Sections of a config that say where and how a run is launched, not what it computes."""

_SPEED = frozenset(
    {"num_workers", "cache", "cache_dir", "enable_progress_bar", "enable_model_summary", "profiler"}
)
"""Last parts of keys that change how fast a run goes or what it shows, not what it computes."""

_SHOWING = ("learning_rate", "samples", "progress_pictures", "test_pictures")
"""Callbacks that show a run without changing it."""


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
