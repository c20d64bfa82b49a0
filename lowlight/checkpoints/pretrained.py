"""Trained methods handed on as ``model.safetensors`` and ``config.json``: folders, the hub, those shipped."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from lowlight import __version__
from lowlight.checkpoints.checkpoint import Saved
from lowlight.files import first_line, whole, write_json
from lowlight.images import CONTRACT
from lowlight.paths import names_only
from lowlight.runs.folder import holds_run
from lowlight.shipped import WEIGHTS, locate

if TYPE_CHECKING:
    from lowlight.methods import Method

CONFIG = "config.json"


def save_pretrained(method: "Method", folder: Path | str, *, half: bool = False, **about: Any) -> None:
    """Write what enhancing needs: the image network's weights, and the recipe in plain JSON; no pickle.

    What only training needs, as a discriminator or an optimizer's state, is left out. Paths in the recipe,
    such as that of a loss's file of weights, are reduced to their last part, since others get to see it.

    Args:
        method: A method with a recipe.
        folder: Is made where it is missing; files of an earlier call are replaced.
        half: Whether weights are stored in 16 bits, in half the space; they are loaded in 32.
        about: What else ``config.json`` should say, such as ``commit`` or ``metrics``; plain values.

    Raises:
        ValueError: If the method was built by hand and so has no recipe, or see :func:`check_out`.
    """
    if method.recipe is None:
        raise ValueError(
            "a method built by hand has no recipe to save; make it by lowlight.checkpoints.recipe.build"
        )
    folder = Path(folder)
    check_out(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        # Copies, since safetensors refuses weights that share memory, as MIRNet's one activation does.
        name: (weight.half() if half and weight.is_floating_point() else weight)
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for name, weight in method.net.state_dict().items()
    }
    with whole(folder / WEIGHTS) as partial:  # not save_file, whose files only their owner can read
        partial.write_bytes(to_bytes(weights, metadata={"format": "pt"}))
    config = {
        "recipe": names_only(method.recipe),
        "contract": CONTRACT,
        "stride": method.stride,
        "lowlight": __version__,
    }
    write_json(folder / CONFIG, about | config)


def check_out(folder: Path, *further: str) -> None:
    """Refuse a folder for weights in which files of others would be replaced.

    Args:
        folder: The folder, which need not exist.
        further: Names of files that are written beside weights and recipe.

    Raises:
        ValueError: If it holds a run, whose checkpoints the weights would stand in for, or one of the files
            but no recipe.
    """
    if holds_run(folder):
        raise ValueError(f"{folder} holds a run; write to another folder")
    found = [name for name in (WEIGHTS, CONFIG, *further) if (folder / name).exists()]
    if found and not _is_ours(folder / CONFIG):
        raise ValueError(f"{folder} holds {', '.join(found)}, not written by lowlight; give another folder")


def _is_ours(config: Path) -> bool:
    try:
        _read_config(config)
    except ValueError:
        return False
    return True


def read_pretrained(folder: Path | str) -> Saved:
    """Read recipe and weights from a pretrained folder, which may be a shipped one or one of the hub.

    Args:
        folder: A folder written by :func:`save_pretrained`; where no such folder exists, the name of one of
            :func:`lowlight.shipped.shipped`, or a Hugging Face repository, as ``organisation/name``.

    Raises:
        ValueError: If files are missing or broken.
    """
    path = locate(folder)
    if not path.is_dir():
        path = _from_hub(str(folder))
    recipe = _read_config(path / CONFIG)["recipe"]
    try:
        weights = load_file(path / WEIGHTS)
    except FileNotFoundError:
        raise ValueError(f"{path / WEIGHTS}: no such file") from None
    except SafetensorError as error:
        raise ValueError(f"{path / WEIGHTS}: not a safetensors file ({error})") from error
    return Saved(recipe, path / CONFIG, weights, path / WEIGHTS, net_only=True)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON ({first_line(error)})") from error
    if not (isinstance(config, dict) and isinstance(config.get("recipe"), dict)):
        raise ValueError(
            f"{path}: holds no recipe; not written by lowlight.checkpoints.pretrained.save_pretrained"
        )
    return config


def _from_hub(name: str) -> Path:
    """Fetch a repository of the hub into the user's cache, and return its folder there."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"{name}: no such folder, and no repository's name (organisation/name)")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ValueError(
            f"{name}: no such folder; for the Hugging Face hub, pip install 'lowlight[hub]'"
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=[CONFIG, WEIGHTS]))
    except Exception as error:  # of the hub's, of the connection's, of the disk's
        reason = first_line(error)
        raise ValueError(f"{name}: no such folder, and not fetched from the hub: {reason}") from error
