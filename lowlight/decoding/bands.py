"""Bands of rows, on which images are computed so that intermediate arrays stay small."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

BAND = 2**18
"""Pixels of a band, about."""


def bands(image: NDArray[Any]) -> Iterator[slice]:
    """Yield the rows of an image of shape (H, W) or (H, W, C), band by band from top to bottom."""
    yield from bands_of(image.shape[0], image.shape[1])


def bands_of(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of an image of that size in pixels, band by band from top to bottom."""
    step = max(1, BAND // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))
