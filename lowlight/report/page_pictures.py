"""The page's figures and pictures, embedded as data URIs."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    image = Image.fromarray(picture.pixels)
    image.thumbnail((longest, longest))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0 if quality > 90 else 2)
    return Embedded(data_uri(file.getvalue(), "jpeg"), image.width, image.height)


def data_uri(content: bytes, kind: str) -> str:
    """Return an image as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
