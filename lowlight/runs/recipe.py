"""The recipe of a run: the settings that decide what it computes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowlight.renamed import RENAMED
from lowlight.shipped import locate

_LAUNCH = frozenset({"resume", "output_dir", "logger", "hydra", "trust", "pictures", "find_lr"})
"""Config sections that say where and how a run is launched, not what it computes."""

_SPEED = frozenset(
    {
        "num_workers",
        "cache",
        "cache_dir",
        "enable_progress_bar",
        "enable_model_summary",
        "log_every_n_steps",
        "num_sanity_val_steps",
        "profiler",
    }
)
"""Last parts of dotted keys that change the speed of a run or what it prints, not what it computes."""

LIMIT = "trainer.max_time"
"""It says when training stops, as a signal would, not what its steps compute."""

_FOLDERS = frozenset({"root", "pairs", "bright", "font_folder"})
"""Last parts of the keys of ``data`` that name folders."""


def difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Name the first setting in which two recipes differ, as ``seed is 0 there and 1 here``, or nothing."""
    for key in differing_keys(there, here):
        return f"{key} is {there.get(key)} there and {here.get(key)} here"
    return ""


def differing_keys(there: Mapping[str, Any], here: Mapping[str, Any], own: bool = True) -> list[str]:
    """List the settings in which two recipes differ, sorted.

    A class that has moved is the same class; callbacks that only show a run do not count.

    Args:
        there: Recipe of unknown origin.
        here: The other recipe.
        own: Whether ``here`` is the user's own, so that classes it names may be imported; of other recipes
            only classes of lowlight are.
    """
    keys = sorted(there.keys() | here.keys())
    differing = [key for key in keys if _present(there.get(key)) != _present(here.get(key))]
    return [key for key in differing if not _only_shows(key, there, here, own)]


def recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide what a run computes, by dotted keys.

    Left out are the output folder, the logging and what only changes the speed. Folders and files count by
    their absolute paths.
    """
    home = f"{config.get('output_dir')}/"
    flat = flatten({key: value for key, value in config.items() if key not in _LAUNCH})
    settings = {
        key: value
        for key, value in flat.items()
        if key.rpartition(".")[2] not in _SPEED and not f"{value}/".startswith(home)
    }
    return settings | inputs(settings)


def inputs(settings: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return the folders and files that a run reads, as absolute paths.

    Args:
        settings: Settings by dotted keys; the folders of data become lists.
    """
    paths: dict[str, str | list[str]] = {}
    for key in [key for key in settings if key.startswith("data.") and key.rpartition(".")[2] in _FOLDERS]:
        listed = settings[key] if isinstance(settings[key], list) else [settings[key]]
        if all(isinstance(folder, str) for folder in listed):  # data.weights.bright is a number
            paths[key] = [str(Path(folder).expanduser().resolve()) for folder in listed]
    for key in ("checkpoint", "predictions", "start_from"):
        if settings.get(key):
            paths[key] = str(locate(Path(str(settings[key])).expanduser()).resolve())
    # Networks from checkpoints, which are named by a setting of the method.
    for key in [
        value for name, value in settings.items() if re.fullmatch(r"method\.net\.\w+\.checkpoint", name)
    ]:
        path = locate(Path(str(settings.get(f"method.{key}"))).expanduser())
        if path.exists():
            paths[f"method.{key}"] = str(path.resolve())
    return paths


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested mappings into one mapping with dotted keys; an empty mapping is a leaf."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _present(value: Any) -> Any:
    """Return the present name of a class that has moved, and any other value as it is."""
    return RENAMED.get(value, value) if isinstance(value, str) else value


def _only_shows(key: str, there: Mapping[str, Any], here: Mapping[str, Any], own: bool) -> bool:
    """Return whether a key belongs to a callback whose class says ``shows_only``.

    The class is imported only here, where recipes differ: a finished run is recognised without torch.
    """
    if not key.startswith("callbacks."):
        return False
    target = ".".join([*key.split(".")[:2], "_target_"])
    ours, theirs = here.get(target), there.get(target)
    names = {str(name) for name in (ours, theirs) if name}
    importable = all(name.startswith("lowlight.") or (own and name == ours) for name in names)
    return bool(names) and importable and all(map(_says_so, names))


def _says_so(target: str) -> bool:
    from hydra.utils import get_class

    try:
        return getattr(get_class(target), "shows_only", False)
    except Exception:  # whatever importing it raises, building the callbacks will report
        return False
