"""How a part of an image is enhanced as a part of the whole."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.images import pad_to_stride
from lowlight.inference.pixels import Pixels, floating, white_of
from lowlight.inference.tiling.grid import round_up
from lowlight.methods.base import evaluating
from lowlight.networks.coarse_to_fine import CoarseToFine, Scene, Window
from lowlight.networks.receptive_field import fine_radius, poolings, recorded, replayed
from lowlight.runtimes.enhancer import Enhancer, TorchEnhancer

POOLED_HALO = 64
"""Pixels: the halo of networks that pool over the image, which are not exact in tiles anyway."""

BAND = 256
"""Rows that are read at once where only their averages are wanted; a multiple of every stride."""

EnhancePart = Callable[[Tensor, slice, slice], Tensor]
"""Enhances a part, (1, 3, H, W), given its rows and columns in the whole."""


@dataclass(frozen=True)
class Cut:
    """How an enhancer's images may be cut.

    Attributes:
        halo: How far around a part must be seen, in pixels.
        seeing: Lets the whole be seen once, given its pixels and the longest side in pixels of a copy of it,
            and yields what enhances its parts meanwhile.
    """

    halo: int
    seeing: Callable[[Pixels, int], AbstractContextManager[EnhancePart]]


def cut_of(enhancer: Enhancer) -> Cut | None:
    """Return how an enhancer's images may be cut; None where outputs hang on the whole unknowably."""
    net = enhancer.method.net if isinstance(enhancer, TorchEnhancer) else None
    if isinstance(net, CoarseToFine):
        radius = fine_radius(net)
        return None if radius is None else Cut(radius, partial(_under_one_scene, net))
    if enhancer.halo is not None:
        return Cut(enhancer.halo, partial(_alone, enhancer))
    if net is not None and poolings(net):
        return Cut(POOLED_HALO, partial(_pooled_once, enhancer, net))
    return None


@contextmanager
def _alone(enhancer: Enhancer, pixels: Pixels, longest: int) -> Iterator[EnhancePart]:  # noqa: ARG001
    """See nothing of the whole: receptive fields are bounded."""
    yield lambda low, *_: enhancer.enhance(low)


@contextmanager
def _pooled_once(
    enhancer: Enhancer, net: torch.nn.Module, pixels: Pixels, longest: int
) -> Iterator[EnhancePart]:
    """Let a network that pools over the image see a small copy of all of it there, in each part."""
    with recorded(net) as statistics:
        enhancer.enhance(_overview(pixels, longest))
    with replayed(net, statistics):
        yield lambda low, *_: enhancer.enhance(low)


@contextmanager
def _under_one_scene(net: CoarseToFine, pixels: Pixels, longest: int) -> Iterator[EnhancePart]:  # noqa: ARG001
    """Let a network decide the exposure of the whole once."""
    with evaluating(net):
        yield partial(_restore_part, net, _scene(net, pixels), pixels.shape[:2])


def _scene(net: CoarseToFine, pixels: Pixels) -> Scene:
    """Let a network decide the exposure of all pixels, reading them band by band."""
    height, width = (round_up(length, net.stride) for length in pixels.shape[:2])
    device = next(net.parameters()).device
    averages = torch.zeros(1, 3, net.cells, net.cells, device=device)
    for top in range(0, len(pixels), BAND):
        band = pad_to_stride(floating(pixels[top : top + BAND]).to(device), net.stride)
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


def _overview(pixels: Pixels, longest: int) -> Tensor:
    """Shrink pixels to a float image of shape (1, 3, H, W), by whole factors first, which copies little."""
    factor = max(1, max(pixels.shape[:2]) // (2 * longest))
    height, width = (max(1, length // factor) for length in pixels.shape[:2])
    small = np.zeros((height, width, 3), np.float32)
    for down in range(min(factor, pixels.shape[0])):
        for across in range(min(factor, pixels.shape[1])):
            small += pixels[down::factor, across::factor][:height, :width]
    parts = min(factor, pixels.shape[0]) * min(factor, pixels.shape[1])
    image = torch.from_numpy(small).movedim(-1, 0)[None] / (parts * white_of(pixels))
    scale = min(1.0, longest / max(height, width))
    size = [max(1, round(length * scale)) for length in (height, width)]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True).clamp(0, 1)
