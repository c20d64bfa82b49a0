"""Enhancing the pixels of a photograph of any size in bounded memory."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.decoding.photo import Pixels
from lowlight.inference.pixels import floating, store
from lowlight.inference.settings import MAX_MEMORY
from lowlight.inference.tiling.grid import Grid, finished
from lowlight.inference.tiling.memory_budget import (
    FASTEST,
    check_memory,
    fits_whole,
    largest_side,
    needed_whole,
)
from lowlight.inference.tiling.whole import whole_image
from lowlight.memory import ran_out, release, trim
from lowlight.runtimes.enhancer import Enhancer

Image = NDArray[np.float32]
"""A float image of shape (1, 3, H, W) or (3, H, W) in [0, 1]."""

Finish = Callable[[Image, Image], Image]

_TRIMMED = 2**19
"""Pixels of tiles, at least, after which freed memory is returned to the system.

The C library keeps it otherwise, scattered between small arrays that stay, and takes more for the next tiles.
"""


def enhance_array(
    enhancer: Enhancer,
    pixels: NDArray[Any],
    *,
    max_memory: int = MAX_MEMORY,
    tile: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
    finish: Finish | None = None,
    dtype: type | None = None,
) -> NDArray[Any]:
    """Enhance RGB pixels of shape (H, W, 3), whole if that fits the memory, else in tiles.

    Tiles start on multiples of the network's stride; their rims, as wide as the halo, are discarded, and
    neighbours are blended over a ramp. For bounded receptive fields the result equals the whole image's. A
    network that pools over the whole image pools over a small copy of it once for all tiles, so that no tile
    is brighter than its neighbour; the result is then close to the whole image's, not equal.

    When memory runs out, the tile's side is halved and the work continues with the next rows.

    Args:
        enhancer: A method or an exported network.
        pixels: A photograph, uint8 or uint16, or a video frame, float32 in [0, 1].
        max_memory: Bytes that the whole process may hold, this photograph and its result included.
        tile: Side of the tiles in pixels, rounded to the network's stride and halo; by default as large as
            the memory allows.
        progress: Called with the number of pixels enhanced since the last call.
        finish: Computes the final image from a window and its enhancement, both (1, 3, H, W), before it is
            rounded.
        dtype: Type of the result; by default that of the pixels, for which the memory is planned.

    Returns:
        Pixels of the same shape.

    Raises:
        ValueError: If the memory is too small even for the smallest tile, or for an image that can only be
            enhanced whole.
    """
    output = np.empty(pixels.shape, dtype or pixels.dtype)
    longest = max(pixels.shape[:2])
    fits = fits_whole(enhancer, pixels, max_memory) if tile is None else tile >= longest
    tiling = None if fits else enhancer.tiling
    if tiling is None:
        if not fits:
            check_memory(enhancer, pixels, needed_whole(enhancer, pixels), max_memory)
        try:
            store(_enhance(enhancer.enhance_numpy, finish, pixels), output)
        except Exception as error:
            if not (ran_out(error) and fits) or (tiling := enhancer.tiling) is None:
                raise
            tile = longest // 2
        else:
            progress(pixels.shape[0] * pixels.shape[1])
            return output
    if fits:  # by the estimate, but memory ran out
        _free()
    else:
        trim()
    grid = Grid(enhancer.stride, tiling.halo)
    if tile is None:
        tile = overview = largest_side(enhancer, pixels, grid, max_memory)
    else:
        overview = FASTEST
    with tiling.sharing(whole_image(pixels, overview, enhancer.stride)) as enhance_window:

        def run(rows: slice, columns: slice) -> Image:
            return _enhance(lambda low: enhance_window(low, rows, columns), finish, pixels[rows, columns])

        _in_tiles(run, pixels, output, grid, max(tile, grid.smallest), progress)
    return output


def lasting_tile(enhancer: Enhancer, pixels: NDArray[Any], max_memory: int) -> int:
    """Choose the tiles of a video from the pixels of its first frame.

    Returns:
        The tiles' side in pixels; the frame's longer side if it fits the memory whole or cannot be tiled.

    Raises:
        ValueError: If the memory is too small even for the smallest tile.
    """
    if fits_whole(enhancer, pixels, max_memory) or (tiling := enhancer.tiling) is None:
        return max(int(length) for length in pixels.shape[:2])
    return largest_side(enhancer, pixels, Grid(enhancer.stride, tiling.halo), max_memory)


def _enhance(enhance: Callable[[Image], Image], finish: Finish | None, window: Pixels) -> Image:
    """Enhance pixels of shape (H, W, 3); return a float image of shape (3, H, W) in [0, 1]."""
    low = floating(window)
    enhanced = enhance(low)
    image: Image = (finish(low, enhanced) if finish else enhanced)[0]
    return image


def _in_tiles(
    run: Callable[[slice, slice], Image],
    pixels: Pixels,
    output: Pixels,
    grid: Grid,
    side: int,
    progress: Callable[[int], None],
) -> None:
    """Enhance tile by tile into ``output``; where memory runs out, continue with tiles of half the side."""
    done = 0
    while done < len(pixels):
        try:
            for rows in _bands(run, pixels, output, grid, side, done):
                progress((rows - done) * pixels.shape[1])
                done = rows
        except Exception as error:
            if not ran_out(error) or side <= grid.smallest:
                raise
            side = max(side // 2, grid.smallest)
        if done < len(pixels):
            _free()  # outside the except clause, whose traceback keeps the failed tensors alive


def _bands(
    run: Callable[[slice, slice], Image],
    pixels: Pixels,
    output: Pixels,
    grid: Grid,
    side: int,
    start: int,
) -> Iterator[int]:
    """Enhance one row of tiles after another; yield the number of image rows that are final."""
    rows = grid.spans(pixels.shape[0], side, start)
    columns = grid.spans(pixels.shape[1], side)
    shared, used = np.zeros((3, 0, pixels.shape[1]), np.float32), 0
    for number, row in enumerate(rows):
        band = np.zeros((3, row.kept.stop - row.kept.start, pixels.shape[1]), np.float32)
        band[:, : shared.shape[1]] = shared
        for column in columns:
            enhanced = run(row.window, column.window)[:, row.inner, column.inner]
            band[:, :, column.kept] += enhanced * row.weights[:, None] * column.weights
            used += enhanced[0].size
            if used >= _TRIMMED:
                trim()
                used = 0
        end = finished(rows, number)
        store(band[:, : end - row.kept.start], output[row.kept.start : end])
        shared = band[:, end - row.kept.start :].copy()
        yield end


def _free() -> None:
    """Return the memory of earlier passes to the system and the GPU."""
    release()
    if torch := sys.modules.get("torch"):
        torch.cuda.empty_cache()
