"""Colour arithmetic: BT.601 luma, the sRGB transfer function, and blending in linear light."""

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # an exported network enhances without torch
    from torch import Tensor

Values = TypeVar("Values", "Tensor", NDArray[Any])
"""A floating-point tensor or array."""

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601 weights of red, green and blue."""


def luminance(image: "Tensor") -> "Tensor":
    """Return the BT.601 luma, shape (B, H, W), of images of shape (B, 3, H, W), in single precision."""
    red, green, blue = image.float().unbind(1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def luma(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the BT.601 luma, shape (...), of colours of shape (..., 3).

    The matrix product suits interleaved pixels. Its last bit may differ from that of :func:`luminance`, and
    cached thumbnails depend on it.
    """
    return colours @ np.array(LUMA, np.float32)


def srgb_to_linear(value: Values) -> Values:
    """Convert sRGB values in [0, 1] to linear light in [0, 1], in their own precision.

    Reference:
        IEC 61966-2-1:1999, the inverse of the transfer function of section 5.2.
    """
    return _where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055).clip(0) ** 2.4)


def linear_to_srgb(light: Values) -> Values:
    """Convert linear light in [0, 1] to sRGB values in [0, 1], in its own precision.

    Reference:
        IEC 61966-2-1:1999, section 5.2.
    """
    return _where(light <= 0.0031308, light * 12.92, 1.055 * light.clip(1e-9) ** (1 / 2.4) - 0.055)


def _where(condition: Any, small: Values, large: Values) -> Values:
    if isinstance(small, np.ndarray | np.generic):
        return np.where(condition, small, large)
    return small.where(condition, large)


def blend(low: Values, enhanced: Values, strength: float) -> Values:
    """Mix an image with its enhancement in linear light, as two exposures add up on a sensor.

    Args:
        low: sRGB images of shape (B, 3, H, W) in [0, 1].
        enhanced: Their enhancements, of the same shape and range.
        strength: Share of ``enhanced``: 0 returns ``low``, 1 returns ``enhanced``, more exaggerates, clipped
            to [0, 1].
    """
    if strength == 1:
        return enhanced
    light = (1 - strength) * srgb_to_linear(low) + strength * srgb_to_linear(enhanced)
    return linear_to_srgb(light.clip(0, 1) if strength > 1 else light)
