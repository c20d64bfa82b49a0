"""The models that a server offers, by name."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from lowlight.inference.load import choose
from lowlight.inference.models import DEFAULT, ready_made
from lowlight.runs.folder import BEST, LAST
from lowlight.runtimes.enhancer import Enhancer
from lowlight.runtimes.table import RUNTIMES, runtime_of
from lowlight.serving.messages import public_message
from lowlight.shipped import SHIPPED, WEIGHTS, shipped

SUFFIXES_OF_MODELS = frozenset({".ckpt", *(one.suffix for one in RUNTIMES if one.trust is None)})
"""File name endings of models that can be opened without trust."""
KEPT = 3
"""Number of models that stay loaded, the most recently used."""


def find_models(runs: Path | None) -> dict[str, Path | None]:
    """Find the models to choose from: those that come with lowlight, trained ones, and the other methods.

    Args:
        runs: Folder that holds run folders, checkpoints, pretrained folders and exports at any depth; hidden
            folders are skipped.

    Returns:
        File or folder of each trained model, keyed by its path relative to the folder; None for a model that
        comes with lowlight and for a method without training. A trained model of the same name as one of
        these is keyed by its path from the folder's own name: ``outputs/lime``.

    Raises:
        ValueError: If the folder holds no model.
    """
    ready, found = ready_made(), dict[str, Path | None]()
    for path in sorted(runs.rglob("*")) if runs else []:
        if path.suffix not in SUFFIXES_OF_MODELS and path.name != WEIGHTS:
            continue
        is_run = path.suffix == ".ckpt" and any((path.parent / name).exists() for name in (BEST, LAST))
        model = path.parent if is_run or path.name == WEIGHTS else path
        below = model.relative_to(cast(Path, runs))
        if not any(part.startswith(".") for part in below.parts):
            name = below.as_posix() if below.parts else model.resolve().name
            if name in ready:
                name = "/".join(model.resolve().parts[-1 - len(Path(name).parts) :])
            found[name] = model
    if runs and not found:
        raise ValueError(f"{runs}: no run folder and no checkpoint in it; give another --runs, or none")
    return {**dict.fromkeys([DEFAULT, *shipped()]), **found, **dict.fromkeys(ready)}


_OF_METHODS = frozenset({"runtime", "precision", "calibrate"})
"""Options that an exported network has settled."""


def loader(models: Mapping[str, Path | None], **options: Any) -> Callable[[str], Enhancer]:
    """Return a function that loads a model by name and caches the last :data:`KEPT`.

    What it raises names the model instead of its place on this machine.

    Args:
        models: Files and folders by name, from :func:`find_models`.
        options: Further arguments of :func:`lowlight.inference.load.choose`, such as ``device``.
    """

    @lru_cache(maxsize=KEPT)
    def load(name: str) -> Enhancer:
        path = models[name]
        is_exported = path is not None and runtime_of(path.suffix) is not None
        fixed = _OF_METHODS if is_exported else frozenset()
        try:
            return choose(
                path,
                None if path else name,
                **{option: value for option, value in options.items() if option not in fixed},
            )
        except (ValueError, OSError, RuntimeError) as error:
            raise ValueError(_naming_the_model(str(error), name, path)) from error

    return load


def _naming_the_model(text: str, name: str, path: Path | None) -> str:
    if path:
        file = rf"{re.escape(str(path))}(?:[\\/][\w.=-]*\w)?"
        text = re.sub(file, lambda _: name, re.sub(rf"^{file}: ", "", text))
    return public_message(text)


def size_of(name: str, path: Path | None) -> int:
    """Return the bytes of a model's weights; 0 without any."""
    place = path or SHIPPED / name
    files = [place / one for one in (WEIGHTS, BEST, LAST)] if place.is_dir() else [place]
    found = next((file for file in files if file.is_file()), None)
    beside = place.with_suffix(".bin")  # OpenVINO's weights
    paths = [found, beside if place.suffix == ".xml" else None]
    return sum(one.stat().st_size for one in paths if one and one.is_file())
