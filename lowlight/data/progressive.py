"""Progressive training: small crops in large batches first, larger crops later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Stage:
    """Consecutive epochs with crops and batches of one size.

    Args:
        epochs: Number of epochs; 0 skips the stage.
        patch_size: Side of the crops in pixels; ``None`` takes whole images.
        batch_size: Samples per batch.
        resize: Side in pixels of the squares to which images are resized; ``None`` is ``data.resize``.
    """

    epochs: int
    patch_size: int | None
    batch_size: int
    resize: int | None = None


def read_stages(given: Sequence[Mapping[str, Any]] | None) -> list[Stage]:
    """Return the stages of ``data.progressive``, which may be ``None`` or empty.

    Raises:
        ValueError: If a stage lacks a key or has an unknown one, or a number is too small or no integer.
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
    """Return the stage of an epoch, counted from 0; None after the last stage."""
    for stage in stages:
        if epoch < stage.epochs:
            return stage
        epoch -= stage.epochs
    return None
