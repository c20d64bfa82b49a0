"""Writing a photograph's file, completely or not at all."""

import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lowlight.decoding.bands import bands
from lowlight.decoding.photo import Photo, Pixels, to_8_bits
from lowlight.decoding.tags import (
    EXIF,
    GPS,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    XMP,
    Y_RESOLUTION,
    Exif,
    append_directories,
    read_exif,
)
from lowlight.files import whole

_XMP_KEYWORD = "XML:com.adobe.xmp"

_ALL = slice(None)

_WRITTEN_ANEW = {EXIF, GPS, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT}
"""Tags of a TIFF file that are written anew."""


@dataclass(frozen=True)
class Format:
    """A file format that photographs are written in, and what it can hold.

    Attributes:
        name: Pillow's name.
        has_alpha: Whether it holds transparency.
        has_metadata: Whether it holds EXIF data, XMP and a colour profile.
        has_resolution: Whether it holds a resolution outside EXIF data.
        longest_side: Largest width and height in pixels.
        longest_metadata: Most bytes of EXIF data and of XMP each that it holds.
        longest_profile: Most bytes of a colour profile that it holds, or that its readers take.
        options: Returns the further arguments of Pillow's ``save`` for a photograph.
        write_deep: Writes 16-bit colour or transparency, which Pillow cannot; None if the format holds 8 bits
            only.
        write: Writes any photograph instead of Pillow; None where Pillow writes.
    """

    name: str
    has_alpha: bool = True
    has_metadata: bool = True
    has_resolution: bool = True
    longest_side: int = 2**31
    longest_metadata: int = 2**31
    longest_profile: int = 2**31
    options: Callable[[Photo], dict[str, Any]] = lambda _: {}
    write_deep: Callable[[Photo, Path], None] | None = None
    write: Callable[[Photo, Path], None] | None = None


def write_photo(photo: Photo, path: Path) -> tuple[str, ...]:
    """Write a photograph in the format of the path's suffix, completely or not at all.

    JPEG and WebP are written at quality 95.

    Returns:
        Notes on what the format cannot hold and was left out.

    Raises:
        ValueError: If no format of :data:`FORMATS` has the suffix, or that format holds no such width or
            height.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ValueError(f"{path}: photographs are written as {', '.join(FORMATS)}")
    if max(photo.pixels.shape[:2]) > form.longest_side:
        raise ValueError(f"{path}: {form.name} holds {form.longest_side} pixels per side; write a .png")
    notes = []
    if photo.pixels.dtype == np.uint16 and form.write_deep is None and form.write is None:
        photo = _shallow(photo)
        notes.append(f"{form.name} holds 8 bits, not 16")
    if photo.alpha is not None and not form.has_alpha:
        photo = replace(photo, alpha=None)
        notes.append(f"{form.name} holds no transparency")
    for name, data in (("EXIF data", photo.exif), ("XMP", photo.xmp)):
        if data and not form.has_metadata:
            notes.append(f"{form.name} holds no {name}")
        elif data and len(data) > form.longest_metadata:
            notes.append(f"{form.name} holds no {name} of {len(data)} bytes")
            photo = replace(photo, exif=None) if name == "EXIF data" else replace(photo, xmp=None)
    if photo.icc and not form.has_metadata:
        notes.append(f"{form.name} holds no colour profile")
    elif photo.icc and len(photo.icc) > form.longest_profile:
        notes.append(f"{form.name} holds no colour profile of {len(photo.icc)} bytes")
        photo = replace(photo, icc=None)
    if (
        photo.dpi
        and not form.has_resolution
        and not (photo.exif and X_RESOLUTION in read_exif(photo.exif).main)
    ):
        notes.append(f"{form.name} holds no resolution outside EXIF data")
    with whole(path) as partial:
        if form.write:
            form.write(photo, partial)
        elif form.write_deep and _is_beyond_pillow(photo):
            form.write_deep(photo, partial)
        else:
            options = form.options(photo)
            if form.has_metadata:
                options |= {"exif": photo.exif or b""} | ({"icc_profile": photo.icc} if photo.icc else {})
                options |= {"xmp": photo.xmp} if photo.xmp and "pnginfo" not in options else {}
            options |= {"dpi": photo.dpi} if photo.dpi else {}
            Image.fromarray(_channels(photo)).save(partial, format=form.name, **options)
    return tuple(notes)


def photo_suffix(source: Path) -> str:
    """Return the suffix that a photograph is written with: its own if that is in FORMATS, else ``.png``."""
    suffix = source.suffix.lower()
    return suffix if suffix in FORMATS else ".png"


def to_pillow(photo: Photo) -> Image.Image:
    """Convert a photograph to a Pillow image, whose colour has 8 bits."""
    if _is_beyond_pillow(photo):
        photo = _shallow(photo)
    picture = Image.fromarray(_channels(photo))
    picture.info |= {"exif": photo.exif} if photo.exif else {}
    picture.info |= {"icc_profile": photo.icc} if photo.icc else {}
    picture.info |= {"xmp": photo.xmp} if photo.xmp else {}
    picture.info |= {"dpi": photo.dpi} if photo.dpi else {}
    return picture


def _is_beyond_pillow(photo: Photo) -> bool:
    """Return whether a photograph has 16-bit colour or transparency, which Pillow does not hold."""
    return photo.pixels.dtype == np.uint16 and (photo.alpha is not None or not photo.is_grey)


def _channels(photo: Photo, rows: slice = _ALL) -> Pixels:
    """Return the stored channels of rows, grey or RGB and any opacity, of shape (H, W) or (H, W, C)."""
    channels = photo.pixels[rows, :, :1] if photo.is_grey else photo.pixels[rows]
    if photo.alpha is not None:
        channels = np.concatenate((channels, photo.alpha[rows, :, None]), axis=-1)
    return np.ascontiguousarray(channels[..., 0] if channels.shape[-1] == 1 else channels)


def copy_photo(source: Path, path: Path) -> None:
    """Copy a file byte for byte, completely or not at all."""
    with whole(path) as partial:
        shutil.copyfile(source, partial)


def _write_deep_png(photo: Photo, path: Path) -> None:
    """Write 16-bit colour or transparency, which Pillow cannot; see the PNG specification, third edition.

    Rows are filtered, compressed and written band by band, which bounds the memory.
    """
    height, width = photo.pixels.shape[:2]
    kind = 2 * (not photo.is_grey) + 4 * (photo.alpha is not None)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(_chunk(b"IHDR", header))
        if photo.icc:
            file.write(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(photo.icc)))
        if photo.exif:
            file.write(_chunk(b"eXIf", photo.exif.removeprefix(b"Exif\0\0")))
        if photo.xmp:
            file.write(_chunk(b"iTXt", _XMP_KEYWORD.encode() + b"\0\0\0\0\0" + photo.xmp))
        if photo.dpi:
            file.write(_chunk(b"pHYs", struct.pack(">IIB", *(round(side / 0.0254) for side in photo.dpi), 1)))
        for data in _compressed(photo):
            file.write(_chunk(b"IDAT", data))
        file.write(_chunk(b"IEND", b""))


def _compressed(photo: Photo) -> Iterator[bytes]:
    """Yield the compressed stream of a PNG file of 16 bits per channel, in parts."""
    compressor = zlib.compressobj(4)
    above = np.zeros(1, np.uint8)  # as each byte above the first row counts
    for rows in bands(photo.pixels):
        stored = _channels(photo, rows).astype(">u2").view(np.uint8).reshape(rows.stop - rows.start, -1)
        filtered = np.empty((stored.shape[0], stored.shape[1] + 1), np.uint8)
        filtered[:, 0] = 2  # filter "up": each row minus the row above
        filtered[0, 1:] = stored[0] - above
        np.subtract(stored[1:], stored[:-1], out=filtered[1:, 1:])
        above = stored[-1].copy()
        if data := compressor.compress(filtered.data):
            yield data
    yield compressor.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _write_tiff(photo: Photo, path: Path) -> None:
    """Write a TIFF file with all metadata; opacity is unassociated."""
    import tifffile

    channels = _channels(photo)
    exif = read_exif(photo.exif) if photo.exif else Exif("<", {})
    tags: list[tuple[int, int, int, Any, bool]] = [
        (tag, value.kind, value.count, value.data, True)
        for tag, value in sorted(exif.main.items())
        if tag not in _WRITTEN_ANEW
    ]
    tags += [(pointer - 1, 4, 1, 0, True) for pointer in (EXIF, GPS) if exif.below.get(pointer)]
    tags += [(XMP, 1, len(photo.xmp), photo.xmp, True)] if photo.xmp else []
    tifffile.imwrite(
        path,
        channels,
        byteorder=exif.order,
        photometric="rgb" if channels.ndim == 3 and channels.shape[-1] > 2 else "minisblack",
        planarconfig="contig" if channels.ndim == 3 else None,
        extrasamples=None if photo.alpha is None else ["unassalpha"],
        compression="zlib",
        predictor=True,
        resolution=photo.dpi,
        resolutionunit="INCH" if photo.dpi else None,
        iccprofile=photo.icc,
        metadata=None,
        software=False,
        extratags=sorted(tags),
    )
    if exif.below:
        append_directories(path, exif)


def _shallow(photo: Photo) -> Photo:
    """Round a photograph to 8 bits."""
    return replace(
        photo,
        pixels=to_8_bits(photo.pixels),
        alpha=None if photo.alpha is None else to_8_bits(photo.alpha),
    )


def _png_options(photo: Photo) -> dict[str, Any]:
    # a third of the time of the default level, for files 2 % larger
    options: dict[str, Any] = {"compress_level": 4}
    if photo.xmp:
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt(_XMP_KEYWORD, photo.xmp.decode(errors="replace"))
    return options


_JPEG = Format(
    "JPEG",
    has_alpha=False,
    longest_side=65_500,
    longest_metadata=65_500,
    options=lambda _: {"quality": 95},
)
_TIFF = Format("TIFF", write=_write_tiff)

FORMATS: dict[str, Format] = {
    ".png": Format("PNG", longest_profile=2**20, options=_png_options, write_deep=_write_deep_png),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": Format("WEBP", has_resolution=False, longest_side=16_383, options=lambda _: {"quality": 95}),
    ".bmp": Format("BMP", has_alpha=False, has_metadata=False),
    ".tif": _TIFF,
    ".tiff": _TIFF,
}
"""Format of the photographs that are written, keyed by file name ending in lower case."""
