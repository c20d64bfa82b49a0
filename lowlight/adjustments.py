"""Exposure and saturation of finished images, arrays as well as tensors."""

from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray

from lowlight.colour import LUMA, linear_to_srgb, srgb_to_linear

if TYPE_CHECKING:  # an exported network enhances without torch
    from torch import Tensor

Image = TypeVar("Image", "Tensor", NDArray[Any])
"""Images of shape (B, 3, H, W), a floating-point tensor or array."""

MOST_STOPS = 8.0
"""Largest change of exposure that :func:`stops_to_mean` returns."""

_HALVINGS = 20


def adjust_exposure(image: Image, stops: Any) -> Image:
    """Change the exposure of images.

    Linear light ``x`` becomes ``1 - (1 - x)^(2^stops)``: dark parts are multiplied by ``2^stops``, highlights
    roll off towards white and never clip, and two changes add up. 0 stops change nothing.

    Args:
        image: sRGB images of shape (B, 3, H, W) in [0, 1].
        stops: Change of exposure, a number or of shape (B, 1, 1, 1).

    Returns:
        Images of the same shape and range.
    """
    light: Image = 1 - (1 - srgb_to_linear(image).clip(0, 1)) ** (2.0**stops)
    return linear_to_srgb(light)


def stops_to_mean(image: Image, mean: Any) -> Image:
    """Return the change of exposure that gives each image a mean luma, shape (B, 1, 1, 1).

    Args:
        image: sRGB images of shape (B, 3, H, W) in [0, 1].
        mean: Mean BT.601 luma to reach, in (0, 1), a number or of shape (B, 1, 1, 1).

    Returns:
        Stops in ±:data:`MOST_STOPS`, which a black image cannot reach its mean with.
    """
    none = image[:, :1, :1, :1] * 0
    stops, step = none, MOST_STOPS / 2
    for _ in range(_HALVINGS):
        is_dark = mean_luma(adjust_exposure(image, stops)) < mean
        stops, step = stops + (is_dark * (none + 2) - 1) * step, step / 2
    return stops


def mean_luma(image: Image) -> Image:
    """Return the mean BT.601 luma of images of shape (B, 3, H, W), shape (B, 1, 1, 1)."""
    means: Image = _luma(image).mean((2, 3))[..., None, None]
    return means


def adjust_saturation(image: Image, factor: float) -> Image:
    """Multiply the distance of colours from the grey of their luma; 0 is grey, 1 changes nothing.

    Args:
        image: sRGB images of shape (B, 3, H, W) in [0, 1].
        factor: Factor, not negative.
    """
    grey: Image = _luma(image)
    changed: Image = (grey + factor * (image - grey)).clip(0, 1)
    return changed


def adjusted(image: Image, stops: Any, saturation: float) -> Image:
    """Change exposure and saturation, as far as they are to be changed; see the functions of these names."""
    image = image if isinstance(stops, float | int) and stops == 0 else adjust_exposure(image, stops)
    return adjust_saturation(image, saturation) if saturation != 1 else image


def _luma(image: Image) -> Image:
    return LUMA[0] * image[:, :1] + LUMA[1] * image[:, 1:2] + LUMA[2] * image[:, 2:]
