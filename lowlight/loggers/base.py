"""What the loggers share."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class Sample(NamedTuple):
    """A validation image three times, 8-bit, of shape (3, H, W), on the CPU."""

    name: str
    low: Tensor
    enhanced: Tensor
    reference: Tensor


def divide(metrics: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float], int | None]:
    """Return the curves, the test scores and the epoch, counted from 0, of what Lightning logs."""
    rest = dict(metrics)
    epoch = rest.pop("epoch", None)
    scores = {key: rest.pop(key) for key in list(rest) if key.startswith("test/")}
    return rest, scores, None if epoch is None else int(epoch)
