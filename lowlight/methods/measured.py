"""What was measured of each method after training all for the same time; ``experiments/field`` writes it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowlight.shipped import Score

FILE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class Measured:
    """A method's size, speed and scores.

    Attributes:
        name: Name of the method.
        parameters: Number of weights of its small network, of ``experiment=lol_cpu/NAME``.
        gmac: Multiply-accumulates per image of 600x400 pixels, in 10^9.
        milliseconds: Time per image of 600x400 pixels, on the machine of :class:`Field`.
        score: Scores on LOL's test pairs, whose scenes were not trained on.
    """

    name: str
    parameters: int
    gmac: float | None
    milliseconds: float
    score: Score


@dataclass(frozen=True)
class Field:
    """Methods that were trained and scored alike.

    Attributes:
        about: How long they were trained, on what.
        machine: What the speeds were measured on.
        methods: What was measured of each, the highest PSNR first.
    """

    about: str
    machine: str
    methods: tuple[Measured, ...]


def measured() -> Field:
    """Read what was measured."""
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    methods = [Measured(**{**one, "score": Score(**one["score"])}) for one in content.pop("methods")]
    return Field(**content, methods=tuple(methods))
