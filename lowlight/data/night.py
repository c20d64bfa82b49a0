"""Night made from photographs by day: black skies, and lamplight that ends in darkness.

Low light that is made by darkening photographs alone teaches that everything dark is to be brightened. At
night much is to stay black: the sky, and what no lamp reaches.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.colour import linear_to_srgb, luma, srgb_to_linear

Floats = NDArray[np.float32]

_GRID = 64
"""Longer side in cells of the grid on which skies are found and lamplight is drawn."""

_PLAIN = 0.025
"""Standard deviation of the luma within a cell, below which it is plain."""

_BRIGHT = 0.35
"""Mean luma of a cell, above which it may be sky."""


def at_night(high: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Turn a photograph into one of a place at night, well exposed where there is light.

    A sky becomes black; where there is none, and sometimes beside, only the light of one to three lamps is
    left.

    Args:
        high: Bright photograph, 8-bit sRGB, shape (H, W, 3).
        generator: Source of all randomness.

    Returns:
        Photograph of the same shape, in which black parts are black and the rest is as bright as before.
    """
    light: Any = srgb_to_linear(high / np.float32(255))
    sky = sky_of(high)
    has_sky = 0.1 < float(sky.mean()) < 0.8 and generator.random() < 0.8
    if has_sky:
        light *= np.exp2(-np.float32(generator.uniform(6, 11)) * sky)[..., None]
    if not has_sky or generator.random() < 0.3:
        light *= lamplight(high.shape[:2], generator)[..., None]
    night: NDArray[np.uint8] = np.round(linear_to_srgb(light.clip(0, 1)) * 255).astype(np.uint8)
    return night


def sky_of(high: NDArray[np.uint8]) -> Floats:
    """Find a plain bright area along a side of a photograph, as the sky is.

    Silhouettes of darker things before it stay out of it.

    Args:
        high: 8-bit sRGB, shape (H, W, 3), in any orientation.

    Returns:
        Weights in [0, 1], shape (H, W); 0 everywhere if there is no such area along half a side.
    """
    grey: Floats = luma(np.divide(high, 255, dtype=np.float32))
    height, width = grey.shape
    size = _grid(height, width)
    mean, square = (
        np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BOX)) for values in (grey, grey**2)
    )
    plain = (np.sqrt((square - mean**2).clip(0)) < _PLAIN) & (mean > _BRIGHT)
    found = np.zeros_like(plain)
    for side in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        if plain[side].mean() > 0.5:
            found[side] |= plain[side]
    for _ in range(max(size)):  # as far as it reaches from there
        wider = found.copy()
        wider[1:] |= found[:-1]
        wider[:-1] |= found[1:]
        wider[:, 1:] |= found[:, :-1]
        wider[:, :-1] |= found[:, 1:]
        found = wider & plain
    if not found.any():
        return np.zeros_like(grey)
    level = np.float32(np.median(mean[found]))
    around = np.pad(found, 1, mode="edge")
    near = found | around[:-2, 1:-1] | around[2:, 1:-1] | around[1:-1, :-2] | around[1:-1, 2:]
    smooth = Image.fromarray(near.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    inside: Floats = np.asarray(smooth)
    share: Floats = (grey / level - 0.55) / 0.3
    return _smoothstep(inside * 2 - 0.5) * _smoothstep(share)


def lamplight(shape: tuple[int, ...], generator: np.random.Generator) -> Floats:
    """Draw the light of one to three lamps: a factor in [0, 1] on linear light, of a shape (H, W).

    It falls to about a thousandth beyond the lamps' reach, which is 0.2 to 0.6 of the longer side.
    """
    height, width = shape
    columns, rows = _grid(height, width)
    down, across = np.mgrid[0:rows, 0:columns].astype(np.float32) / max(rows, columns)
    light = np.full((rows, columns), np.float32(5e-4))
    for _ in range(generator.integers(1, 4)):
        centre, reach = generator.uniform(0, 1, 2) * (down.max(), across.max()), generator.uniform(0.2, 0.6)
        distance = ((down - centre[0]) ** 2 + (across - centre[1]) ** 2) / np.float32(reach**2)
        light += 2 / (1 + distance) ** 4
    return np.asarray(Image.fromarray(light.clip(max=1)).resize((width, height), Image.Resampling.BILINEAR))


def _grid(height: int, width: int) -> tuple[int, int]:
    """Return columns and rows of the grid for an image."""
    scale = _GRID / max(height, width)
    return max(2, round(width * scale)), max(2, round(height * scale))


def _smoothstep(share: Floats) -> Floats:
    """Rise smoothly from 0 at 0 to 1 at 1."""
    share = share.clip(0, 1)
    return share * share * (3 - 2 * share)
