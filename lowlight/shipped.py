"""Weights that come with lowlight, and where they are."""

from pathlib import Path

WEIGHTS = "model.safetensors"
"""Name of the weights' file in a pretrained folder."""

SHIPPED = Path(__file__).with_name("weights")
"""A pretrained folder for each method whose weights come with lowlight."""


def shipped() -> list[str]:
    """Return the names of the methods whose weights come with lowlight."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{WEIGHTS}"))


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
