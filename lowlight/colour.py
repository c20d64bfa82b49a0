"""Colour arithmetic: BT.601 luma, the sRGB transfer function, and mixing in linear light."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def luminance(image: Tensor) -> Tensor:
    """Return the BT.601 luminance, of shape (B, H, W), of images of shape (B, 3, H, W)."""
    red, green, blue = image.float().unbind(1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def srgb_to_linear(value: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn sRGB values in [0, 1] into linear light in [0, 1].

    Reference:
        IEC 61966-2-1:1999, the inverse of the transfer function of section 5.2.
    """
    value = np.asarray(value, dtype=np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn linear light in [0, 1] into sRGB values in [0, 1].

    Reference:
        IEC 61966-2-1:1999, section 5.2.
    """
    light = np.asarray(light, dtype=np.float64)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def blend(low: Tensor, enhanced: Tensor, strength: float) -> Tensor:
    """Mix an image with its enhancement in linear light, as two exposures add up on a sensor.

    Args:
        low: Images of shape (B, 3, H, W) in [0, 1], sRGB.
        enhanced: Images of the same shape and range.
        strength: 0 returns ``low``, 1 ``enhanced``.

    Reference:
        IEC 61966-2-1, the transfer function of sRGB.
    """
    if strength == 1:
        return enhanced
    linear = (1 - strength) * _to_linear(low) + strength * _to_linear(enhanced)
    return (12.92 * linear).where(linear <= 0.0031308, 1.055 * linear.clamp(min=1e-9) ** (1 / 2.4) - 0.055)


def _to_linear(image: Tensor) -> Tensor:
    return (image / 12.92).where(image <= 0.04045, ((image + 0.055) / 1.055) ** 2.4)


def luma(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the BT.601 luma of colours of shape (N, 3)."""
    return colours @ np.array([0.299, 0.587, 0.114], np.float32)
