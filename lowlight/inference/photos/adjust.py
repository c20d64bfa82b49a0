"""Strength, exposure, brightness and saturation of a finished enhancement, without another network pass."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.adjustments import adjusted, stops_to_mean
from lowlight.colour import blend
from lowlight.decoding.bands import bands
from lowlight.inference.pixels import floating, sampled, store
from lowlight.inference.settings import DEFAULTS, Settings


def neutral(settings: Settings) -> Settings:
    """Return settings for an enhancement that :func:`adjust_pixels` can adjust."""
    return Settings(
        fail_safe=settings.fail_safe,
        max_pixels=settings.max_pixels,
        max_memory=settings.max_memory,
        tile=settings.tile,
    )


def adjust_pixels(
    pixels: NDArray[Any], enhanced: NDArray[Any], settings: Settings = DEFAULTS
) -> NDArray[Any]:
    """Apply strength, brightness, exposure and saturation to an enhancement under :func:`neutral` settings.

    The result is that of enhancing with these settings, but for the rounding of ``enhanced``.

    Args:
        pixels: The photograph, of shape (H, W, 3), uint8, uint16 or float32 in [0, 1].
        enhanced: Its enhancement, of the same shape; of the same type, or with more bits.
        settings: What to apply.

    Returns:
        Pixels of the photograph's shape and type; ``enhanced`` itself if nothing changes it.
    """
    stops = settings.exposure
    if settings.brightness is not None:
        blended = blend(floating(sampled(pixels)), floating(sampled(enhanced)), settings.strength)
        stops += float(stops_to_mean(blended, settings.brightness).item())
    is_done = settings.strength == 1 and stops == 0 and settings.saturation == 1
    if is_done and enhanced.dtype == pixels.dtype:
        return enhanced
    output = np.empty_like(pixels)
    for rows in bands(enhanced):
        blended = blend(floating(pixels[rows]), floating(enhanced[rows]), settings.strength)
        store(adjusted(blended, stops, settings.saturation)[0], output[rows])
    return output
