"""Weights that come with lowlight, and where they are."""

import json
import math
from pathlib import Path

WEIGHTS = "model.safetensors"
"""Name of the weights' file in a pretrained folder."""

SHIPPED = Path(__file__).with_name("weights")
"""A pretrained folder for each method whose weights come with lowlight."""


def shipped() -> list[str]:
    """Return the names of the methods whose weights come with lowlight."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{WEIGHTS}"))


def count_weights(path: Path) -> int:
    """Return the number of weights in a safetensors file, from its header."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(about["shape"]) for name, about in header.items() if name != "__metadata__")


def locate(path: Path | str) -> Path:
    """Return a path as it is; or, where nothing is there, the folder of :func:`shipped` weights so named."""
    return SHIPPED / path if str(path) in shipped() and not Path(path).exists() else Path(path)


def existing(path: Path | str) -> Path:
    """Return where :func:`locate` finds a path.

    Raises:
        ValueError: If nothing is there.
    """
    found = locate(path)
    if not found.exists():
        raise ValueError(f"{found}: no such file or folder")
    return found
