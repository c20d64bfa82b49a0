"""EXIF data and XMP of camera raw photographs, wherever each maker's files keep them."""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

from lowlight.decoding.formats import open_picture
from lowlight.decoding.tags import EXIF, GPS, LARGEST, XMP, Exif, Tag, read_exif

_FUJIFILM, _PREVIEW_AT = b"FUJIFILMCCD-RAW", 84
"""First bytes of a Fujifilm file, and where the place and length of its JPEG preview stand."""

_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
"""Identifier of the box of a Canon CR3 file that holds directories of tags."""

_PACKET = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""Identifier of the box of such a file that holds XMP."""

_LARGEST = 2**20
"""Largest directory of a CR3 file that is read, in bytes."""


def read_raw_tags(file: BinaryIO) -> Exif | None:
    """Read the EXIF data of a raw photograph, with XMP as TIFF's tag; None without any that can be read."""
    file.seek(0)
    head = file.read(16)
    try:
        if head[:2] in (b"II", b"MM"):  # a TIFF file, in some makers' files but for its number
            return read_exif(file)
        return _of_preview(file) if head.startswith(_FUJIFILM) else _of_boxes(file)
    except Exception:  # decoders raise almost every type of error for damaged files
        return None


def _of_preview(file: BinaryIO) -> Exif | None:
    file.seek(_PREVIEW_AT)
    place, length = struct.unpack(">II", file.read(8))
    file.seek(place)
    with open_picture(io.BytesIO(file.read(length))) as preview:
        data, xmp = preview.info.get("exif"), preview.info.get("xmp")
    return _with_xmp(read_exif(data), xmp) if isinstance(data, bytes) else None


def _with_xmp(exif: Exif, xmp: bytes | None) -> Exif:
    if xmp:
        exif.main[XMP] = Tag(1, len(xmp), xmp)
    return exif


def _of_boxes(file: BinaryIO) -> Exif | None:
    end = file.seek(0, io.SEEK_END)
    directories: dict[bytes, Exif] = {}
    xmp: bytes | None = None
    for kind, start, stop in _boxes(file, 0, end):
        file.seek(start)
        if kind == b"uuid" and file.read(16) == _PACKET:
            xmp = file.read(min(stop - start - 16, LARGEST + 1))
        for inner, begin, over in _boxes(file, start, stop) if kind == b"moov" else ():
            file.seek(begin)
            if inner == b"uuid" and file.read(16) == _CANON:
                for name, at, until in _boxes(file, begin + 16, over):
                    if name in (b"CMT1", b"CMT2", b"CMT4") and until - at < _LARGEST:
                        file.seek(at)
                        directories[name] = read_exif(file.read(until - at))
    if b"CMT1" not in directories:
        return None
    first = directories.pop(b"CMT1")
    pointers = {b"CMT2": EXIF, b"CMT4": GPS}
    same = {name: one for name, one in directories.items() if one.order == first.order}
    below = {pointers[name]: one.main for name, one in same.items()}
    return _with_xmp(Exif(first.order, first.main, below), xmp)


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box between two places."""
    while start + 8 <= stop:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        begin = start + 8
        if size == 1:
            size, begin = struct.unpack(">Q", file.read(8))[0], begin + 8
        over = start + size if size else stop
        if not begin <= over <= stop:
            return
        yield kind, begin, over
        start = over
