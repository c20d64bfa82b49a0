"""Names of the models to enhance with, checked before torch is imported."""

from pathlib import Path

from lowlight.config import available, config_folder
from lowlight.files import read_yaml
from lowlight.shipped import existing, shipped

DEFAULT = "coarse_to_fine"
"""Name of the default method."""

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
"""Precisions of inference; see :func:`lowlight.precision.inference_dtype`."""


def check_model(checkpoint: Path | str | None, method: str | None, precision: str = PRECISIONS[0]) -> None:
    """Refuse a checkpoint that is not there, a method that is none or must be trained, an unknown precision.

    Args:
        checkpoint: File or folder of a model, or the name of shipped weights.
        method: Name of a method that needs no training.
        precision: One of :data:`PRECISIONS`.

    Raises:
        ValueError: Saying what can be given instead.
    """
    if checkpoint is not None and method is not None:
        raise ValueError("give --checkpoint or --method, not both")
    if checkpoint is not None:
        existing(checkpoint)
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}")
    if method is not None and method not in shipped() and method not in ready_made():
        problem = "must be trained first" if method in available("method") else "is no method"
        raise ValueError(f"{method} {problem}: give --checkpoint, or one of {', '.join(ready_made())}")


def ready_made() -> list[str]:
    """Return the names of the methods that need no training, those with pretrained weights first.

    The others are functions. Only the config files are read, since composing every config takes long.
    """
    return shipped() + [name for name in available("method") if "function" in read_recipe(name)]


def read_recipe(name: str) -> dict[str, object]:
    """Read the config file of a method, without the parts that it shares with others."""
    return read_yaml(config_folder() / "method" / f"{name}.yaml")
