"""How the frames of a video look: size, rotation and colour coding; their conversion to sRGB images.

Colour codes are those of ITU-T H.273, swscale's matrices and flags FFmpeg's numbers.
"""

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lowlight.colour import linear_to_srgb
from lowlight.decoding.colour_coding import Coding, from_codes, matrix_to_srgb

if TYPE_CHECKING:
    from av import VideoFrame

# swscale's matrix by the frame's tag: BT.709, FCC, BT.601 (two), SMPTE 240M, BT.2020.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_BT709, _BT601 = 1, 5
_TAGS = {_BT709: 1, _BT601: 6}
_LIMITED, _FULL = 1, 2
_UNKNOWN, _BT2020 = 2, 9
_LIMITED_WHITE = 65280
"""What swscale makes of a limited white in 16 bits: 255 times 256."""

_HDR = {16: "PQ", 18: "HLG"}
"""Names of HDR's transfer functions by their code."""

ACCURATE = 0x4 | 0x2000 | 0x40000  # bicubic, chroma at every pixel, rounded; the default darkens by a level


class Colour(NamedTuple):
    """How a video encodes RGB.

    Attributes:
        matrix: swscale's number of the source's matrix between RGB and YCbCr.
        target_matrix: That of the written video.
        source_range: Value range of the source: 1 for limited (16 to 235), 2 for full.
        target_range: Value range of the written video, with the same codes.
        tags: Colour tags of the written video, keyed by the encoder's names; those of a YCbCr source are
            kept, except of HDR.
        hdr: Curve and primaries of HDR, which becomes sRGB; None for other videos.
    """

    matrix: int
    target_matrix: int
    source_range: int
    target_range: int
    tags: dict[str, int]
    hdr: Coding | None = None


class Look(NamedTuple):
    """Properties of a video, read from its first frame: size in pixels, bits per value, colour, rotation.

    ``display_matrix`` holds FFmpeg's nine numbers for rotation and mirroring; None if there is none.
    ``has_alpha`` tells whether there is transparency, ``has_fine_chroma`` whether colours are finer than one
    per 2x2 pixels, which is 4:2:0.
    """

    width: int
    height: int
    bits: int
    colour: Colour
    display_matrix: tuple[int, ...] | None
    has_alpha: bool
    has_fine_chroma: bool


def colour_of(frame: "VideoFrame") -> Colour:
    """Read a frame's colour encoding from its tags or, as players do, from its size and format.

    Untagged frames are BT.709 from 720 rows and BT.601 below, and limited unless the format says otherwise.
    """
    untagged = _BT709 if frame.height >= 720 else _BT601
    tags = {"color_primaries": frame.color_primaries, "color_trc": frame.color_trc}
    if frame.format.is_rgb:
        tags |= {"colorspace": _TAGS[untagged], "color_range": _LIMITED}
        return _without_hdr(Colour(untagged, untagged, _FULL, _LIMITED, tags))
    full = frame.color_range == _FULL or frame.format.name.startswith(("yuvj", "gray"))
    values = _FULL if full else _LIMITED
    tags |= {"colorspace": frame.colorspace, "color_range": _FULL if full else frame.color_range}
    matrix = _MATRICES.get(frame.colorspace, untagged)
    return _without_hdr(Colour(matrix, matrix, values, values, tags))


def _without_hdr(colour: Colour) -> Colour:
    """Return the colour of a video that is converted to BT.709 if its tags are those of HDR."""
    primaries, transfer = colour.tags["color_primaries"], colour.tags["color_trc"]
    if transfer not in _HDR:
        return colour
    if primaries == _UNKNOWN:
        primaries = _BT2020
    coding = from_codes(primaries, transfer)
    colours = "BT.2020" if primaries == _BT2020 else f"primaries {primaries} of H.273"
    return Colour(
        _MATRICES.get(colour.tags["colorspace"], _BT2020),
        _BT709,
        colour.source_range,
        _LIMITED,
        {"color_primaries": 1, "color_trc": 1, "colorspace": 1, "color_range": _LIMITED},
        coding and replace(coding, name=f"{_HDR[transfer]}, {colours}"),
    )


def to_image(frame: "VideoFrame", look: Look) -> NDArray[np.float32]:
    """Convert a frame to an sRGB image of shape (1, 3, H, W) in [0, 1], scaled to the first frame's size."""
    colour = look.colour
    pixels: Any = frame.to_ndarray(
        format="rgb48le" if colour.hdr else "rgb24",  # 8 bits of an HDR curve would show as bands
        width=look.width,
        height=look.height,
        src_colorspace=colour.matrix,
        src_color_range=colour.source_range,
        interpolation=ACCURATE,
    )
    if colour.hdr:
        return _to_srgb(pixels, colour.hdr, _LIMITED_WHITE if colour.source_range == _LIMITED else 65535)
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))  # as bytes, which are fewer than floats
    image: NDArray[np.float32] = planes.astype(np.float32)[None]
    image /= 255
    return image


def _to_srgb(pixels: NDArray[np.uint16], coding: Coding, white: int) -> NDArray[np.float32]:
    """Convert coded pixels, (H, W, 3), of which ``white`` means 1, to sRGB, (1, 3, H, W) in [0, 1]."""
    light, matrix = _light(coding, white), _mixing(coding)
    image = np.empty((1, 3, *pixels.shape[:2]), np.float32)
    for top in range(0, len(pixels), 16):  # rows that fit the cache
        mixed = light[pixels[top : top + 16]] @ matrix
        levels = (mixed.clip(0, 1) * np.float32(65535) + np.float32(0.5)).astype(np.uint16)
        image[0, :, top : top + 16] = np.moveaxis(_srgb()[levels], -1, 0)
    return image


@lru_cache(maxsize=2)
def _light(coding: Coding, white: int) -> NDArray[np.float32]:
    """Return the linear light of each 16-bit value, shape (65536,)."""
    values = (np.arange(65536) / white).clip(0, 1)
    return np.asarray(coding.decode(values) if coding.decode else values, np.float32)


@lru_cache(maxsize=2)
def _mixing(coding: Coding) -> NDArray[np.float32]:
    """Return the matrix, (3, 3), by which rows of linear light become that of sRGB's primaries."""
    matrix = matrix_to_srgb(coding.primaries) if coding.primaries else None
    return np.eye(3, dtype=np.float32) if matrix is None else matrix.T.astype(np.float32)


@lru_cache(maxsize=1)
def _srgb() -> NDArray[np.float32]:
    """Return the sRGB value of each 16-bit level of linear light, shape (65536,)."""
    return np.asarray(linear_to_srgb(np.arange(65536) / 65535), np.float32)
