"""Enhancing the pixels of a photograph of any size in bounded memory."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlight.inference.pixels import Pixels, floating, white_of
from lowlight.inference.settings import MAX_MEMORY
from lowlight.inference.tiling.grid import Grid, finished
from lowlight.inference.tiling.memory_budget import FASTEST, check_memory, largest_side, needed_whole
from lowlight.inference.tiling.whole import whole_image
from lowlight.memory import release, trim
from lowlight.runtimes.enhancer import Enhancer

Finish = Callable[[Tensor, Tensor], Tensor]


def enhance_array(
    enhancer: Enhancer,
    pixels: NDArray[Any],
    *,
    max_memory: int = MAX_MEMORY,
    tile: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
    finish: Finish | None = None,
) -> NDArray[Any]:
    """Enhance RGB pixels of shape (H, W, 3), whole if that fits the memory, else in tiles.

    Tiles start on the network's stride, throw away the rim that lacks what lies beyond it, and are blended
    over a ramp. Where the receptive field is bounded the result is the one of the whole image. A network
    that pools over the image pools over a small copy of it once for all tiles, so that none is brighter than
    its neighbour; the result is then near the one of the whole image, not equal.

    When a GPU runs out of memory, the tile's side is halved and the work goes on with the next rows.

    Args:
        enhancer: What enhances.
        pixels: The photograph, uint8 or uint16, or a frame of a video, float32 in [0, 1].
        max_memory: Bytes that the whole process may hold, this photograph and its result included.
        tile: Side of the tiles in pixels, rounded to what the network can do; by default the memory decides.
        progress: Called with the number of pixels that have been enhanced since the last call.
        finish: Makes what is rounded from an image or a part of it and its enhancement, both (1, 3, H, W).

    Returns:
        Pixels of the same shape and type.

    Raises:
        ValueError: If the memory is too small even for the smallest tile, or for the whole image where an
            output depends on all of it.
    """
    output = np.empty(pixels.shape, pixels.dtype)
    longest = max(pixels.shape[:2])
    fits = needed_whole(enhancer, pixels) <= max_memory if tile is None else tile >= longest
    tiling = None if fits else enhancer.tiling
    if tiling is None:
        if not fits:
            check_memory(enhancer, pixels, needed_whole(enhancer, pixels), max_memory)
        try:
            _store(_enhance(enhancer.enhance, finish, pixels), output)
        except torch.OutOfMemoryError:
            if not fits or (tiling := enhancer.tiling) is None:
                raise
            tile = longest // 2
        else:
            progress(pixels.shape[0] * pixels.shape[1])
            return output
    if fits:  # but did not
        _free()
    else:
        trim()
    grid = Grid(enhancer.stride, tiling.halo)
    if tile is None:
        tile = longest = largest_side(enhancer, pixels, grid, max_memory)
    else:
        longest = FASTEST
    with tiling.sharing(whole_image(pixels, longest)) as enhance_window:

        def run(rows: slice, columns: slice) -> Tensor:
            return _enhance(lambda low: enhance_window(low, rows, columns), finish, pixels[rows, columns])

        _in_tiles(run, pixels, output, grid, max(tile, grid.smallest), progress)
    return output


def lasting_tile(enhancer: Enhancer, pixels: NDArray[Any], max_memory: int) -> int:
    """Choose the tiles for all of a video's frames, of which these are the first's pixels.

    Returns:
        Their side in pixels; as long as the frame where it fits the memory whole, or cannot be cut.

    Raises:
        ValueError: If the memory is too small even for the smallest tile.
    """
    if needed_whole(enhancer, pixels) <= max_memory or (tiling := enhancer.tiling) is None:
        return max(int(length) for length in pixels.shape[:2])
    return largest_side(enhancer, pixels, Grid(enhancer.stride, tiling.halo), max_memory)


def _enhance(enhance: Callable[[Tensor], Tensor], finish: Finish | None, window: Pixels) -> Tensor:
    """Return the enhancement of some pixels, (H, W, 3), as a float image of shape (3, H, W) in [0, 1]."""
    low = floating(window)
    enhanced = enhance(low)
    return (finish(low, enhanced) if finish else enhanced)[0]


def _store(image: Tensor, pixels: Pixels) -> None:
    """Round a float image, (3, H, W) in [0, 1], into pixels of shape (H, W, 3), unless these are floats."""
    if pixels.dtype.kind != "f":
        image = image.mul(white_of(pixels)).round_()
    pixels[...] = image.movedim(0, -1).numpy()


def _in_tiles(
    run: Callable[[slice, slice], Tensor],
    pixels: Pixels,
    output: Pixels,
    grid: Grid,
    side: int,
    progress: Callable[[int], None],
) -> None:
    """Enhance tile by tile into ``output``, with halved tiles from where memory ran out."""
    done = 0
    while done < len(pixels):
        try:
            for rows in _bands(run, pixels, output, grid, side, done):
                progress((rows - done) * pixels.shape[1])
                done = rows
        except torch.OutOfMemoryError:
            if side <= grid.smallest:
                raise
            side = max(side // 2, grid.smallest)
        if done < len(pixels):
            _free()  # outside the except clause, whose error holds on to what did not fit


def _bands(
    run: Callable[[slice, slice], Tensor],
    pixels: Pixels,
    output: Pixels,
    grid: Grid,
    side: int,
    start: int,
) -> Iterator[int]:
    """Enhance one row of tiles after the other; yield the number of rows of the image that are done."""
    rows = grid.spans(pixels.shape[0], side, start)
    columns = grid.spans(pixels.shape[1], side)
    shared = torch.zeros(3, 0, pixels.shape[1])
    for number, row in enumerate(rows):
        band = torch.zeros(3, row.kept.stop - row.kept.start, pixels.shape[1])
        band[:, : shared.shape[1]] = shared
        for column in columns:
            enhanced = run(row.window, column.window)[:, row.inner, column.inner]
            band[:, :, column.kept] += enhanced * row.weights[:, None] * column.weights
        end = finished(rows, number)
        _store(band[:, : end - row.kept.start], output[row.kept.start : end])
        shared = band[:, end - row.kept.start :].clone()
        yield end


def _free() -> None:
    """Give back what earlier passes left behind."""
    release()
    torch.cuda.empty_cache()
