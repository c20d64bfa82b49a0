"""Writing a photograph's file, completely or not at all."""

import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lowlight.files import whole
from lowlight.inference.photos.photo import Photo
from lowlight.inference.pixels import Pixels


@dataclass(frozen=True)
class Format:
    """A file format that photographs are written in, and what it can hold.

    Attributes:
        name: Pillow's name.
        has_alpha: Whether it holds transparency.
        has_metadata: Whether it holds EXIF data and a colour profile.
        options: Returns the further arguments of Pillow's ``save`` for a photograph.
        write_deep: Writes 16-bit channels of shape (H, W, C), which Pillow cannot; None if the format holds
            8 bits only.
    """

    name: str
    has_alpha: bool = True
    has_metadata: bool = True
    options: Callable[[Photo], dict[str, Any]] = lambda _: {}
    write_deep: Callable[[Pixels, Photo, Path], None] | None = None


def write_photo(photo: Photo, path: Path) -> tuple[str, ...]:
    """Write a photograph in the format of the path's suffix, completely or not at all.

    JPEG and WebP are written at quality 95.

    Returns:
        Notes on what the format cannot hold and was left out.

    Raises:
        ValueError: If no format of :data:`FORMATS` has the suffix.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ValueError(f"{path}: photographs are written as {', '.join(FORMATS)}")
    notes = []
    if photo.pixels.dtype == np.uint16 and form.write_deep is None:
        photo = replace(photo, pixels=_to_8_bits(photo.pixels), alpha=_to_8_bits(photo.alpha))
        notes.append(f"{form.name} holds 8 bits, not 16")
    if photo.alpha is not None and not form.has_alpha:
        photo = replace(photo, alpha=None)
        notes.append(f"{form.name} holds no transparency")
    if photo.exif and not form.has_metadata:
        notes.append(f"{form.name} holds no EXIF data")
    channels = _channels(photo)
    with whole(path) as partial:
        if form.write_deep and channels.dtype == np.uint16 and channels.ndim == 3:
            form.write_deep(channels, photo, partial)
        else:
            options = form.options(photo)
            if form.has_metadata:
                options |= {"exif": photo.exif or b""} | ({"icc_profile": photo.icc} if photo.icc else {})
            Image.fromarray(channels).save(partial, format=form.name, **options)
    return tuple(notes)


def photo_suffix(source: Path) -> str:
    """Return the suffix that a photograph is written with: its own if that is in FORMATS, else ``.png``."""
    suffix = source.suffix.lower()
    return suffix if suffix in FORMATS else ".png"


def to_pillow(photo: Photo) -> Image.Image:
    """Convert a photograph to a Pillow image, whose colour has 8 bits."""
    if photo.pixels.dtype == np.uint16 and (photo.alpha is not None or not photo.is_grey):
        photo = replace(photo, pixels=_to_8_bits(photo.pixels), alpha=_to_8_bits(photo.alpha))
    picture = Image.fromarray(_channels(photo))
    picture.info |= {"exif": photo.exif} if photo.exif else {}
    picture.info |= {"icc_profile": photo.icc} if photo.icc else {}
    return picture


def _channels(photo: Photo) -> Pixels:
    """Return the stored channels, grey or RGB and any opacity, of shape (H, W) or (H, W, C)."""
    channels = photo.pixels[..., :1] if photo.is_grey else photo.pixels
    if photo.alpha is not None:
        channels = np.concatenate((channels, photo.alpha[..., None]), axis=-1)
    return np.ascontiguousarray(channels[..., 0] if channels.shape[-1] == 1 else channels)


def copy_photo(source: Path, path: Path) -> None:
    """Copy a file byte for byte, completely or not at all."""
    with whole(path) as partial:
        shutil.copyfile(source, partial)


def _write_deep_png(channels: Pixels, photo: Photo, path: Path) -> None:
    """Write 16-bit colour or transparency, which Pillow cannot; see the PNG specification, third edition."""
    height, width, count = channels.shape
    rows = np.ascontiguousarray(channels.astype(">u2")).view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2  # filter "up": each row minus the row above
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[count], 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(_chunk(b"IHDR", header))
        if photo.icc:
            file.write(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(photo.icc)))
        if photo.exif:
            file.write(_chunk(b"eXIf", photo.exif.removeprefix(b"Exif\0\0")))
        file.write(_chunk(b"IDAT", zlib.compress(filtered.data, 4)))
        file.write(_chunk(b"IEND", b""))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _write_deep_tiff(channels: Pixels, photo: Photo, path: Path) -> None:
    """Write 16-bit colour or transparency; of the EXIF data only the texts of the main directory are kept."""
    import tifffile

    if channels.shape[-1] == 2:  # grey with opacity, which few programs read
        channels = channels[..., [0, 0, 0, 1]]
    exif = Image.Exif()
    if photo.exif:
        exif.load(photo.exif)
    texts = [(tag, "s", 0, text, True) for tag, text in exif.items() if isinstance(text, str)]
    tifffile.imwrite(
        path,
        channels,
        photometric="rgb",
        extrasamples=None if photo.alpha is None else ["unassalpha"],
        compression="zlib",
        predictor=True,
        iccprofile=photo.icc,
        metadata=None,
        software=False,
        extratags=texts,
    )


def _tiff_options(photo: Photo) -> dict[str, Any]:
    if photo.exif:  # libtiff, which compresses, cannot write EXIF data
        return {}
    return {"compression": "tiff_lzw" if photo.pixels.dtype == np.uint8 else "tiff_adobe_deflate"}


def _to_8_bits(values: Pixels | None) -> Any:
    return None if values is None else ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


_JPEG = Format("JPEG", has_alpha=False, options=lambda _: {"quality": 95})
_TIFF = Format("TIFF", options=_tiff_options, write_deep=_write_deep_tiff)

FORMATS: dict[str, Format] = {
    # a third of the time of the default level, for files 2 % larger
    ".png": Format("PNG", options=lambda _: {"compress_level": 4}, write_deep=_write_deep_png),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": Format("WEBP", options=lambda _: {"quality": 95}),
    ".bmp": Format("BMP", has_alpha=False, has_metadata=False),
    ".tif": _TIFF,
    ".tiff": _TIFF,
}
"""Format of the photographs that are written, keyed by file name ending in lower case."""
