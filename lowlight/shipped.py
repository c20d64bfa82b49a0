"""Weights that come with lowlight, and where they are."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WEIGHTS = "model.safetensors"
"""Name of the weights' file in a pretrained folder."""

CARD = "card.json"
"""Name of the file beside the weights that says what was measured of them."""

SCORES = {
    "psnr": ("PSNR, dB", 2),
    "psnr_gtmean": ("GT-mean, dB", 2),
    "ssim": ("SSIM", 3),
    "delta_e": ("ΔE 2000", 1),
}
"""Heading and decimals of the scores that tables show, keyed by metric."""

SHIPPED = Path(__file__).with_name("weights")
"""A pretrained folder for each method whose weights come with lowlight."""


@dataclass(frozen=True)
class Score:
    """Scores on images of one source.

    Attributes:
        source: What the images are from, such as ``lol``.
        split: Which of them: ``test``, or ``val`` for scenes held out from training.
        images: Their number.
        scenes: Number of scenes that they show.
        means: Mean over images of each metric, by its key.
        intervals: 95 % bootstrap interval over scenes of each mean.
    """

    source: str
    split: str
    images: int
    scenes: int
    means: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]

    def cell(self, metric: str) -> str:
        """Return a mean with its interval, such as ``18.56 [16.78, 21.14]``; empty if it was not measured."""
        if metric not in self.means:
            return ""
        decimals = SCORES[metric][1]
        mean = f"{self.means[metric]:.{decimals}f}"
        if metric not in self.intervals:
            return mean
        low, high = self.intervals[metric]
        return f"{mean} [{low:.{decimals}f}, {high:.{decimals}f}]"


@dataclass(frozen=True)
class Card:
    """What was measured of shipped weights, and their terms.

    Attributes:
        about: What the model does, in a sentence; None for the first line of its method's config.
        licence: Terms of the weights.
        milliseconds: Time per image of 600x400 pixels; None if it was not measured.
        machine: What it was measured on.
        scores: Scores on each source.
    """

    about: str | None = None
    licence: str = "research-only"
    milliseconds: float | None = None
    machine: str = ""
    scores: tuple[Score, ...] = field(default=())


def read_card(folder: Path) -> Card:
    """Read the card of a folder of weights; an empty one if there is none.

    Raises:
        ValueError: If the file is no card.
    """
    path = folder / CARD
    if not path.exists():
        return Card()
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        scores = tuple(Score(**one) for one in content.pop("scores", ()))
        return Card(**content, scores=scores)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: no card of a model ({error})") from None


def shipped() -> list[str]:
    """Return the names of the methods whose weights come with lowlight."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{WEIGHTS}"))


def count_weights(path: Path) -> int:
    """Return the number of weights in a safetensors file, from its header."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(about["shape"]) for name, about in header.items() if name != "__metadata__")


def locate(path: Path | str) -> Path:
    """Return a path, ``~`` expanded; or, where nothing is there, the folder of :func:`shipped` weights."""
    found = Path(path).expanduser()
    return SHIPPED / path if str(path) in shipped() and not found.exists() else found


def existing(path: Path | str) -> Path:
    """Return where :func:`locate` finds a path.

    Raises:
        ValueError: If nothing is there.
    """
    found = locate(path)
    if not found.exists():
        raise ValueError(f"{found}: no such file or folder")
    return found
