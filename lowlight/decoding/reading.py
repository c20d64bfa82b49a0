"""Reading an image file with its metadata."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image, ImageFile

from lowlight.decoding import heif, png, pnm, raw, tiff
from lowlight.decoding.colour_coding import Coding, from_codes, from_png, to_srgb
from lowlight.decoding.formats import RAW_SUFFIXES, UnknownFormatError, open_picture, silence, suffix_of
from lowlight.decoding.photo import UNDEFINED_WHITE, Photo, from_pillow
from lowlight.decoding.pillow_exif import current_exif
from lowlight.decoding.raw_tags import read_raw_tags
from lowlight.decoding.tags import LARGEST, ORIENTATION, XMP, Exif, kept, read_exif, resolution

MAX_PIXELS = 250_000_000
"""Default limit on the pixels of an image."""

READER = "reader 2"
"""Version of the reader: part of the keys of cached pixels, to be raised when it reads pixels otherwise."""

_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))([1-8])")

_KEPT_DEEP = ("RGB", "RGBA", "L", "LA")
"""Pillow modes whose 16 bits the packages of the extra ``photo`` keep."""

_KEPT_TEXTS = ("XML:com.adobe.xmp", "Raw profile type exif")
_IPTC = 0x0404

_ATTACHED = {
    b"hdrgm:Version": "the HDR gain map is",
    b"MotionPhoto": "the video of this motion photograph is",
    b"MicroVideo": "the video of this motion photograph is",
    b"HasExtendedXMP": "the XMP data in further segments are",
}
"""What a file holds beside its picture, keyed by the part of its XMP that says so."""

_MP_ENTRIES, _PREVIEWS = 0xB002, (0x010001, 0x010002)
"""Tag that lists the pictures of a JPEG file, and the kinds of those that are smaller copies of the first."""

Info = Mapping[Any, Any]
"""What Pillow tells of a file beside its pixels."""


_PIXEL_BYTES = 8
"""Bytes of an RGBA pixel of 16 bits; a file may take as many for each pixel of the limit."""


class TooLargeError(ValueError):
    """An image has more pixels than the limit, or takes more bytes than so many pixels do."""


def read_photo(path: Path, max_pixels: int = MAX_PIXELS, remedy: str = "") -> Photo:
    """Read an image of any mode (palette, grey, CMYK, transparent; 8 or 16 bits), turned upright by EXIF.

    Args:
        path: The file; the format is detected from its content, not its suffix.
        max_pixels: Largest image accepted, in pixels; others are refused before they are decoded, and so are
            those of many channels that take more bytes than RGBA of 16 bits with so many pixels.
        remedy: What to do about an image that is too large, for the message; empty for nothing.

    Raises:
        ValueError: If the file is missing, empty, truncated, too large, not an image, or if its values do not
            define which is white; the message names it. :class:`TooLargeError` and
            :class:`lowlight.decoding.formats.UnknownFormatError` are such errors.
    """
    with _naming(path, remedy), silence(), path.open("rb") as file:
        tags, is_raw = _begin(path, file)
        if is_raw:
            _check_size(raw.size(path), max_pixels)
            photo, tags = raw.develop(path), tags or read_raw_tags(file)
            packet = tags.main.get(XMP) if tags else None
            is_cut = packet is not None and len(packet.data) > LARGEST
            lost: tuple[str, ...] = () if tags else ("the raw file's EXIF data could not be read",)
            lost += (f"XMP of more than {LARGEST // 1000} kB is left out",) if is_cut else ()
            info = {"xmp": packet.data} if packet and not is_cut else {}
            return _with_metadata(replace(photo, notes=photo.notes + lost), info, tags)
        if tags is not None:
            return _read_tiff(path, file, tags, max_pixels)
        with open_picture(file) as image:
            _check_size(image.size, max_pixels)
            return _read_picture(path, file, image)


def read_size(path: Path, max_pixels: int = MAX_PIXELS, remedy: str = "scale it down") -> tuple[int, int]:
    """Return an image's width and height in pixels, upright, from its header; refusals are as when reading.

    Raises:
        ValueError: If the header shows that the file cannot be read; the message names it.
    """
    with _naming(path, remedy), silence(), path.open("rb") as file:
        tags, is_raw = _begin(path, file)
        if is_raw:
            size, orientation = raw.size(path), 1
        elif tags is not None:
            samples = tiff.read_samples(tags)
            _check_samples(samples, max_pixels)
            size, orientation = samples.size, (*tags.integers(ORIENTATION), 1)[0]
        else:
            with open_picture(file) as image:
                if image.mode == "F":
                    raise ValueError(f"floating-point values {UNDEFINED_WHITE}")
                size, orientation = image.size, _orientation(image.info, _exif(image.info)[0])
        _check_size(size, max_pixels)
        return (size[1], size[0]) if 5 <= orientation <= 8 else size


def suffix_in(file: BinaryIO) -> str | None:
    """Return the suffix that suits a file's content, ``.raw`` for raw photographs; None if it is no image."""
    file.seek(0)
    try:
        _, is_raw = _begin(Path(), file)
    except Exception:  # of a broken file, which is told where it is read
        is_raw = False
    file.seek(0)
    return ".raw" if is_raw else suffix_of(file.read(4096))


@contextmanager
def _naming(path: Path, remedy: str) -> Iterator[None]:
    """Turn whatever a reader raises into one ``ValueError`` that names the file.

    Decoders raise almost every type of error for damaged files, so no list of types is kept here.
    """
    if path.is_dir():
        raise ValueError(f"{path}: a folder, not an image")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: a pipe or a device, not an image file")
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except TooLargeError as error:
        advice = f"; {remedy}" if remedy else ""
        raise TooLargeError(f"{path}: {error}{advice}") from None
    except UnknownFormatError as error:
        raise UnknownFormatError(f"{path}: {error}") from None
    except MemoryError:
        raise ValueError(f"{path}: larger than the memory that is left") from None
    except Exception as error:
        text = _printable(str(error)) or type(error).__name__
        if isinstance(error, OSError) and error.errno:
            text = error.strerror or text  # of the system, not of a decoder
        elif not isinstance(error, ValueError):
            text = f"broken ({text})"
        raise ValueError(f"{path}: {text}") from error


def _printable(text: str) -> str:
    """Return a text that may hold a file's bytes as one line of at most 200 printable characters."""
    line = " ".join(text.split())[:200]
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _begin(path: Path, file: BinaryIO) -> tuple[Exif | None, bool]:
    """Return a TIFF file's tags, None for other formats, and whether it is a raw photograph."""
    head = file.read(64)
    if not head:
        raise ValueError("empty, 0 bytes")
    is_tiff = head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    tags = read_exif(file) if is_tiff else None
    is_raw = raw.is_raw(head) or (tags is not None and tiff.is_raw(file, tags))
    if tags is not None and path.suffix.lower() in RAW_SUFFIXES:
        is_raw = True  # such a file's first image is a thumbnail
    file.seek(0)
    return tags, is_raw


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise TooLargeError(f"more than {max_pixels / 1e6:g} megapixels")


def _check_samples(samples: tiff.Samples, max_pixels: int) -> None:
    _check_size(samples.size, max_pixels)
    width, height = samples.size
    if width * height * samples.pixel_bytes > max_pixels * _PIXEL_BYTES:
        limit = f"{max_pixels / 1e6:g} megapixels of RGBA"
        raise TooLargeError(f"{samples.channels} channels of {samples.bits} bits take more than {limit}")


def _read_tiff(path: Path, file: BinaryIO, tags: Exif, max_pixels: int) -> Photo:
    samples = tiff.read_samples(tags)
    _check_samples(samples, max_pixels)
    if not samples.is_pillows and tiff.is_complete():
        photo, info = tiff.decode(path, samples)
        photo = replace(photo, icc=info["icc_profile"], notes=_frames(info["frames"]))
        return _with_metadata(photo, info, tags, (*tags.integers(ORIENTATION), 1)[0])
    with open_picture(file) as image:
        frames = getattr(image, "n_frames", 1)
        photo = from_pillow(image)  # turned by Pillow
        if photo.pixels.dtype == np.uint16:
            photo = replace(tiff.interpret(photo.pixels[..., :1], samples), icc=photo.icc)
        notes = _frames(frames) + _depth(photo, samples.bits, image)
        return _with_metadata(replace(photo, notes=notes), image.info, tags)


def _read_picture(path: Path, file: BinaryIO, image: ImageFile.ImageFile) -> Photo:
    notes: tuple[str, ...] = ()
    icc = image.info.get("icc_profile") or None
    deep: Photo | None = None
    coding: Coding | None = None
    bits = int(image.info.get("bit_depth", 8))
    if image.format == "PNG":
        chunks = png.read_chunks(file)
        bits, coding = png.bits(chunks), from_png(image.info, chunks.get(b"cICP"))
        png.scale_key(image)
        if bits > 8 and image.mode in _KEPT_DEEP:
            deep = png.decode_deep(path, chunks, icc)
    elif image.format == "AVIF":
        head = heif.read_head(file)
        bits, codes = heif.avif_bits(head), heif.avif_codes(head)
        coding = from_codes(*codes) if codes and not icc else None
        deep = heif.deep_avif(path, bits, icc) if bits > 8 else None
    elif image.format == "HEIF":
        nclx = image.info.get("nclx_profile")
        if nclx and not icc:
            coding = from_codes(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]))
        deep = heif.deep_heif(path, icc) if bits > 8 and image.mode in _KEPT_DEEP else None
    elif image.format == "PPM":
        deep = pnm.decode_deep(path)
    photo = deep or from_pillow(image)  # decodes, and so reads the metadata behind the pixels
    left_out = _left_out(image)  # reads a PNG file's texts, which may follow the pixels
    info = dict(image.info)
    exif, problems = _exif(info)
    notes += _depth(photo, bits, image) + problems + left_out
    for mark, what in _ATTACHED.items():
        if mark in (_xmp(info) or b""):
            info |= {"xmp": None, "XML:com.adobe.xmp": None}
            notes += (f"{what} left out, and the XMP that describes it",)
            break
    else:
        notes += _frames(_pictures(image))
    photo = replace(photo, notes=notes)
    return _with_metadata(to_srgb(photo, coding), info, exif, _orientation(info, exif))


def in_memory(image: Image.Image) -> Photo:
    """Convert a Pillow image, turned upright, with its metadata.

    Raises:
        ValueError: If its mode does not define which value is white.
    """
    png.scale_key(image)
    photo = tiff.corrected(image, from_pillow(image))  # decodes, and so lets Pillow turn a TIFF
    with silence():
        info = image.info | {"exif": current_exif(image)}
    exif, problems = _exif(info)
    coding = from_png(info, None) if image.format in ("PNG", None) else None
    photo = replace(photo, notes=problems)
    return _with_metadata(to_srgb(photo, coding), info, exif, _orientation(info, exif))


def _pictures(image: Image.Image) -> int:
    """Return how many pictures a file holds: frames, or those of one JPEG file but for its previews."""
    index = image.info.get("mp")  # of CIPA DC-007, as TIFF tags
    if not isinstance(index, bytes):
        return int(getattr(image, "n_frames", 1))
    try:
        exif = read_exif(index)
        entries = exif.main[_MP_ENTRIES].data
    except (ValueError, KeyError):
        return 1
    order: Literal["little", "big"] = "little" if exif.order == "<" else "big"
    kinds = [int.from_bytes(entries[at : at + 4], order) & 0xFFFFFF for at in range(0, len(entries), 16)]
    return sum(kind not in _PREVIEWS for kind in kinds)


def _frames(number: int) -> tuple[str, ...]:
    return (f"only the first of {number} frames",) if number > 1 else ()


def _depth(photo: Photo, bits: int, image: Image.Image) -> tuple[str, ...]:
    """Return a note on bits that were lost."""
    if photo.pixels.dtype != np.uint8 or bits <= 8:
        return ()
    remedy = "; to keep them: pip install 'lowlight[photo]'" if image.mode in _KEPT_DEEP else ""
    return (f"more than 8 bits per channel read as 8{remedy}",)


def _left_out(image: Image.Image) -> tuple[str, ...]:
    """Return notes on metadata of other kinds than are kept, and on pictures beside the first."""
    texts = [name for name in getattr(image, "text", {}) if name not in _KEPT_TEXTS]
    resources = image.info.get("photoshop")
    has_iptc = isinstance(resources, dict) and _IPTC in resources
    lists = {"texts of the PNG file": texts, "auxiliary pictures": heif.auxiliary(image.info)}
    return (("IPTC data is left out",) if has_iptc else ()) + tuple(
        f"{what} are left out: {_printable(', '.join(names))}" for what, names in lists.items() if names
    )


def _exif(info: Info) -> tuple[Exif | None, tuple[str, ...]]:
    """Return the EXIF data among what Pillow tells of a file, and a note if it is broken."""
    data = info.get("exif")
    try:
        if data is None and "Raw profile type exif" in info:  # ImageMagick's, in a PNG's texts
            data = bytes.fromhex("".join(info["Raw profile type exif"].split("\n")[3:]))
        return (read_exif(bytes(data)), ()) if data else (None, ())
    except Exception:
        return None, ("broken EXIF data is left out",)


def _xmp(info: Info) -> bytes | None:
    data = info.get("xmp") or info.get("XML:com.adobe.xmp")
    data = data.encode() if isinstance(data, str) else data
    return data.rstrip(b"\0") or None if isinstance(data, bytes) else None


def _orientation(info: Info, exif: Exif | None) -> int:
    """Return the orientation that EXIF names, or else XMP."""
    named = exif.integers(ORIENTATION) if exif else ()
    found = None if named else _XMP_ORIENTATION.search(_xmp(info) or b"")
    return named[0] if named else int(found[2]) if found else 1


def _with_metadata(photo: Photo, info: Info, exif: Exif | None, orientation: int = 1) -> Photo:
    """Return the photograph, turned from its orientation, with the metadata that still apply."""
    left, lost = kept(exif) if exif else (None, ())
    xmp = _xmp(info)
    dpi = info.get("dpi") if not exif or not resolution(exif) else resolution(exif)
    is_real = isinstance(dpi, tuple) and len(dpi) == 2 and all(1 < float(side) < 1e6 for side in dpi)
    return replace(
        photo.turned(orientation),
        exif=left.to_bytes() if left else None,
        xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", xmp) if xmp else None,
        dpi=(float(dpi[0]), float(dpi[1])) if is_real and dpi else None,
        notes=photo.notes + lost,
    )
