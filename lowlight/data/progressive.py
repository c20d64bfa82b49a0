"""Training that begins with small crops in large batches and goes on to larger ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Stage:
    """Some epochs of a training.

    Args:
        epochs: How many; 0 leaves the stage out.
        patch_size: Side of their crops in pixels; ``None`` takes whole images.
        batch_size: Their samples a batch.
        resize: Side in pixels that their images are resized to, as squares; ``None`` is ``data.resize``.
    """

    epochs: int
    patch_size: int | None
    batch_size: int
    resize: int | None = None


def read_stages(given: Sequence[Mapping[str, Any]] | None) -> list[Stage]:
    """Read the stages of ``data.progressive``; none where it is ``None`` or empty.

    Raises:
        ValueError: If a stage lacks a number, has another, or one is too small or no whole number.
    """
    stages = []
    for stage in given or []:
        example = "[{epochs: 10, patch_size: 64, batch_size: 32}]"
        keys = {field.name for field in fields(Stage)}
        if not isinstance(stage, Mapping) or set(stage) | {"resize"} != keys:
            raise ValueError(f"data.progressive={given} is no list of stages such as {example}")
        for key, value in stage.items():
            whole_image = key in ("patch_size", "resize") and value is None
            least = 0 if key == "epochs" else 1
            if not whole_image and (type(value) is not int or value < least):
                raise ValueError(
                    f"data.progressive: {key}={value} must be a whole number of at least {least}"
                )
        stages.append(Stage(**stage))
    return stages


def stage_of(stages: Sequence[Stage], epoch: int) -> Stage | None:
    """Return the stage of an epoch, counted from 0; None once all are over."""
    for stage in stages:
        if epoch < stage.epochs:
            return stage
        epoch -= stage.epochs
    return None
