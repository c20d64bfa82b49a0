"""Surface textures of rendered rooms, as functions of the position on the surface in metres."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Cells = NDArray[np.uint32]
Texture = Callable[[Floats, Floats, int], Floats]
"""Share of the second of two colours in [0, 1], from two coordinates in metres and a seed."""


def pigment(generator: np.random.Generator, *, value: float, saturation: float = 0.9) -> Floats:
    """Draw the reflectance of a surface in red, green and blue, in [0.03, 0.9].

    Args:
        generator: Source of hue, saturation and a variation of the value.
        value: Reflectance of the brightest of the three colours, before it varies by a quarter.
        saturation: Largest saturation.
    """
    hue = generator.uniform(0, 6)
    depth = generator.uniform(0, saturation) ** 1.5
    curve = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    colour = value * generator.uniform(0.75, 1.25) * (1 - depth * (1 - curve))
    return np.asarray(colour.clip(0.03, 0.9), np.float32)


def mixed(colours: tuple[Floats, Floats], share: Floats) -> Floats:
    """Blend two colours by the share of the second, (N,); the result has shape (3, N)."""
    first, second = colours
    return first[:, None] + (second - first)[:, None] * share


def _random(one: Cells, other: Cells, seed: int) -> Floats:
    """Return a number in [0, 1) per pair of integers, the same for the same pair and seed."""
    bits = one * np.uint32(374761393) + other * np.uint32(668265263) + np.uint32(seed * 144665 & 0xFFFFFFFF)
    bits = (bits ^ (bits >> np.uint32(13))) * np.uint32(1274126177)
    return (bits >> np.uint32(8)).astype(np.float32) / np.float32(0x1000000)


def _cells(u: Floats, v: Floats) -> tuple[Cells, Cells, Floats, Floats]:
    """Split coordinates into whole cells, modulo 2**32, and the place within them."""
    across, down = np.floor(u), np.floor(v)
    return _whole(across), _whole(down), u - across, v - down


def _whole(coordinate: Floats) -> Cells:
    return coordinate.astype(np.int32).view(np.uint32)


def _noise(u: Floats, v: Floats, seed: int) -> Floats:
    """Interpolate random numbers at whole coordinates smoothly."""
    across, down, x, y = _cells(u, v)
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    top = _random(across, down, seed) * (1 - x) + _random(across + np.uint32(1), down, seed) * x
    bottom = (
        _random(across, down + np.uint32(1), seed) * (1 - x)
        + _random(across + np.uint32(1), down + np.uint32(1), seed) * x
    )
    return np.asarray(top * (1 - y) + bottom * y)


def _clouds(u: Floats, v: Floats, seed: int, octaves: int = 3) -> Floats:
    """Sum noise over octaves, each of twice the frequency and half the height; about [0, 1]."""
    total = sum(_noise(u * 2**octave, v * 2**octave, seed + octave) / 2**octave for octave in range(octaves))
    return np.asarray(total / (2 - 2.0 ** (1 - octaves)), np.float32)


def plaster(u: Floats, v: Floats, seed: int) -> Floats:
    """Return faint clouds with fine grain."""
    return 0.5 * _clouds(3 * u, 3 * v, seed) + 0.3 * _noise(60 * u, 60 * v, seed)


def stripes(u: Floats, v: Floats, seed: int) -> Floats:
    """Return wallpaper of upright stripes of unequal width."""
    across, _, x, _ = _cells(u * (4 + seed % 5), v)
    return (x < 0.3 + 0.4 * _random(across, across * 0, seed)).astype(np.float32)


def bricks(u: Floats, v: Floats, seed: int) -> Floats:
    """Return bricks of varied tone between joints."""
    row = np.floor(v / 0.09)
    across, down, x, y = _cells(u / 0.24 + 0.5 * (row % 2), v / 0.09)
    joint = (x < 0.05) | (y < 0.12)
    return np.where(joint, 1, 0.6 * _random(across, down, seed) + 0.2 * _noise(50 * u, 50 * v, seed))


def planks(u: Floats, v: Floats, seed: int) -> Floats:
    """Return boards with grain along them."""
    row = np.floor(v / 0.14)
    across, down, x, y = _cells(u / 1.1 + _random(_whole(row), _whole(row), seed), v / 0.14)
    grain = _clouds(2 * u + 7 * row, 45 * v, seed, 2)
    return np.where((y < 0.05) | (x < 0.006), 1, 0.5 * _random(across, down, seed) + 0.4 * grain)


def panels(u: Floats, v: Floats, seed: int) -> Floats:
    """Return wooden panels with bevelled frames."""
    _, _, x, y = _cells(u / 0.5, v / 0.7)
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    frame = np.where(edge < 0.03, 0.9, np.where(np.abs(edge - 0.14) < 0.015, 0.7, 0.1))
    return 0.7 * frame + 0.3 * _clouds(25 * u, 3 * v, seed, 2)


def tiles(u: Floats, v: Floats, seed: int) -> Floats:
    """Return square tiles of slightly varied tone between pale joints."""
    across, down, x, y = _cells(u / 0.3, v / 0.3)
    return np.where((x < 0.03) | (y < 0.03), 1, 0.35 * _random(across, down, seed))


def checks(u: Floats, v: Floats, seed: int) -> Floats:
    """Return squares of two colours."""
    side = 0.12 + 0.05 * (seed % 4)
    across, down, _, _ = _cells(u / side, v / side)
    return ((across + down) & np.uint32(1)).astype(np.float32)


def carpet(u: Floats, v: Floats, seed: int) -> Floats:
    """Return a coarse fabric: fine threads over a pattern of clouds."""
    weave = 0.5 + 0.25 * np.sin(170 * u) + 0.25 * np.sin(170 * v)
    return 0.4 * weave + 0.6 * (_clouds(5 * u, 5 * v, seed) > 0.5)


def books(u: Floats, v: Floats, seed: int) -> Floats:
    """Return backs of books of varied tone on shelves, with a line across each."""
    row = np.floor(v / 0.28)
    across, down, x, y = _cells(u / 0.045 + 0.4 * row, v / 0.28)
    tone = _random(across, down, seed)
    missing = y > 0.65 + 0.3 * _random(across, down, seed + 1)
    line = np.abs(y - 0.5) < 0.03
    return np.where(y < 0.06, 0.9, np.where(missing | (x < 0.08), 1.0, np.where(line, 1 - tone, tone)))


def painting(u: Floats, v: Floats, seed: int) -> Floats:
    """Return a framed abstract painting: lines of equal height of a landscape of noise."""
    height = _clouds(2.5 * u, 2.5 * v, seed, 4)
    return np.asarray((height * 6) % 1, np.float32)


def panes(u: Floats, v: Floats, seed: int) -> Floats:
    """Return the bars of a window, with clouds behind the glass."""
    _, _, x, y = _cells(u / 0.4, v / 0.45)
    bar = (x < 0.08) | (y < 0.08)
    return np.where(bar, 1, 0.4 * _clouds(3 * u, 3 * v, seed))


TEXTURES: Mapping[str, Texture] = {
    texture.__name__: texture
    for texture in (plaster, stripes, bricks, planks, panels, tiles, checks, carpet, books, painting, panes)
}
