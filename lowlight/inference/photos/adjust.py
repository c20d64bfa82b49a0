"""Strength, exposure, brightness and saturation of a finished enhancement, without another network pass."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.adjustments import adjusted, stops_to_mean
from lowlight.colour import blend
from lowlight.decoding.bands import bands
from lowlight.inference.pixels import floating, shrunk, white_of
from lowlight.inference.settings import DEFAULTS, Settings

_SMALL = 256
"""Longer side in pixels of the copy whose mean luma is brought to the brightness, at least."""


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

    The result is that of enhancing with these settings, but for the rounding of ``enhanced`` and the small
    copy on which a brightness is measured.

    Args:
        pixels: The photograph, of shape (H, W, 3), uint8 or uint16.
        enhanced: Its enhancement, of the same shape and type.
        settings: What to apply.

    Returns:
        Pixels of the same shape and type; ``enhanced`` itself where nothing is to be changed.
    """
    stops = settings.exposure
    if settings.brightness is not None:
        low, small = (floating(shrunk(image, _SMALL)) for image in (pixels, enhanced))
        blended = blend(low, small, settings.strength)
        stops += float(stops_to_mean(blended, settings.brightness).item())
    if settings.strength == 1 and stops == 0 and settings.saturation == 1:
        return enhanced
    output = np.empty_like(enhanced)
    white = np.float32(white_of(enhanced))
    for rows in bands(enhanced):
        blended = blend(floating(pixels[rows]), floating(enhanced[rows]), settings.strength)
        image = adjusted(blended, stops, settings.saturation)[0]
        output[rows] = np.moveaxis(np.rint(image * white), 0, -1)
    return output
