"""Reading a photograph's file with its metadata."""

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from lowlight.images import SUFFIXES
from lowlight.inference.photos.photo import Photo, from_pillow, triple
from lowlight.inference.pixels import Pixels

PHOTO_SUFFIXES = SUFFIXES | {".avif", ".heic", ".heif"}
"""File name endings, in lower case, of the photographs that are looked for in a folder."""

_KEPT_DEEP = ("RGB", "RGBA", "L", "LA")
"""Pillow modes that are decoded to 16 bits here; Pillow itself does so for grey without opacity."""

# TIFF tags of the file layout, which change when the photograph is written again.
_STRUCTURE = {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 284, 317, 318, 319}
_STRUCTURE |= {320, 322, 323, 324, 325, 330, 338, 339, 340, 341, 347, 529, 530, 531, 532, 700, 34675}


def read_photo(path: Path, max_pixels: int = 250_000_000) -> Photo:
    """Read a photograph of any mode (palette, grey, CMYK, transparent; 8 or 16 bits), turned upright by EXIF.

    Args:
        path: The file; the format is detected from its content, not its suffix.
        max_pixels: Largest image accepted, in pixels; others are refused before they are decoded.

    Raises:
        ValueError: If the file is missing, empty, truncated, too large or not an image; the message names it.
    """
    if path.is_dir():
        raise ValueError(f"{path}: a folder, not an image")
    try:
        if path.stat().st_size == 0:
            raise ValueError(f"{path}: empty, 0 bytes")
        _register_heif()
        with _limit(max_pixels), Image.open(path) as image:
            if image.width * image.height > max_pixels:
                raise Image.DecompressionBombError
            return _decode(image, path)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except Image.DecompressionBombError:
        raise ValueError(f"{path}: more than {max_pixels / 1e6:g} megapixels; see --max-pixels") from None
    except UnidentifiedImageError:
        if path.suffix.lower() in (".heic", ".heif") and not _register_heif():
            raise ValueError(f"{path}: HEIC needs: pip install 'lowlight[photo]'") from None
        raise ValueError(f"{path}: not an image, or of an unknown format") from None
    except ValueError as error:
        raise error if str(error).startswith(str(path)) else ValueError(f"{path}: {error}") from error
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        raise ValueError(f"{path}: broken ({error})") from error


def _decode(image: Image.Image, path: Path) -> Photo:
    notes = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # an MPO file of a phone holds a preview too
        notes.append(f"only the first of {frames} frames")
    photo = _deep(image, path) or from_pillow(image)
    exif = image.getexif()  # after decoding, when Pillow has turned a TIFF and dropped its orientation
    turn = _TURNS.get(exif.get(ExifTags.Base.Orientation, 1), _as_is)
    if photo.pixels.dtype == np.uint8 and _bits(image, path) > 8:
        remedy = "; to keep them: pip install 'lowlight[photo]'" if image.mode in _KEPT_DEEP else ""
        notes.append(f"more than 8 bits per channel read as 8{remedy}")
    return replace(
        photo,
        pixels=np.ascontiguousarray(turn(photo.pixels)),
        alpha=None if photo.alpha is None else np.ascontiguousarray(turn(photo.alpha)),
        exif=_kept(exif),
        notes=(*notes, *photo.notes),
    )


def _deep(image: Image.Image, path: Path) -> Photo | None:
    """Decode 16-bit colour, which Pillow would reduce to 8; None for other images or without the packages."""
    if _bits(image, path) <= 8 or image.mode not in _KEPT_DEEP:
        return None
    icc = image.info.get("icc_profile") or None
    if image.format == "HEIF":
        return _deep_heif(path, icc)
    try:
        import imagecodecs
        import tifffile
    except ImportError:
        return None
    if image.format == "PNG":
        values = imagecodecs.png_decode(path.read_bytes())
    else:
        values = tifffile.imread(path, key=0)
        if values.ndim == 3 and values.shape[0] in (3, 4) and values.shape[-1] not in (3, 4):
            values = np.moveaxis(values, 0, -1)  # planar layout
    if values.dtype != np.uint16:
        return None
    if values.ndim == 3 and values.shape[-1] == 2:
        return Photo(triple(values[..., 0]), values[..., 1], is_grey=True, icc=icc)
    return Photo(values[..., :3], values[..., 3] if values.shape[-1] == 4 else None, icc=icc)


def _deep_heif(path: Path, icc: bytes | None) -> Photo:
    """Decode 10- or 12-bit HEIC to 16 bits."""
    import pillow_heif

    values = np.asarray(pillow_heif.open_heif(path, convert_hdr_to_8bit=False))
    return Photo(values[..., :3], values[..., 3] if values.shape[-1] == 4 else None, icc=icc)


def _bits(image: Image.Image, path: Path) -> int:
    """Return the bits per channel in the file."""
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24]
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(258, (1,))))  # type: ignore[attr-defined]
    return int(image.info.get("bit_depth", 8))


def _kept(exif: Image.Exif) -> bytes | None:
    """Return the EXIF data that also applies to the enhanced photograph."""
    for tag in [tag for tag in exif if tag in _STRUCTURE]:
        del exif[tag]
    return exif.tobytes() if len(exif) else None


def _as_is(values: Pixels) -> Pixels:
    return values


_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values[::-1].swapaxes(0, 1),
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: values[:, ::-1].swapaxes(0, 1),
}
"""Functions that turn a photograph upright, keyed by EXIF orientation."""


def _register_heif() -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


@contextmanager
def _limit(max_pixels: int) -> Iterator[None]:
    """Set the size from which Pillow refuses to decode, and silence its warnings."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about broken metadata, and sizes up to twice the limit
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
