"""Tilings of torch networks whose outputs depend on the whole image."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from lowlight.images import pad_to_stride
from lowlight.model import Model, evaluating
from lowlight.networks.fusion import FusedNetworks
from lowlight.networks.receptive_field import recorded, replayed
from lowlight.networks.two_pass import TwoPass, Window
from lowlight.runtimes.tensors import on_arrays, to_tensor
from lowlight.runtimes.tiling import Enhance, EnhanceWindow, Image, Tiling, WholeImage

POOLED_HALO = 64
"""Halo of networks that pool over the whole image, in pixels; tiles are not exact for them anyway."""


def sharing_pooled_statistics(enhance: Enhance, net: nn.Module) -> Tiling:
    """Return the tiling of a network that pools globally: windows share the statistics of an overview."""

    @contextmanager
    def sharing(image: WholeImage) -> Iterator[EnhanceWindow]:
        with recorded(net) as statistics:
            enhance(image.overview())
        with replayed(net, statistics):
            yield lambda low, rows, columns: enhance(low)  # noqa: ARG005

    return Tiling(POOLED_HALO, sharing)


def sharing_scene(
    method: Model, net: TwoPass, halo: int, autocast: Callable[[], AbstractContextManager[object]]
) -> Tiling:
    """Return the tiling of a model whose network works in two passes, each under the given autocast.

    Windows share the result of the first pass.
    """
    stride = net.stride

    def windows(image: WholeImage) -> Iterator[tuple[Tensor, Window, Window]]:
        height, width = (length + -length % stride for length in (image.height, image.width))
        top = 0
        for band in image.bands():
            padded = pad_to_stride(to_tensor(band).to(method.device), stride)
            yield padded, Window(top, top + padded.shape[-2], height), Window(0, width, width)
            top += band.shape[-2]

    @contextmanager
    def sharing(image: WholeImage) -> Iterator[EnhanceWindow]:
        def restore(low: Tensor, sides: tuple[slice, ...]) -> Tensor:
            padded = pad_to_stride(low, stride).to(method.device)
            rows, columns = (
                Window(side.start, side.start + size, length + -length % stride)
                for side, size, length in zip(
                    sides, padded.shape[-2:], (image.height, image.width), strict=True
                )
            )
            with autocast():
                restored = net.restore(padded, scene, rows, columns)[..., : low.shape[-2], : low.shape[-1]]
            return restored.clamp(0, 1).to(low)

        def enhance(low: Image, *sides: slice) -> Image:
            return on_arrays(lambda low: restore(low, sides), low)

        with evaluating(method.net):
            with autocast():
                scene = net.scene_of_windows(windows(image))
            yield enhance

    return Tiling(halo, sharing)


def sharing_both(
    first: Tiling, second: Tiling, enhance_first: Enhance, net: FusedNetworks, fuse_halo: int
) -> Tiling:
    """Return the tiling of a fusion, whose two networks each share what their own tilings do.

    Args:
        first: Tiling of the first network.
        second: Tiling of the second network.
        enhance_first: Enhances a small image by the first network.
        net: The fusion.
        fuse_halo: Radius in pixels of what the fusing itself looks at.
    """

    @contextmanager
    def sharing(image: WholeImage) -> Iterator[EnhanceWindow]:
        with ExitStack() as stack:
            by_first = stack.enter_context(first.sharing(image))

            def bands() -> Iterator[Image]:
                top = 0
                for band in image.bands():
                    yield by_first(band, slice(top, top + band.shape[-2]), slice(0, image.width))
                    top += band.shape[-2]

            seen = image
            if net.chained:
                seen = replace(image, overview=lambda: enhance_first(image.overview()), bands=bands)
            by_second = stack.enter_context(second.sharing(seen))

            def enhance(low: Image, rows: slice, columns: slice) -> Image:
                one = by_first(low, rows, columns)
                two = by_second(one if net.chained else low, rows, columns)
                return on_arrays(fuse, np.concatenate([one, two]))

            yield enhance

    def fuse(both: Tensor) -> Tensor:
        height, width = both.shape[-2:]
        one, two = pad_to_stride(both, 2**net.levels).chunk(2)
        return net.fuse(one, two)[..., :height, :width].clamp(0, 1)

    halos = first.halo + second.halo if net.chained else max(first.halo, second.halo)
    return Tiling(halos + fuse_halo, sharing)
