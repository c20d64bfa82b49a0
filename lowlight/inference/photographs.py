"""Enhancing one photograph, in memory or as a file."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from lowlight.inference.engines import Enhancer
from lowlight.inference.memory import resident
from lowlight.inference.photo import Photo, read_photo
from lowlight.inference.safety import blend, why_not_dark, why_not_sane
from lowlight.inference.tiles import MAX_MEMORY, enhance_array
from lowlight.inference.video import SMOOTHING, VideoSummary
from lowlight.inference.writing import copy_photo, write_photo


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


class _NotFiniteError(ArithmeticError):
    """An enhancement holds NaN or infinity."""


def enhance_pixels(
    enhancer: Enhancer, pixels: NDArray[Any], settings: Settings = DEFAULTS
) -> tuple[NDArray[Any], str | None]:
    """Enhance RGB pixels of shape (H, W, 3), uint8 or uint16; without the fail-safe also float32 in [0, 1].

    Returns:
        Pixels of the same shape and type, and why they are the ones given, or None: ``not_dark``,
        ``not_finite``, ``clipped`` or ``colour_cast``.

    Raises:
        ValueError: If the memory is too small; without the fail-safe, if the result is not finite.
    """

    def finish(low: Tensor, enhanced: Tensor) -> Tensor:
        if not enhanced.isfinite().all():
            raise _NotFiniteError
        return blend(low, enhanced, settings.strength)

    if settings.fail_safe and (reason := why_not_dark(pixels)):
        return pixels, reason
    try:
        limit, tile = settings.memory_limit(), settings.tile
        enhanced = enhance_array(enhancer, pixels, max_memory=limit, tile=tile, finish=finish)
    except _NotFiniteError:
        if not settings.fail_safe:
            raise ValueError(f"the output of {enhancer.name} is not finite") from None
        return pixels, "not_finite"
    if settings.fail_safe and (reason := why_not_sane(pixels, enhanced)):
        return pixels, reason
    return enhanced, None


def enhance_photo(
    enhancer: Enhancer, photo: Photo, settings: Settings = DEFAULTS
) -> tuple[Photo, str | None]:
    """Enhance a photograph; a grey one stays grey, transparency and metadata are kept.

    Returns:
        The photograph, and why it is unchanged, or None; see :func:`enhance_pixels`.
    """
    pixels, reason = enhance_pixels(enhancer, photo.pixels, settings)
    if photo.is_grey and reason is None:
        pixels = pixels.mean(axis=-1, keepdims=True).round().astype(pixels.dtype).repeat(3, axis=-1)
    return replace(photo, pixels=pixels), reason


def enhance_file(enhancer: Enhancer, source: Path, target: Path, settings: Settings = DEFAULTS) -> Outcome:
    """Read, enhance and write a photograph; what is left unchanged is copied byte for byte where it can be.

    Raises:
        ValueError: If the file cannot be read; the message names it.
        OSError: If the target cannot be written.
    """
    began = time.perf_counter()
    photo = read_photo(source, settings.max_pixels)
    enhanced, reason = enhance_photo(enhancer, photo, settings)
    notes = photo.notes
    if reason is not None and source.suffix.lower() == target.suffix.lower():
        copy_photo(source, target)
    else:
        notes += write_photo(enhanced, target)
    height, width = photo.pixels.shape[:2]
    return Outcome(
        source,
        target,
        "enhanced" if reason is None else "unchanged",
        reason,
        height * width / 1e6,
        time.perf_counter() - began,
        notes,
    )
