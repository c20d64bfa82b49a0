"""Licence plates drawn from national layouts, mounted on a vehicle and seen in perspective."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from lowlight.colour import linear_to_srgb, srgb_to_linear

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SIZE = (256, 96)
"""Width and height of a drawn image in pixels."""

_SCALE = 2
"""Size of the plate's face in pixels per pixel of its projection, before it is averaged down."""

WHITE, YELLOW, SILVER, BLACK, NAVY = (
    (236, 236, 232),
    (244, 198, 40),
    (176, 178, 178),
    (22, 22, 24),
    (16, 32, 92),
)
BAND = (12, 60, 170)
"""Colour of the European band."""


@dataclass(frozen=True)
class Layout:
    """Form of a national licence plate.

    Attributes:
        name: Country or kind.
        size: Width and height of the plate in millimetres.
        patterns: Possible texts: ``L`` stands for a letter, ``D`` for a digit, all else for itself.
        grounds: Possible colours of ground and characters.
        height: Height of the characters as a share of the plate's.
        band: Code on a band at the left edge; empty for none.
        top: Height of a line of small text above the characters as a share of the plate's; 0 for none.
        top_band: Whether that line is on a band of the European blue.
        letters: Letters that occur.
    """

    name: str
    size: tuple[int, int]
    patterns: tuple[str, ...]
    grounds: tuple[tuple[Colour, Colour], ...] = ((WHITE, BLACK),)
    height: float = 0.68
    band: str = ""
    top: float = 0.0
    top_band: bool = False
    letters: str = string.ascii_uppercase


_LONG = (520, 110)
_NO_I_O_Q = "ABCDEFGHJKLMNPRSTUVWXYZ"

LAYOUTS: tuple[Layout, ...] = (
    Layout("Austria", (520, 120), ("L DDDDDL", "LL DDDLL"), band="A"),
    Layout("Brazil, 1990", (400, 130), ("LLL·DDDD",), ((SILVER, BLACK), (WHITE, BLACK)), 0.55, top=0.24),
    Layout("Brazil, 2018", (400, 130), ("LLLDLDD",), height=0.56, top=0.24, top_band=True),
    Layout("France", _LONG, ("LL-DDD-LL",), band="F", letters=_NO_I_O_Q),
    Layout("Germany", _LONG, ("L LL DDDD", "LL LL DDD", "LLL LL DD"), band="D"),
    Layout("Great Britain", _LONG, ("LLDD LLL",), ((YELLOW, BLACK), (WHITE, BLACK)), 0.72, letters=_NO_I_O_Q),
    Layout("India", (500, 120), ("LL DD LL DDDD",), letters=_NO_I_O_Q, height=0.58),
    Layout("Italy", _LONG, ("LL DDDLL",), band="I", letters=_NO_I_O_Q),
    Layout("Netherlands", _LONG, ("LL-DDD-L", "DD-LLL-D"), ((YELLOW, BLACK),), band="NL"),
    Layout("Norway", _LONG, ("LL DDDDD",), band="N"),
    Layout("Poland", _LONG, ("LL DDDDD", "LLL DDDD"), band="PL"),
    Layout("Slovakia", _LONG, ("LL-DDDLL",), band="SK"),
    Layout(
        "United States",
        (305, 152),
        ("DLLLDDD", "LLL DDDD", "LLL-DDD"),
        ((WHITE, NAVY), (YELLOW, NAVY), ((188, 214, 236), (130, 20, 30)), ((28, 70, 40), WHITE)),
        0.46,
        top=0.2,
    ),
    Layout("vintage", _LONG, ("LLL DDDL", "LL DDDD"), ((BLACK, SILVER), (NAVY, WHITE)), 0.7),
)
"""Layouts whose plates are drawn, each as often as the others."""

_PLACES = ("NORTHLAND", "RIO CLARO", "SANTA LUZ", "GREENFIELD", "LAKE STATE", "PORTO NOVO", "VILA REAL")
"""Invented places, written above the characters."""

_VEHICLES: tuple[Colour, ...] = (
    (235, 235, 235),
    (20, 20, 22),
    (128, 130, 134),
    (188, 190, 194),
    (150, 20, 24),
    (20, 46, 110),
    (26, 70, 44),
    (196, 170, 120),
    (210, 110, 20),
)
"""Colours of vehicles in sRGB."""


def fonts(folder: Path | None = None) -> tuple[str, ...]:
    """Return the font files that plates are drawn with, sorted; an empty name is Pillow's own font.

    Args:
        folder: Folder of TrueType or OpenType fonts; by default Pillow's own and three that come with
            Matplotlib, which are the same on every machine.

    Raises:
        ValueError: If the folder has no font.
    """
    if folder is None:
        own = Path(str(files("matplotlib"))) / "mpl-data" / "fonts" / "ttf"
        return "", *(str(own / f"DejaVuSans{kind}.ttf") for kind in ("", "-Bold", "Mono-Bold"))
    found = tuple(sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in (".ttf", ".otf")))
    if not found:
        raise ValueError(f"{folder}: no fonts (.ttf, .otf) to draw plates with")
    return found


@dataclass(frozen=True)
class Drawn:
    """A drawn plate.

    Attributes:
        text: Its letters and digits.
        layout: Name of its layout.
        pixels: The image, 8-bit sRGB, shape (96, 256, 3).
    """

    text: str
    layout: str
    pixels: NDArray[np.uint8]


def draw_plate(generator: np.random.Generator, font_files: Sequence[str] = ("",)) -> Drawn:
    """Draw a plate on a vehicle: layout, text, font, colours, wear, light and perspective are random.

    Args:
        generator: Source of all randomness.
        font_files: Fonts to choose from; see :func:`fonts`.
    """
    layout = LAYOUTS[generator.integers(len(LAYOUTS))]
    pattern = layout.patterns[generator.integers(len(layout.patterns))]
    text = "".join(_character(one, layout.letters, generator) for one in pattern)
    font = font_files[int(generator.integers(len(font_files)))]
    scene = _vehicle(generator)
    width, height = (_SCALE * side for side in SIZE)
    corners = _corners(layout, generator)
    face = _face(layout, text, font, generator)
    # Shrunk to about the size of its projection beforehand, which the projection's filter could not average.
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    face = face.resize((round(sides[0]), round(sides[1])), Image.Resampling.BOX)
    mask = Image.new("L", face.size, 255)
    to_scene = _homography(corners, face.size)
    projected, covered = (
        one.transform((width, height), Image.Transform.PERSPECTIVE, to_scene, Image.Resampling.BICUBIC)
        for one in (face, mask)
    )
    shadow = covered.filter(ImageFilter.GaussianBlur(5)).point(lambda value: value * 0.55)
    scene.paste((0, 0, 0), (0, int(generator.integers(2, 7))), shadow)
    scene.paste(projected, (0, 0), covered)
    light = srgb_to_linear(np.asarray(scene.reduce(_SCALE), np.float32) / 255)
    lit = linear_to_srgb((light * _light(generator)).clip(0, 1))
    pixels = np.round(lit * 255).astype(np.uint8)
    return Drawn("".join(one for one in text if one.isalnum()), layout.name, pixels)


def _character(kind: str, letters: str, generator: np.random.Generator) -> str:
    if kind == "L":
        return letters[generator.integers(len(letters))]
    return str(generator.integers(10)) if kind == "D" else kind


def _face(layout: Layout, text: str, font: str, generator: np.random.Generator) -> Image.Image:
    """Draw the plate as seen from the front, 220 pixels high."""
    height = 220
    width = round(height * layout.size[0] / layout.size[1])
    ground, ink = layout.grounds[generator.integers(len(layout.grounds))]
    face = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(face)
    left, margin = 0, round(0.05 * height)
    if layout.band:
        left = round(0.36 * height)
        draw.rectangle((0, 0, left, height), fill=BAND)
        for angle in np.linspace(0, 2 * np.pi, 12, endpoint=False):
            across, down = left / 2 + 0.28 * left * np.cos(angle), 0.3 * height + 0.28 * left * np.sin(angle)
            draw.ellipse((across - 3, down - 3, across + 3, down + 3), fill=YELLOW)
        _write(face, layout.band, font, WHITE, (0.2 * left, 0.62 * height, 0.8 * left, 0.86 * height))
    top = round(layout.top * height)
    if top:
        if layout.top_band:
            draw.rectangle((0, 0, width, top), fill=BAND)
        place = "BRASIL" if layout.top_band else _PLACES[generator.integers(len(_PLACES))]
        colour = WHITE if layout.top_band else ink
        box = (0.32 * width, 0.25 * top, 0.68 * width, 0.9 * top)
        _write(face, place, font, colour, box)
    middle = (top + height) / 2
    half = layout.height * height / 2
    box = (left + 2.2 * margin, middle - half, width - 2.2 * margin, middle + half)
    _write(face, text, font, ink, box, stroke=int(generator.integers(2)))
    edge = int(generator.integers(3, 8))
    draw.rounded_rectangle((1, 1, width - 2, height - 2), radius=14, outline=ink, width=edge)
    _wear(draw, face.size, generator)
    return face


def _write(
    image: Image.Image,
    text: str,
    font: str,
    colour: Colour,
    box: tuple[float, float, float, float],
    stroke: int = 0,
) -> None:
    """Fill a box (left, top, right, bottom) with text; every character gets the same cell."""
    left, top, right, bottom = box
    height = round(bottom - top)
    widths = [_width_of(one) for one in text]
    unit = min((right - left) / sum(widths), 0.62 * height)
    at = (left + right - unit * sum(widths)) / 2
    for one, share in zip(text, widths, strict=True):
        cell = unit * share
        if one != " ":
            glyph = _glyph(one, font, stroke)
            if one.isalnum():
                width = min(0.86 * cell, glyph.width * height / glyph.height)
                size, drop = (max(1, round(width)), height), 0.0
            else:
                size = (max(1, round(0.5 * cell)), max(1, round(0.11 * height)))
                drop = (height - size[1]) / 2
            scaled = glyph.resize(size, Image.Resampling.BOX)
            image.paste(colour, (round(at + (cell - size[0]) / 2), round(top + drop)), scaled)
        at += cell


def _width_of(character: str) -> float:
    return 1.0 if character.isalnum() else 0.5


@cache
def _glyph(character: str, font: str, stroke: int) -> Image.Image:
    """Return a character's coverage, cropped to its ink."""
    size = 160
    loaded: Font = ImageFont.truetype(font, size) if font else ImageFont.load_default(size)
    image = Image.new("L", (3 * size, 3 * size))
    # Pillow's own font has one weight, which is light for a plate.
    width = 3 * stroke + (5 if not font else 0)
    ImageDraw.Draw(image).text((size, size), character, fill=255, font=loaded, stroke_width=width)
    return image.crop(image.getbbox())


def _wear(draw: ImageDraw.ImageDraw, size: tuple[int, int], generator: np.random.Generator) -> None:
    """Draw screws and a few specks of dirt."""
    width, height = size
    if generator.random() < 0.5:
        for across in (0.2, 0.8):
            down = (0.08 if generator.random() < 0.7 else 0.92) * height
            draw.circle((across * width, down), 6, fill=(90, 90, 92))
    for _ in range(generator.integers(0, 9)):
        centre, radius = generator.uniform(0, 1, 2) * size, generator.uniform(1, 4)
        shade = int(generator.integers(60, 150))
        draw.circle((centre[0], centre[1]), radius, fill=(shade, shade - 10, shade - 25))


def _vehicle(generator: np.random.Generator) -> Image.Image:
    """Draw the vehicle's body around the plate: paint, a lit edge and a dark gap or a frame."""
    width, height = (_SCALE * side for side in SIZE)
    paint = np.array(_VEHICLES[generator.integers(len(_VEHICLES))], np.float32)
    shade = generator.uniform(0.6, 1.1) + generator.uniform(-0.3, 0.3) * np.linspace(-1, 1, height)
    rows: Any = (paint * shade[:, None]).clip(0, 255)
    body = Image.fromarray(np.repeat(rows[:, None], width, axis=1).astype(np.uint8))
    draw = ImageDraw.Draw(body)
    for _ in range(generator.integers(1, 4)):
        top, thick = generator.uniform(0, height), generator.uniform(2, 26)
        slope, value = generator.uniform(-12, 12), int(generator.integers(5, 120))
        draw.polygon(
            [(0, top), (width, top + slope), (width, top + slope + thick), (0, top + thick)],
            fill=(value, value, value),
        )
    return body.filter(ImageFilter.GaussianBlur(1.5))


def _corners(layout: Layout, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return the plate's corners in the scene, clockwise from the upper left, shape (4, 2)."""
    scene = _SCALE * np.array(SIZE, np.float64)
    aspect = layout.size[0] / layout.size[1]
    limit = min(0.94 * scene[0], 0.86 * scene[1] * aspect)
    width = limit * generator.uniform(0.76, 1.0)
    half = np.array([width, width / aspect]) / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    angle, shear = generator.normal(0, 0.04), generator.normal(0, 0.05)
    turned = (
        corners
        @ np.array([[1, shear], [0, 1]])
        @ [
            [np.cos(angle), np.sin(angle)],
            [-np.sin(angle), np.cos(angle)],
        ]
    )
    yaw = generator.normal(0, 0.08)
    turned[:, 1] *= 1 + yaw * corners[:, 0] / half[0]
    turned[:, 0] *= 1 - abs(yaw) / 2
    extent = np.abs(turned).max(0)
    turned *= min(1.0, *(0.98 * scene / 2 / extent))
    spare = (scene / 2 - np.abs(turned).max(0)).clip(0)
    centre = scene / 2 + generator.uniform(-0.6, 0.6, 2) * spare
    return np.asarray(turned + centre)


def _homography(corners: NDArray[np.float64], size: tuple[int, int]) -> list[float]:
    """Return the eight coefficients by which Pillow maps the scene to an image of ``size``."""
    width, height = size
    rows, wanted = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows), np.array(wanted, np.float64))]


def _light(generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw daylight that varies smoothly, with a slight cast, as factors of shape (H, W, 3)."""
    width, height = SIZE
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope = generator.normal(0, 0.08, 2)
    level = generator.uniform(0.6, 1.0) * (1 + slope[0] * down + slope[1] * across)
    warmth = generator.normal(0, 0.05)
    return np.asarray(level[..., None] * np.exp([warmth, 0.0, -warmth]), np.float32)
