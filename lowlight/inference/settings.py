"""Settings and outcomes of enhancing files."""

from dataclasses import dataclass
from pathlib import Path

from lowlight.memory import resident

MAX_MEMORY = 2 * 10**9
"""Default limit of the process's memory, in bytes."""

SMOOTHING = 0.5
"""Default time constant of the exposure's smoothing, in seconds."""


@dataclass(frozen=True)
class VideoSummary:
    """Facts about a written video.

    Attributes:
        frames: Number of frames written.
        width: Stored width of the written frames, in pixels.
        height: Stored height, in pixels.
        seconds: Duration from the first frame to the end of the last.
        scenes: Number of scenes detected; the exposure is smoothed within each.
        flicker_in: Flicker of the dark video, in levels of 255; see :class:`lowlight.flicker.Flicker`. None
            if no scene has three frames.
        flicker_unsmoothed: Flicker of the enhanced frames before smoothing.
        flicker_out: Flicker of the enhanced frames that were encoded.
        warnings: Sentences on what could not be kept or read.
    """

    frames: int
    width: int
    height: int
    seconds: float
    scenes: int
    flicker_in: float | None
    flicker_unsmoothed: float | None
    flicker_out: float | None
    warnings: tuple[str, ...] = ()


RANGES = {
    "strength": (0, 2),
    "exposure": (-8, 8),
    "brightness": (0.01, 0.99),
    "saturation": (0, 4),
    "smoothing": (0, 3600),
    "tile": (1, 10**6),
}
"""Least and greatest values of the settings of the same names."""


@dataclass(frozen=True)
class Settings:
    """How photographs and videos are enhanced.

    Attributes:
        strength: Weight of the enhancement, mixed with the photograph in linear light: 0 for none, up to 2 to
            exaggerate it.
        fail_safe: Leave a photograph unchanged if it is not dark, if the network itself decides so, or if its
            enhancement fails a check; a video, if most of its frames are not dark.
        max_pixels: Largest photograph accepted, in pixels.
        smoothing: Time constant in seconds over which a video's exposure is smoothed; 0 for no smoothing.
        max_memory: Bytes that the process may hold; by default 2 GB, or 1 GB more than it holds already.
        tile: Side of the tiles in pixels; by default as large as the memory allows.
        exposure: Change of the result's exposure in stops, highlights rolling off; see
            :func:`lowlight.adjustments.adjust_exposure`.
        brightness: Mean luma that the exposure is first adjusted to, between 0 and 1, a video's as a whole;
            None leaves it to the method.
        saturation: Factor of the result's saturation.

    Raises:
        ValueError: If one of them is out of its range.
    """

    strength: float = 1.0
    fail_safe: bool = True
    max_pixels: int = 250_000_000
    smoothing: float = SMOOTHING
    max_memory: int | None = None
    tile: int | None = None
    exposure: float = 0.0
    brightness: float | None = None
    saturation: float = 1.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} must be from {low:g} to {high:g}, got {value}")

    def memory_limit(self) -> int:
        """Return the limit of the process's memory in bytes, as of now."""
        return max(MAX_MEMORY, resident() + 10**9) if self.max_memory is None else self.max_memory


DEFAULTS = Settings()


@dataclass(frozen=True)
class Outcome:
    """Result of a file's job.

    Attributes:
        source: The file that was read.
        target: The file that was, or would be, written.
        status: ``enhanced``, ``unchanged``, ``skipped`` or ``failed``.
        reason: Why the file is not enhanced: a key of :data:`lowlight.inference.photos.fail_safe.REASONS`,
            ``exists``, or an error's message.
        megapixels: Enhanced pixels in millions, summed over a video's frames.
        seconds: Time from reading to writing.
        notes: Sentences on what could not be kept, and what a network found in the photograph.
        video: Summary of a video; None for a photograph.
    """

    source: Path
    target: Path
    status: str
    reason: str | None = None
    megapixels: float = 0.0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    video: VideoSummary | None = None
