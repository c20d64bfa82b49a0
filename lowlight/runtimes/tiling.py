"""How enhancers work on windows of an image so that the result is the one of the whole."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from lowlight.images import pad_to_stride
from lowlight.model import Model, evaluating
from lowlight.networks.receptive_field import recorded, replayed
from lowlight.networks.two_pass import TwoPass, Window

POOLED_HALO = 64
"""Halo of networks that pool over the whole image, in pixels; tiles are not exact for them anyway."""

Enhance = Callable[[Tensor], Tensor]
EnhanceWindow = Callable[[Tensor, slice, slice], Tensor]
"""Enhances a window of shape (1, 3, H, W), given its rows and columns in the whole image."""


@dataclass(frozen=True)
class WholeImage:
    """An image that may be too large for one float tensor.

    Attributes:
        height: In pixels.
        width: In pixels.
        overview: Returns a small copy of shape (1, 3, h, w) in [0, 1].
        bands: Yields the image from top to bottom in bands of shape (1, 3, h, W) in [0, 1], each starting
            on a multiple of the network's stride.
    """

    height: int
    width: int
    overview: Callable[[], Tensor]
    bands: Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class Tiling:
    """How an enhancer works on tiles.

    Attributes:
        halo: Pixels at a tile's rim that lack the influence of what lies beyond it.
        sharing: Looks at the whole image once and, while the context is open, yields the function that
            enhances its windows.
    """

    halo: int
    sharing: Callable[[WholeImage], AbstractContextManager[EnhanceWindow]]


def independent(enhance: Enhance, halo: int) -> Tiling:
    """Return the tiling of a function with a bounded receptive field: windows share nothing."""

    @contextmanager
    def sharing(_: WholeImage) -> Iterator[EnhanceWindow]:
        yield lambda low, rows, columns: enhance(low)  # noqa: ARG005

    return Tiling(halo, sharing)


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
            padded = pad_to_stride(band.to(method.device), stride)
            yield padded, Window(top, top + padded.shape[-2], height), Window(0, width, width)
            top += band.shape[-2]

    @contextmanager
    def sharing(image: WholeImage) -> Iterator[EnhanceWindow]:
        def enhance(low: Tensor, *sides: slice) -> Tensor:
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

        with evaluating(method.net):
            with autocast():
                scene = net.scene_of_windows(windows(image))
            yield enhance

    return Tiling(halo, sharing)
