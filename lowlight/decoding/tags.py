"""Directories of tags, as in TIFF files and EXIF data, read and written byte for byte."""

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

Order = Literal["<", ">"]
"""Byte order: little-endian or big-endian."""

_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}

ORIENTATION, EXIF, GPS, INTEROPERABILITY, XMP, SUB_DIRECTORIES = 274, 34665, 34853, 40965, 700, 330
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296

# Tags of the file's layout, which change when the photograph is written again.
_LAYOUT = {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 284, 317, 318, 319}
_LAYOUT |= {320, 322, 323, 324, 325, 330, 338, 339, 340, 341, 347, 513, 514, 529, 530, 531, 532, 700}
_LAYOUT |= {33421, 33422, 34675, 34377, 37724}
_DNG = range(50706, 52600)
_SIDES = (0xA002, 0xA003)
"""Width and height of the picture as it was stored, which turning it upright exchanges."""
_FIRST = 254
"""First tag of TIFF; Panasonic's raw files use those below for tags of their own."""

LARGEST = 60_000
"""Largest tag that is kept, in bytes; EXIF data in a JPEG file has 64 KiB in all."""


@dataclass(frozen=True)
class Tag:
    """A tag's type, number of values and bytes, in the byte order of its file."""

    kind: int
    count: int
    data: bytes


Directory = dict[int, Tag]


@dataclass(frozen=True)
class Exif:
    """EXIF data: the main directory and those of the photograph, the position and interoperability."""

    order: Order
    main: Directory
    below: Mapping[int, Directory] = field(default_factory=dict)
    """Directories keyed by the tag that points to them; interoperability belongs into the EXIF directory."""

    def integers(self, tag: int) -> tuple[int, ...]:
        """Return the integers of a tag of the main directory; empty if it is missing or of another type."""
        found = self.main.get(tag)
        if found is None or found.kind not in _CODES or len(found.data) != found.count * _SIZES[found.kind]:
            return ()
        return struct.unpack(f"{self.order}{found.count}{_CODES[found.kind]}", found.data)

    def to_bytes(self) -> bytes:
        """Return the EXIF data as files store it, with its header."""
        mark = b"II" if self.order == "<" else b"MM"
        pointers = [pointer for pointer in (EXIF, GPS) if self.below.get(pointer)]
        main = self.main | {pointer: _pointer(self.order, 0) for pointer in pointers}
        below, places = _pack_below(self, 8 + len(_pack(self.order, main, 8)))
        main |= {pointer: _pointer(self.order, places[pointer]) for pointer in pointers}
        header = b"Exif\0\0" + mark + struct.pack(f"{self.order}HI", 42, 8)
        return header + _pack(self.order, main, 8) + below


def _pointer(order: Order, place: int) -> Tag:
    return Tag(4, 1, struct.pack(f"{order}I", place))


def _pack_below(exif: Exif, at: int) -> tuple[bytes, dict[int, int]]:
    """Return the directories below the main one as bytes for offset ``at``, and where each begins."""
    packed, places = b"", dict[int, int]()
    for pointer in (INTEROPERABILITY, EXIF, GPS):
        directory = dict(exif.below.get(pointer, {}))
        if directory:
            if pointer == EXIF and INTEROPERABILITY in places:
                directory[INTEROPERABILITY] = _pointer(exif.order, places[INTEROPERABILITY])
            places[pointer] = at + len(packed)
            packed += _pack(exif.order, directory, at + len(packed))
    return packed, places


def _pack(order: Order, directory: Directory, at: int) -> bytes:
    entries, rest = [], b""
    start = at + 2 + 12 * len(directory) + 4
    for tag, value in sorted(directory.items()):
        head = struct.pack(f"{order}HHI", tag, value.kind, value.count)
        if len(value.data) <= 4:
            entries.append(head + value.data.ljust(4, b"\0"))
        else:
            entries.append(head + struct.pack(f"{order}I", start + len(rest)))
            rest += value.data + b"\0" * (len(value.data) % 2)
    return struct.pack(f"{order}H", len(directory)) + b"".join(entries) + b"\0\0\0\0" + rest


def read_exif(source: bytes | BinaryIO) -> Exif:
    """Read EXIF data, or the tags of a TIFF file's first directory and those below it.

    Raises:
        ValueError: If there is no such directory.
    """
    file: BinaryIO = io.BytesIO(_bare(source)) if isinstance(source, bytes) else source
    file.seek(0)
    head = file.read(16)
    order: Order = "<" if head[:2] == b"II" else ">"
    if head[:2] not in (b"II", b"MM") or len(head) < 8:
        raise ValueError("no directory of tags")
    is_big = struct.unpack(f"{order}H", head[2:4])[0] == 43
    first = struct.unpack(f"{order}Q", head[8:16])[0] if is_big else struct.unpack(f"{order}I", head[4:8])[0]
    main = _directory(file, order, first, is_big)
    below: dict[int, Directory] = {}
    for pointer, parent in ((EXIF, main), (GPS, main), (INTEROPERABILITY, None)):
        parent = below.get(EXIF, {}) if parent is None else parent
        if (tag := parent.pop(pointer, None)) and (places := Exif(order, {pointer: tag}).integers(pointer)):
            try:
                below[pointer] = _directory(file, order, places[0], is_big)
            except ValueError:
                continue
    return Exif(order, main, below)


def _bare(data: bytes) -> bytes:
    """Remove the header, which some programs write twice."""
    while data.startswith(b"Exif\0\0"):
        data = data[6:]
    return data


def sub_directories(file: BinaryIO, exif: Exif) -> list[Exif]:
    """Read the directories that a TIFF file's first one points to, as raw photographs have them."""
    found = []
    file.seek(2)
    is_big = struct.unpack(f"{exif.order}H", file.read(2))[0] == 43
    for place in exif.integers(SUB_DIRECTORIES)[:16]:
        try:
            found.append(Exif(exif.order, _directory(file, exif.order, place, is_big)))
        except ValueError:
            continue
    return found


def _directory(file: BinaryIO, order: Order, at: int, is_big: bool) -> Directory:
    """Read a directory; tags of an unknown type, or that reach beyond the file, are left out."""
    count_code, offset_code, width = ("Q", "Q", 20) if is_big else ("H", "I", 12)
    size, room = struct.calcsize(f"={count_code}"), struct.calcsize(f"={offset_code}")
    end = file.seek(0, io.SEEK_END)
    if at + size > end:
        raise ValueError("no directory of tags")
    file.seek(at)
    (count,) = struct.unpack(f"{order}{count_code}", file.read(size))
    entries = file.read(width * min(count, 4096))
    found: Directory = {}
    for start in range(0, len(entries) - width + 1, width):
        tag, kind, number = struct.unpack_from(f"{order}HH{offset_code}", entries, start)
        length = number * _SIZES.get(kind, 0)
        if not length:
            continue
        data = entries[start + width - room : start + width]
        if length > room:
            (place,) = struct.unpack(f"{order}{offset_code}", data)
            if place + length > end:
                continue
            file.seek(place)
            data = file.read(min(length, LARGEST + 1))
        found[tag] = Tag(kind, number, data[:length])
    return found


def kept(exif: Exif) -> tuple[Exif | None, tuple[str, ...]]:
    """Return the EXIF data that also applies to the enhanced photograph, and notes on what is lost."""
    notes: list[str] = []

    def fitting(directory: Directory) -> Directory:
        large = [tag for tag, value in directory.items() if len(value.data) > LARGEST]
        notes.extend(f"metadata tag {tag} of more than {LARGEST // 1000} kB is left out" for tag in large)
        return {tag: value for tag, value in directory.items() if tag not in large and value.kind <= 13}

    main = fitting({tag: value for tag, value in exif.main.items() if _lasts(tag)})
    below = {pointer: fitting(directory) for pointer, directory in exif.below.items()}
    if EXIF in below:
        below[EXIF] = {tag: value for tag, value in below[EXIF].items() if tag not in _SIDES}
    found = {pointer: directory for pointer, directory in below.items() if directory}
    return Exif(exif.order, main, found) if main or found else None, tuple(notes)


def _lasts(tag: int) -> bool:
    """Return whether a tag of the main directory is TIFF's or EXIF's, and not of the file's layout."""
    return tag >= _FIRST and tag not in _LAYOUT and tag not in _DNG


def resolution(exif: Exif) -> tuple[float, float] | None:
    """Return the resolution in dots per inch, or None if there is none."""
    sides: list[float] = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        found = exif.main.get(tag)
        if found is None or found.kind != 5:
            return None
        over, under = struct.unpack(f"{exif.order}II", found.data[:8])
        sides.append(over / under if under else 0.0)
    unit = (*exif.integers(RESOLUTION_UNIT), 2)[0]
    scale = {2: 1.0, 3: 2.54}.get(unit, 0.0)
    return (sides[0] * scale, sides[1] * scale) if scale * min(sides) > 0 else None


def append_directories(path: Path, exif: Exif) -> None:
    """Append the directories below the main one to a TIFF file.

    Args:
        path: File of the EXIF data's byte order. Each pointer must stand in its first directory as a number 0
            under the tag before, for tifffile writes no pointers.
        exif: EXIF data.
    """
    with path.open("r+b") as file:
        at = file.seek(0, io.SEEK_END)
        at += file.write(b"\0" * (at % 2))
        below, places = _pack_below(exif, at)
        file.write(below)
        file.seek(4)
        (main,) = struct.unpack(f"{exif.order}I", file.read(4))
        file.seek(main)
        (count,) = struct.unpack(f"{exif.order}H", file.read(2))
        for entry in range(main + 2, main + 2 + 12 * count, 12):
            file.seek(entry)
            (tag,) = struct.unpack(f"{exif.order}H", file.read(2))
            if tag + 1 in (EXIF, GPS):
                file.seek(entry)
                file.write(struct.pack(f"{exif.order}HHII", tag + 1, 4, 1, places[tag + 1]))
