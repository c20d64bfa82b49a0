"""Enhancing a photograph, in memory or as a file."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.adjustments import adjusted
from lowlight.colour import blend
from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import read_photo
from lowlight.inference.photos.adjust import adjust_pixels
from lowlight.inference.photos.fail_safe import Comparison, why_not_dark
from lowlight.inference.photos.writing import FORMATS, copy_photo, write_photo
from lowlight.inference.pixels import floating, shrunk
from lowlight.inference.settings import DEFAULTS, Outcome, Settings
from lowlight.inference.tiling.enhance import Image, enhance_array
from lowlight.judging import Judgement
from lowlight.runtimes.enhancer import Enhancer


class _NotFiniteError(ArithmeticError):
    """An enhanced image contains NaN or infinity."""


def enhance_pixels(
    enhancer: Enhancer, pixels: NDArray[Any], settings: Settings = DEFAULTS, *, stops: float = 0.0
) -> tuple[NDArray[Any], str | None]:
    """Enhance RGB pixels of shape (H, W, 3), uint8 or uint16; without the fail-safe also float32 in [0, 1].

    The fail-safe judges the enhancement before the exposure and saturation that the user chooses.

    Args:
        enhancer: What enhances.
        pixels: The photograph.
        settings: Strength, limits and look.
        stops: Change of exposure beside that of the settings, which give no brightness then.

    Returns:
        Pixels of the same shape and type, and the reason if they are unchanged, a key of :data:`.REASONS`,
        else None.

    Raises:
        ValueError: If the memory is too small; without the fail-safe, if the result is not finite.
    """
    enhanced, judgement = _enhance(enhancer, pixels, settings, stops=stops)
    return enhanced, judgement.reason


def _enhance(
    enhancer: Enhancer,
    pixels: NDArray[Any],
    settings: Settings,
    *,
    is_grey: bool = False,
    stops: float = 0.0,
) -> tuple[NDArray[Any], Judgement]:
    """Enhance as :func:`enhance_pixels` does, and return what was found in the photograph as well.

    A brightness is that of the whole result. It is set once that is there, of which 16 bits per colour are
    kept beside the final one.
    """
    sets_brightness = settings.brightness is not None

    def finish(low: Image, enhanced: Image) -> Image:
        if not np.isfinite(enhanced).all():
            raise _NotFiniteError
        blended = blend(low, enhanced, settings.strength)
        if settings.fail_safe:
            comparison.add(low, blended)
        if is_grey:
            blended = np.broadcast_to(blended.mean(1, keepdims=True), blended.shape)
        if sets_brightness:
            return blended
        return adjusted(blended, settings.exposure + stops, settings.saturation)

    before = _judge(enhancer, pixels) if settings.fail_safe else Judgement(None)
    if before.reason is not None:
        return pixels, before
    comparison = Comparison(pixels, brightens=enhancer.judge is None)
    try:
        kept = np.dtype(np.uint16 if sets_brightness and pixels.dtype == np.uint8 else pixels.dtype)
        limit = settings.memory_limit() - (pixels.size * kept.itemsize if sets_brightness else 0)
        enhanced = enhance_array(
            enhancer, pixels, max_memory=limit, tile=settings.tile, finish=finish, dtype=kept.type
        )
    except _NotFiniteError:
        if not settings.fail_safe:
            raise ValueError(f"the output of {enhancer.name} is not finite") from None
        return pixels, Judgement("not_finite")
    if settings.fail_safe and (reason := comparison.why_not_sound()):
        return pixels, Judgement(reason)
    if sets_brightness:
        enhanced = adjust_pixels(pixels, enhanced, replace(settings, strength=1.0))
    return enhanced, before


_SMALL = 256
"""Longer side in pixels, at least, of the copy that is judged."""


def _judge(enhancer: Enhancer, pixels: NDArray[Any]) -> Judgement:
    """Judge a photograph by the network if it does so itself, else by whether it is dark."""
    if enhancer.judge is None:
        return Judgement(why_not_dark(pixels))
    return enhancer.judge(floating(shrunk(pixels, _SMALL)))


def enhance_photo(
    enhancer: Enhancer, photo: Photo, settings: Settings = DEFAULTS
) -> tuple[Photo, str | None]:
    """Enhance a photograph; a grey one stays grey, transparency and metadata are kept.

    Colours that are wholly transparent do not count, and stay as they are. What the network finds in its
    input is noted last in the photograph's ``notes``.

    Returns:
        The photograph, and the reason if it is unchanged, else None; see :func:`enhance_pixels`.
    """
    hidden = photo.alpha == 0 if photo.alpha is not None else None
    filled = _filled(photo.pixels, hidden)
    pixels, (reason, finding) = _enhance(enhancer, filled, settings, is_grey=photo.is_grey)
    if reason is not None:
        pixels = photo.pixels
    elif hidden is not None:
        np.copyto(pixels, photo.pixels, where=hidden[..., None])
    notes = photo.notes if finding is None else (*photo.notes, finding)
    return replace(photo, pixels=pixels, notes=notes), reason


def _filled(pixels: NDArray[Any], hidden: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Return pixels of shape (H, W, 3) whose hidden ones have the mean colour of the others."""
    if hidden is None or not hidden.any() or hidden.all():
        return pixels
    mean = pixels.mean((0, 1), where=~hidden[..., None], dtype=np.float64)
    return np.where(hidden[..., None], mean.round().astype(pixels.dtype), pixels)


def enhance_file(enhancer: Enhancer, source: Path, target: Path, settings: Settings = DEFAULTS) -> Outcome:
    """Read, enhance and write a photograph; an unchanged one is copied byte for byte if its format stays.

    Raises:
        ValueError: If the file cannot be read; the message names it.
        OSError: If the target cannot be written.
    """
    began = time.perf_counter()
    photo = read_photo(source, settings.max_pixels, remedy="see --max-pixels")
    enhanced, reason = enhance_photo(enhancer, photo, settings)
    notes = enhanced.notes
    own, wanted = (FORMATS.get(path.suffix.lower()) for path in (source, target))
    if reason is not None and own is not None and own == wanted:
        copy_photo(source, target)
        notes = notes[len(photo.notes) :]  # what was lost in reading is in the copy
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
