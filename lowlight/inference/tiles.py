"""Enhancing the pixels of a photograph of any size in bounded memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.images import pad_to_stride
from lowlight.inference.engines import Enhancer, TorchEnhancer
from lowlight.inference.geometry import Grid, finished, round_up
from lowlight.inference.memory import release
from lowlight.inference.photo import Pixels
from lowlight.inference.planning import FASTEST, check_memory, largest_side, needed_in_tiles, needed_whole
from lowlight.inference.receptive import fine_radius, poolings, recorded, replayed
from lowlight.methods.base import evaluating
from lowlight.networks.coarse_to_fine import CoarseToFine, Scene, Window

MAX_MEMORY = 2 * 10**9
"""Bytes that the process may hold while it enhances, unless it is told otherwise."""

POOLED_HALO = 64
"""Pixels: the halo of networks that pool over the image, which are not exact in tiles anyway."""

BAND = 256
"""Rows that are read at once where only their averages are wanted; a multiple of every stride."""

Finish = Callable[[Tensor, Tensor], Tensor]
EnhancePart = Callable[[Tensor, slice, slice], Tensor]


def enhance_array(
    enhancer: Enhancer,
    pixels: Pixels,
    *,
    max_memory: int = MAX_MEMORY,
    tile: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
    finish: Finish | None = None,
) -> Pixels:
    """Enhance RGB pixels of shape (H, W, 3), uint8 or uint16, whole if that fits the memory, else in tiles.

    Tiles start on the network's stride, throw away the rim that lacks what lies beyond it, and are blended
    over a ramp. Where the receptive field is bounded the result is the one of the whole image. A network
    that pools over the image pools over a small copy of it once for all tiles, so that none is brighter than
    its neighbour; the result is then near the one of the whole image, not equal.

    When a GPU runs out of memory, the tile's side is halved and the work goes on with the next rows.

    Args:
        enhancer: What enhances.
        pixels: The photograph.
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
    longest = max(pixels.shape[:2])
    output = np.empty(pixels.shape, pixels.dtype)
    if needed_whole(enhancer, pixels) <= max_memory if tile is None else tile >= longest:
        try:
            _store(_enhance(enhancer.enhance, finish, pixels), output)
        except torch.OutOfMemoryError:
            if not _can_be_cut(enhancer):
                raise
            tile = longest // 2
        else:
            progress(pixels.shape[0] * pixels.shape[1])
            return output
    if not _can_be_cut(enhancer):
        check_memory(enhancer, pixels, needed_whole(enhancer, pixels), max_memory)
    _free()
    grid = Grid(enhancer.stride, _halo(enhancer))
    if tile is None:
        check_memory(enhancer, pixels, needed_in_tiles(enhancer, pixels, grid.smallest), max_memory)
        tile = overview = largest_side(enhancer, pixels, grid, max_memory)
    else:
        overview = FASTEST
    with _seeing_the_whole(enhancer, pixels, overview) as enhance_part:

        def run(rows: slice, columns: slice) -> Tensor:
            return _enhance(lambda low: enhance_part(low, rows, columns), finish, pixels[rows, columns])

        _in_tiles(run, pixels, output, grid, max(tile, grid.smallest), progress)
    return output


def _enhance(enhance: Callable[[Tensor], Tensor], finish: Finish | None, window: Pixels) -> Tensor:
    """Return the enhancement of some pixels, (H, W, 3), as a float image of shape (3, H, W) in [0, 1]."""
    low = _floating(window)
    enhanced = enhance(low)
    return (finish(low, enhanced) if finish else enhanced)[0]


def _floating(window: Pixels) -> Tensor:
    """Return pixels, (H, W, 3), as a float image of shape (1, 3, H, W) in [0, 1]."""
    white = int(np.iinfo(window.dtype).max)
    return torch.from_numpy(window.astype(np.float32)).movedim(-1, 0)[None].div_(white)


def _store(image: Tensor, pixels: Pixels) -> None:
    """Round a float image of shape (3, H, W) in [0, 1] into pixels of shape (H, W, 3)."""
    white = int(np.iinfo(pixels.dtype).max)
    pixels[...] = image.mul(white).round_().movedim(0, -1).numpy()


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


@contextmanager
def _seeing_the_whole(enhancer: Enhancer, pixels: Pixels, longest: int) -> Iterator[EnhancePart]:
    """Yield what enhances a part, (1, 3, H, W), given its rows and columns, as a part of the whole.

    A network that decides the exposure of the whole has done so once; one that pools over the image sees a
    small copy of all of it there.
    """
    net = enhancer.method.net if isinstance(enhancer, TorchEnhancer) else None
    if isinstance(net, CoarseToFine):
        with evaluating(net):
            yield partial(_restore_part, net, _scene(net, pixels), pixels.shape[:2])
    elif net is None or enhancer.halo is not None:
        yield lambda low, *_: enhancer.enhance(low)
    else:
        with recorded(net) as statistics:
            enhancer.enhance(_overview(pixels, longest))
        with replayed(net, statistics):
            yield lambda low, *_: enhancer.enhance(low)


def _scene(net: CoarseToFine, pixels: Pixels) -> Scene:
    """Let a network decide the exposure of all pixels, reading them band by band."""
    height, width = (round_up(length, net.stride) for length in pixels.shape[:2])
    device = next(net.parameters()).device
    averages = torch.zeros(1, 3, net.cells, net.cells, device=device)
    for top in range(0, len(pixels), BAND):
        band = pad_to_stride(_floating(pixels[top : top + BAND]).to(device), net.stride)
        rows = Window(top, top + band.shape[-2], height)
        averages += net.average(band, rows, Window(0, width, width))
    return net.expose(averages)


def _restore_part(
    net: CoarseToFine, scene: Scene, size: tuple[int, int], low: Tensor, rows: slice, columns: slice
) -> Tensor:
    """Restore a part, (1, 3, H, W), of an image of some size under its scene, clamped."""
    padded = pad_to_stride(low, net.stride).to(scene.low.device)
    parts = [
        Window(part.start, part.start + side, round_up(length, net.stride))
        for part, side, length in zip((rows, columns), padded.shape[-2:], size, strict=True)
    ]
    restored = net.restore(padded, scene, *parts)[..., : low.shape[-2], : low.shape[-1]]
    return restored.clamp(0, 1).to(low.device)


def _halo(enhancer: Enhancer) -> int:
    """Return how far around a part must be seen, in pixels, for its part of the whole."""
    net = enhancer.method.net if isinstance(enhancer, TorchEnhancer) else None
    if isinstance(net, CoarseToFine):
        return fine_radius(net)
    return POOLED_HALO if enhancer.halo is None else enhancer.halo


def _overview(pixels: Pixels, longest: int) -> Tensor:
    """Shrink pixels to a float image of shape (1, 3, H, W), by whole factors first, which copies little."""
    factor = max(1, max(pixels.shape[:2]) // (2 * longest))
    height, width = (max(1, length // factor) for length in pixels.shape[:2])
    small = np.zeros((height, width, 3), np.float32)
    for down in range(min(factor, pixels.shape[0])):
        for across in range(min(factor, pixels.shape[1])):
            small += pixels[down::factor, across::factor][:height, :width]
    parts = min(factor, pixels.shape[0]) * min(factor, pixels.shape[1])
    image = torch.from_numpy(small).movedim(-1, 0)[None] / (parts * int(np.iinfo(pixels.dtype).max))
    scale = min(1.0, longest / max(height, width))
    size = [max(1, round(length * scale)) for length in (height, width)]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True).clamp(0, 1)


def _can_be_cut(enhancer: Enhancer) -> bool:
    """Tell whether a part of an image can be enhanced as a part of the whole."""
    if enhancer.halo is not None:
        return True
    if not isinstance(enhancer, TorchEnhancer):
        return False
    net = enhancer.method.net
    return isinstance(net, CoarseToFine) or bool(poolings(net))


def _free() -> None:
    """Give back what earlier passes left behind."""
    release()
    torch.cuda.empty_cache()
