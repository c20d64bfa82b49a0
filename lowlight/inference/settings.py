"""Settings and outcomes of enhancing files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
from lowlight.memory import resident

MAX_MEMORY = 2 * 10**9
"""Bytes that the process may hold while it enhances, unless it is told otherwise."""

SMOOTHING = 0.5
"""Seconds over which the exposure is smoothed, unless asked otherwise."""


@dataclass(frozen=True)
class VideoSummary:
    """What was made of a video.

    Attributes:
        frames: How many were written.
        width: Of the written frames, as they are stored, in pixels.
        height: As ``width``.
        seconds: From the first frame to the end of the last.
        scenes: How many were told apart; the exposure of each is smoothed on its own.
        flicker_in: Of the dark video, in levels of 255; see :class:`.Flicker`.
        flicker_unsmoothed: Of the enhanced frames before their exposure was smoothed.
        flicker_out: Of the enhanced frames as they were handed to the encoder.
        warnings: Sentences on what could not be kept or read.
    """

    frames: int
    width: int
    height: int
    seconds: float
    scenes: int
    flicker_in: float
    flicker_unsmoothed: float
    flicker_out: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """How photographs are enhanced.

    Attributes:
        strength: Share of the enhancement, from 0 to 1, mixed in linear light.
        fail_safe: Leave what is not dark, or whose enhancement fails a check, as it is.
        max_pixels: Larger photographs are refused.
        max_memory: Bytes that the process may hold; by default 2 GB, or 1 GB more than it holds already.
        tile: Side of the tiles in pixels; by default the memory decides.
        smoothing: Seconds over which the exposure of a video is smoothed; 0 leaves it.
    """

    strength: float = 1.0
    fail_safe: bool = True
    max_pixels: int = 250_000_000
    smoothing: float = SMOOTHING
    max_memory: int | None = None
    tile: int | None = None

    def __post_init__(self) -> None:
        """Refuse a strength that is none."""
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength must be from 0 to 1, got {self.strength}")

    def memory_limit(self) -> int:
        """Return the bytes that the process may hold now."""
        return max(MAX_MEMORY, resident() + 10**9) if self.max_memory is None else self.max_memory


DEFAULTS = Settings()


@dataclass(frozen=True)
class Outcome:
    """What became of a file.

    Attributes:
        source: The file.
        target: What was, or would be, written.
        status: ``enhanced``, ``unchanged``, ``skipped`` or ``failed``.
        reason: Why it is not enhanced: ``not_dark``, ``not_finite``, ``clipped``, ``colour_cast``,
            ``exists``, or an error's message.
        megapixels: Pixels enhanced, in millions; of a video, of all frames.
        seconds: Time from reading to writing.
        notes: What was lost on the way.
        video: What is known of a video.
    """

    source: Path
    target: Path
    status: str
    reason: str | None = None
    megapixels: float = 0.0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    video: VideoSummary | None = None
