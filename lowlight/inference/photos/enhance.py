"""Enhancing a photograph, in memory or as a file."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.colour import blend
from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import read_photo
from lowlight.inference.photos.fail_safe import why_not_dark, why_not_sane
from lowlight.inference.photos.writing import copy_photo, write_photo
from lowlight.inference.settings import DEFAULTS, Outcome, Settings
from lowlight.inference.tiling.enhance import Image, enhance_array
from lowlight.runtimes.enhancer import Enhancer


class _NotFiniteError(ArithmeticError):
    """An enhanced image contains NaN or infinity."""


def enhance_pixels(
    enhancer: Enhancer, pixels: NDArray[Any], settings: Settings = DEFAULTS
) -> tuple[NDArray[Any], str | None]:
    """Enhance RGB pixels of shape (H, W, 3), uint8 or uint16; without the fail-safe also float32 in [0, 1].

    Returns:
        Pixels of the same shape and type, and the reason if they are unchanged, else None: ``not_dark``,
        ``not_finite``, ``clipped`` or ``colour_cast``.

    Raises:
        ValueError: If the memory is too small; without the fail-safe, if the result is not finite.
    """

    def finish(low: Image, enhanced: Image) -> Image:
        if not np.isfinite(enhanced).all():
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
        The photograph, and the reason if it is unchanged, else None; see :func:`enhance_pixels`.
    """
    pixels, reason = enhance_pixels(enhancer, photo.pixels, settings)
    if photo.is_grey and reason is None:
        pixels = pixels.mean(axis=-1, keepdims=True).round().astype(pixels.dtype).repeat(3, axis=-1)
    return replace(photo, pixels=pixels), reason


def enhance_file(enhancer: Enhancer, source: Path, target: Path, settings: Settings = DEFAULTS) -> Outcome:
    """Read, enhance and write a photograph; an unchanged one is copied byte for byte if its suffix stays.

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
        notes = ()  # what was lost in reading is in the copy
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
