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

    def nearest(self, value: float | None) -> float:
        """Return the value nearest to one that may be out of range; the first value for none."""
        return self.value if value is None else min(max(value, self.low), self.high)


SLIDERS = (
    Slider("strength", "Strength", 0, 2, 1, 0.05),
    Slider("exposure", "Exposure, stops", -2, 2, 0, 0.1),
    Slider("brightness", "Brightness, mean level", 0, 0.9, 0, 0.01, "0 leaves it to the method."),
    Slider("saturation", "Saturation", 0, 2, 1, 0.05),
)
"""Sliders from top to bottom."""


def lay_out_sliders() -> list[Any]:
    """Add the sliders, from top to bottom.

    Gradio refuses what is typed into their boxes when it is empty or out of range; here it is taken for the
    slider's first value and for the nearest end.
    """
    import gradio as gr

    made = []
    for one in SLIDERS:
        slider = gr.Slider(
            one.low, one.high, one.value, step=one.step, label=one.label, info=one.info, elem_id=one.field
        )
        # A class of our own would have Gradio write a file beside this one.
        slider.preprocess = one.nearest  # type: ignore[method-assign, assignment]
        made.append(slider)
    return made


def with_sliders(settings: Settings, values: Sequence[float]) -> Settings:
    """Return settings with the sliders' values; a brightness of 0 is none."""
    chosen: dict[str, Any] = dict(zip((one.field for one in SLIDERS), values, strict=True))
    return replace(settings, **chosen | {"brightness": chosen["brightness"] or None})
