"""Names of the models to enhance with, checked before torch is imported."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from lowlight.config import available, is_function, method_file, read_recipe
from lowlight.files import last_parts, printable
from lowlight.runtimes.table import RUNTIMES, runtime_of
from lowlight.shipped import SHIPPED, WEIGHTS, Card, Score, count_weights, existing, read_card, shipped
from lowlight.spelling import did_you_mean

DEFAULT = "coarse_to_fine"
"""Name of the default method."""

TORCH = "torch"
INT8 = "int8"

PRECISIONS = ("auto", "fp32", "bf16", "fp16", INT8)
"""Precisions of inference; see :func:`lowlight.inference.load.choose`."""


def check_model(
    checkpoint: Path | str | None,
    method: str | None,
    precision: str = PRECISIONS[0],
    runtime: str | None = None,
    original: str | None = None,
    calibrate: Sequence[Path | str] = (),
) -> None:
    """Refuse a checkpoint that is not there, a method that is none or must be trained, an unknown precision.

    Options that would have no effect are refused as well.

    Args:
        checkpoint: File or folder of a model, or the name of shipped weights.
        method: Name of a method that needs no training.
        precision: One of :data:`PRECISIONS`.
        runtime: What computes the network; None for the one that suits the precision.
        original: Method as whose published weights the checkpoint is read.
        calibrate: Photographs that 8-bit integers are calibrated on.

    Raises:
        ValueError: Saying what can be given instead.
    """
    if checkpoint is not None and method is not None:
        raise ValueError("give --checkpoint or --method, not both")
    _check_runtime(checkpoint, precision, runtime)
    if original is not None and checkpoint is None:
        raise ValueError(f"--as {original} says what a file of weights is: give it by --checkpoint")
    if calibrate and precision != INT8:
        raise ValueError(f"--calibrate is for 8-bit integers: give --precision {INT8}, too")
    if checkpoint is not None:
        existing(checkpoint)
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}")
    if method is not None and method not in shipped() and not is_function(method):
        is_method = method in available("method")
        learns = is_method and "optimizer" in read_recipe(method)
        problem = "must be trained first" if learns else "must be made first" if is_method else "is no method"
        raise ValueError(
            f"{method} {problem}: give a checkpoint, or one of {', '.join(ready_made())}"
            f"{did_you_mean(method, ready_made())}"
        )


def _check_runtime(checkpoint: Path | str | None, precision: str, runtime: str | None) -> None:
    known = [TORCH, *(one.name for one in RUNTIMES)]
    if runtime is not None and runtime not in known:
        raise ValueError(f"runtime {runtime!r} is none of {', '.join(known)}")
    if runtime == TORCH and precision == INT8:
        raise ValueError("torch computes in no 8-bit integers here: --runtime openvino does")
    if runtime not in (None, TORCH) and precision in ("bf16", "fp16"):
        raise ValueError(f"{precision} is a precision of torch; {runtime} computes in fp32 or {INT8}")
    is_exported = (
        checkpoint is not None
        and runtime_of(Path(checkpoint).suffix) is not None
        and not Path(checkpoint).is_dir()
    )
    if is_exported and (runtime is not None or precision == INT8):
        raise ValueError(f"{checkpoint}: an exported network has a runtime and a precision of its own")


def is_name_of_method(path: Any) -> TypeGuard[str]:
    """Return whether a model is given by a method's name, not by a path: a word, and no file of that name."""
    return isinstance(path, str) and path.isidentifier() and not Path(path).exists()


def path_or_name(model: Path | str) -> tuple[Path | str | None, str | None]:
    """Return a model's path and its method's name, one of which is None: what :func:`check_model` takes."""
    return (None, model) if is_name_of_method(model) else (model, None)


def labels_of(methods: Sequence[str], reserved: Sequence[str] = ()) -> dict[str, str]:
    """Return the methods by their labels: a path's last part as far as that is unique, all of it otherwise.

    Labels are printable: what UTF-8 cannot hold of a path is escaped.

    Args:
        methods: Names of methods and paths of models.
        reserved: Names of what the methods are compared with.

    Raises:
        ValueError: If one is unusable, given twice or only has a reserved name.
    """
    for method in methods:
        check_model(*path_or_name(method))
    labels = [printable(label) for label in last_parts(methods, reserved)]
    for label in labels:
        if label in reserved:
            raise ValueError(f"--methods: {label} is what methods are compared with; give ./{label}")
        if labels.count(label) > 1:
            raise ValueError(f"--methods names {label} twice")
    return dict(zip(labels, methods, strict=True))


@dataclass(frozen=True)
class ModelInfo:
    """A model that is ready to enhance.

    Attributes:
        name: Name that :func:`lowlight.load` and ``lowlight enhance --method`` take.
        about: What it does, in a sentence.
        parameters: Number of its weights; 0 if it learnt nothing.
        size: Size of the weights' file in bytes.
        licence: Terms of the weights; those of lowlight's code where there are none.
        milliseconds: Time per image of 600x400 pixels, as it was measured on ``machine``; None if it was not.
        machine: What it was measured on.
        scores: Scores on each source, with intervals.
    """

    name: str
    about: str
    parameters: int
    size: int
    licence: str
    milliseconds: float | None = None
    machine: str = ""
    scores: tuple[Score, ...] = ()


def models() -> list[ModelInfo]:
    """Return the models that are ready to enhance, those with pretrained weights first.

    :func:`lowlight.available` also lists the methods that must be trained first.
    """
    return [_info(name) for name in ready_made()]


def _info(name: str) -> ModelInfo:
    folder = SHIPPED / name
    card = read_card(folder) if name in shipped() else Card(licence="MIT")
    about = card.about
    if about is None:
        config = method_file(name)
        about = config.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") if config.exists() else ""
    weights = folder / WEIGHTS
    count, size = (count_weights(weights), weights.stat().st_size) if name in shipped() else (0, 0)
    return ModelInfo(
        name, about, count, size, card.licence, card.milliseconds, card.machine, tuple(card.scores)
    )


def ready_made() -> list[str]:
    """Return the names of the methods that need no training, those with pretrained weights first.

    The others are functions. Only the config files are read, since composing every config takes long.
    """
    return shipped() + [name for name in available("method") if is_function(name)]
