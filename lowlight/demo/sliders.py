"""The web page's sliders, which set how an enhancement is finished."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lowlight.inference.settings import Settings


@dataclass(frozen=True)
class Slider:
    """A slider of the page that sets one of :class:`.Settings`.

    Attributes:
        field: Name of the setting.
        label: Its name on the page.
        low: Least value.
        high: Greatest value.
        value: Value at first.
        step: Distance of values.
        info: A remark.
    """

    field: str
    label: str
    low: float
    high: float
    value: float
    step: float
    info: str | None = None


SLIDERS = (
    Slider("strength", "Strength", 0, 2, 1, 0.05),
    Slider("exposure", "Exposure, stops", -2, 2, 0, 0.1),
    Slider("brightness", "Brightness, mean level", 0, 0.9, 0, 0.01, "0 leaves it to the method."),
    Slider("saturation", "Saturation", 0, 2, 1, 0.05),
)
"""Sliders from top to bottom."""


def with_sliders(settings: Settings, values: Sequence[float]) -> Settings:
    """Return settings with the sliders' values; a brightness of 0 is none."""
    chosen: dict[str, Any] = dict(zip((one.field for one in SLIDERS), values, strict=True))
    return replace(settings, **chosen | {"brightness": chosen["brightness"] or None})
