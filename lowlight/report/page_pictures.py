"""The page's figures and pictures, embedded as data URIs."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image

from lowlight.report.pictures import Extreme, Picture, Strip
from lowlight.report.table import number

WIDEST_PICTURE = 600
"""Longest side of an embedded picture, pixels."""

THUMBNAIL = 240
"""Longest side of a picture in the table of best and worst images, pixels."""

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


def drawing_figure(drawing: Drawing) -> str:
    """Embed a figure in both colour schemes."""
    return (
        f'<figure><h3>{escape(drawing.title)}</h3><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(drawing.title)}"><picture>'
        f'<source media="(prefers-color-scheme: dark)" srcset="{_uri(drawing.dark, "png")}">'
        f'<img src="{_uri(drawing.light, "png")}" alt="{escape(drawing.description)}">'
        "</picture></div></figure>"
    )


def quality_for(strips: Sequence[Strip]) -> int:
    """Return the JPEG quality at which this many pictures keep the page small."""
    return 92 if sum(len(strip.pictures) for strip in strips) <= MANY_PICTURES else 82


def viewers(strips: Sequence[Strip], quality: int) -> list[str]:
    """Embed the pictures of each image; the script overlays two of them with a slider between."""
    return [f'<div class="viewer">\n{strip}\n</div>' for strip in strip_rows(strips, quality)]


def strip_rows(strips: Sequence[Strip], quality: int) -> list[str]:
    """Embed rows of pictures; wide rows scroll."""
    return [
        f'<h3>{escape(strip.title)}</h3>\n<div class="strip" tabindex="0" role="region" '
        f'aria-label="{escape(strip.title)}">'
        + "".join(_picture(picture, quality) for picture in strip.pictures)
        + "</div>"
        for strip in strips
    ]


def extremes_table(found: Sequence[tuple[Extreme, Extreme]]) -> str:
    """Write a table of the best and the worst image of each method; nothing if there is none."""
    cells = []
    for best, worst in found:
        shown = "".join(
            f"<td>{escape(end.image)}, {number(end.decibels, 1)} dB{_thumbnail(end.picture)}</td>"
            for end in (best, worst)
        )
        cells.append(f'<tr><th scope="row">{escape(best.method)}</th>{shown}</tr>')
    if not cells:
        return ""
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Best and worst images">'
        '<table class="text">'
        "<thead><tr><th>Method</th><th>Best image</th><th>Worst image</th></tr></thead>"
        f"<tbody>{''.join(cells)}</tbody></table></div>"
    )


def _thumbnail(picture: Picture | None) -> str:
    if picture is None:
        return ""
    uri, width, height = _jpeg(picture, THUMBNAIL, 85)
    return f'<img src="{uri}" width="{width}" height="{height}" alt="{escape(picture.description)}">'


def _picture(picture: Picture, quality: int) -> str:
    uri, width, height = _jpeg(picture, WIDEST_PICTURE, quality)
    caption = escape(picture.caption).replace("\n", "<br>")
    return (
        f'<figure><img src="{uri}" width="{width}" height="{height}" decoding="async" '
        f'alt="{escape(picture.description)}"><figcaption>{caption}</figcaption></figure>'
    )


def _jpeg(picture: Picture, widest: int, quality: int) -> tuple[str, int, int]:
    """Return a picture as the data URI of a JPEG, and its width and height in pixels."""
    image = Image.fromarray(picture.pixels)
    image.thumbnail((widest, widest))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0 if quality > 90 else 2)
    return _uri(file.getvalue(), "jpeg"), image.width, image.height


def _uri(content: bytes, kind: str) -> str:
    """Return an image as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
