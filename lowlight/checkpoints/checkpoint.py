"""Checkpoint files, read as plain data."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lowlight.files import first_line
from lowlight.runs.folder import best_of
from lowlight.shipped import shipped


class Saved(NamedTuple):
    """A method as a file or folder holds it: its recipe and its weights, both plain data."""

    recipe: Any
    """The method's config, to be checked before anything in it is called; None for a method built by hand."""
    recipe_file: Path
    weights: Mapping[str, Tensor]
    """State dict of the method, or of its image network where ``net_only``."""
    weights_file: Path
    net_only: bool = False
    is_config: bool = False
    """Whether this is a run's config, of a method without weights."""


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint as plain data; no code in it is run.

    Raises:
        ValueError: If the file is missing, truncated, damaged, holds code, or is no Lightning checkpoint.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such checkpoint")
    _check_archive(path)
    checkpoint = read_data(path)
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"{path}: not a Lightning checkpoint (no state_dict)")
    weights = checkpoint["state_dict"]
    if not isinstance(weights, dict):
        raise ValueError(f"{path}: refused, its state_dict is a {type(weights).__name__}, not a mapping")
    for name, weight in weights.items():
        if not (isinstance(name, str) and isinstance(weight, Tensor)):
            raise ValueError(f"{path}: refused, its state_dict holds what is no named tensor: {name!r}")
    return checkpoint


def read_data(path: Path) -> Any:
    """Read what a file of ``torch.save`` holds, as plain data.

    Raises:
        ValueError: If it is broken or holds anything else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: refused, broken or holding objects that are no plain data") from error
    except Exception as error:  # broken bytes raise errors of many types
        raise ValueError(f"{path}: not a checkpoint ({first_line(error)})") from error


def read_published(path: Path) -> Any:
    """Read what a published file of weights holds, as plain data: of ``torch.save``, or safetensors.

    Torch wrote its files before 2020 in a format without checksums, which is read, too.

    Raises:
        ValueError: If it is missing, broken or holds anything else.
    """
    if not path.is_file():
        is_model = path.exists() or path.name in shipped()
        what = "no file of published weights; leave --as out" if is_model else "no such file"
        raise ValueError(f"{path}: {what}")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except Exception as error:  # broken bytes raise errors of many types
            raise ValueError(f"{path}: not a safetensors file ({first_line(error)})") from error
    if zipfile.is_zipfile(path):
        _check_archive(path)
    return read_data(path)


def _check_archive(path: Path) -> None:
    """Refuse a file that is no zip archive of torch's, unpacks to more than its size, or has flipped bytes.

    Torch compares no checksums. Doing so takes about a second per gigabyte.

    Raises:
        ValueError: If it is one of these.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
                raise ValueError("it would unpack to more than its size")
            if damaged := archive.testzip():
                raise ValueError(f"damaged: the checksum of {damaged} differs")
    except Exception as error:  # broken bytes raise errors of many types
        raise ValueError(f"{path}: not a checkpoint ({first_line(error)})") from error


def read_checkpoint(path: Path) -> Saved:
    """Read recipe and weights from a checkpoint, or from the best one of a run folder.

    Raises:
        ValueError: As :func:`read` does.
    """
    path = best_of(path) if path.is_dir() else path
    checkpoint = read(path)
    return Saved(checkpoint.get("recipe"), path, checkpoint["state_dict"], path)
