"""How enhancers work on windows of an image so that the result is the one of the whole."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""An image of shape (1, 3, H, W) in [0, 1]."""

Enhance = Callable[[Image], Image]
EnhanceWindow = Callable[[Image, slice, slice], Image]
"""Enhances a window, given its rows and columns in the whole image."""


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
    overview: Callable[[], Image]
    bands: Callable[[], Iterator[Image]]


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
