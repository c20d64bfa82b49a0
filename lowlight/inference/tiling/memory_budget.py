"""How large a tile may be so that the process stays within its memory."""

from weakref import WeakKeyDictionary

import torch

from lowlight.inference.pixels import Pixels
from lowlight.inference.tiling.grid import Grid, round_up
from lowlight.memory import resident, taken_by
from lowlight.runtimes.enhancer import Enhancer, TorchEnhancer

FASTEST = 1024
"""Pixels: larger tiles were no faster on a CPU."""

RESERVE = 0.3
"""Share of a pass's memory that is set aside beyond what was measured on a small one."""

UNKNOWN = 4000
"""Bytes a pixel assumed on systems that do not tell the process's size: more than the published MIRNet's."""

LEAST = 60
"""Bytes a pixel assumed at least: what is done before its size is read is not seen, nor what finishes it."""

PROBE = 192
"""Pixels: the side of the image that a pass's memory is measured on."""

_measured: WeakKeyDictionary[object, float] = WeakKeyDictionary()
"""Bytes a pixel, by the network; a method's is wrapped anew for each image that a program enhances."""


def bytes_per_pixel(enhancer: Enhancer) -> float:
    """Return what a pass takes at its height with a reserve, measured once for each network."""
    measured = enhancer.method.net if isinstance(enhancer, TorchEnhancer) else enhancer
    if measured not in _measured:
        side = round_up(PROBE, enhancer.stride)
        probe = torch.rand(1, 3, side, side)
        enhancer.enhance(probe)  # what is set up once is not a pass's
        taken = taken_by(lambda: enhancer.enhance(probe)) / side**2 if resident() else UNKNOWN
        _measured[measured] = (1 + RESERVE) * max(taken, LEAST) + 3 * 12  # the image, and what is made of it
    return _measured[measured]


def needed_whole(enhancer: Enhancer, pixels: Pixels) -> float:
    """Return the bytes that the process would hold if the pixels were enhanced at once."""
    height, width = (round_up(length, enhancer.stride) for length in pixels.shape[:2])
    cost = bytes_per_pixel(enhancer)  # before what is held is looked at, for it leaves traces there
    return resident() + int(pixels.nbytes) + cost * height * width


def needed_in_tiles(enhancer: Enhancer, pixels: Pixels, side: int) -> float:
    """Return the bytes that the process would hold if the pixels were enhanced in tiles of that side."""
    tile = bytes_per_pixel(enhancer) * side**2
    bands = 2 * 12 * side * int(pixels.shape[1])  # float rows of tiles, and the copy that is rounded
    return resident() + int(pixels.nbytes) + tile + bands


def largest_side(enhancer: Enhancer, pixels: Pixels, grid: Grid, max_memory: int) -> int:
    """Return the side in pixels of the largest tiles worth having.

    Raises:
        ValueError: If the memory is too small even for the smallest.
    """
    side = grid.smallest
    check_memory(enhancer, pixels, needed_in_tiles(enhancer, pixels, side), max_memory)
    while (larger := side + grid.stride) <= FASTEST:
        if needed_in_tiles(enhancer, pixels, larger) > max_memory:
            break
        side = larger
    return side


def check_memory(enhancer: Enhancer, pixels: Pixels, needed: float, max_memory: int) -> None:
    """Refuse what would not stay within the memory.

    Raises:
        ValueError: If more is needed; the message says how much.
    """
    height, width = pixels.shape[:2]
    if needed > max_memory:
        raise ValueError(
            f"{enhancer.name} needs about {needed / 1e9:.2f} GB for an image of {width}x{height} pixels, and "
            f"may hold {max_memory / 1e9:.2f} GB: raise --max-memory or make the image smaller"
        )
