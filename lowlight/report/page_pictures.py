"""The page's figures and pictures, embedded as data URIs."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.report.pictures import Picture, Strip

MANY_PICTURES = 60
"""Number of pictures above which they are compressed more, to keep the page within about 20 MB."""


@dataclass(frozen=True)
class Drawing:
    """A figure as PNG for the light and the dark colour scheme, with its title and a text alternative."""

    file: str
    title: str
    description: str
    light: bytes
    dark: bytes


class Embedded(NamedTuple):
    """A picture as a data URI, with its width and height in pixels."""

    uri: str
    width: int
    height: int


def quality_for(strips: Sequence[Strip]) -> int:
    """Return the JPEG quality at which this many pictures keep the page small."""
    return 92 if sum(len(strip.pictures) for strip in strips) <= MANY_PICTURES else 82


def jpeg(picture: Picture, longest: int, quality: int) -> Embedded:
    """Return a picture as a JPEG whose longest side has at most ``longest`` pixels."""
    content, width, height = encode_jpeg(picture.pixels, longest, quality)
    return Embedded(data_uri(content, "jpeg"), width, height)


def encode_jpeg(
    pixels: NDArray[np.uint8], longest: int, quality: int, icc: bytes | None = None
) -> tuple[bytes, int, int]:
    """Encode pixels of shape (H, W, 3) as a JPEG whose longest side has at most ``longest`` pixels.

    Args:
        pixels: 8-bit RGB.
        longest: Longest side in pixels.
        quality: Pillow's quality; above 90 the colours are not subsampled.
        icc: ICC profile of the pixels, or None for sRGB.

    Returns:
        The file's content, and its width and height in pixels.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((longest, longest))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0 if quality > 90 else 2, icc_profile=icc)
    return file.getvalue(), image.width, image.height


def data_uri(content: bytes, kind: str) -> str:
    """Return an image as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
