"""How large a tile may be so that the process stays within its memory."""

from lowlight.decoding.photo import Pixels
from lowlight.decoding.reading import TooLargeError
from lowlight.inference.tiling.grid import Grid, round_up
from lowlight.memory import resident
from lowlight.runtimes.enhancer import Enhancer
from lowlight.runtimes.pass_memory import UNKNOWN

FASTEST = 1024
"""Largest useful tile side in pixels: larger tiles were no faster on a CPU."""


def fits_whole(enhancer: Enhancer, pixels: Pixels, max_memory: int) -> bool:
    """Return whether the process may enhance the image whole.

    Measuring a pass takes as long as enhancing a small image, which is spared it.
    """
    return _whole(enhancer, pixels, UNKNOWN) <= max_memory or needed_whole(enhancer, pixels) <= max_memory


def needed_whole(enhancer: Enhancer, pixels: Pixels) -> float:
    """Return the bytes that the process would hold if the image were enhanced whole."""
    cost = enhancer.bytes_per_pixel  # before the process's size is read, which measuring increases
    return _whole(enhancer, pixels, cost)


def _whole(enhancer: Enhancer, pixels: Pixels, cost: float) -> float:
    height, width = (round_up(length, enhancer.stride) for length in pixels.shape[:2])
    return resident() + int(pixels.nbytes) + cost * height * width


def needed_in_tiles(enhancer: Enhancer, pixels: Pixels, side: int) -> float:
    """Return the bytes that the process would hold if the image were enhanced in tiles of that side."""
    tile = enhancer.bytes_per_pixel * side**2
    bands = 2 * 12 * side * int(pixels.shape[1])  # a float row of tiles, and the copy that is rounded
    return resident() + int(pixels.nbytes) + tile + bands


def largest_side(enhancer: Enhancer, pixels: Pixels, grid: Grid, max_memory: int) -> int:
    """Return the side in pixels of the largest useful tiles that fit the memory.

    Raises:
        ValueError: If the memory is too small even for the smallest tile.
    """
    side = grid.smallest
    check_memory(enhancer, pixels, needed_in_tiles(enhancer, pixels, side), max_memory)
    while (larger := side + grid.stride) <= FASTEST:
        if needed_in_tiles(enhancer, pixels, larger) > max_memory:
            break
        side = larger
    return side


def check_memory(enhancer: Enhancer, pixels: Pixels, needed: float, max_memory: int) -> None:
    """Refuse an image that does not fit the memory.

    Raises:
        TooLargeError: If more is needed; the message says how much.
    """
    height, width = pixels.shape[:2]
    if needed > max_memory:
        raise TooLargeError(
            f"{enhancer.name} needs about {needed / 1e9:.2f} GB for an image of {width}x{height} pixels, and "
            f"may hold {max_memory / 1e9:.2f} GB: raise --max-memory or make the image smaller"
        )
