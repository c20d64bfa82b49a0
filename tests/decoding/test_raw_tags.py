"""The EXIF data of raw photographs are found in the files of several makers."""

import io
import struct

import pytest
from PIL import Image

from lowlight.decoding.raw_tags import read_raw_tags
from lowlight.decoding.tags import EXIF, GPS, XMP, kept

PACKET = b"<x Rating='5'/>"
CANON_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")


def tags() -> bytes:
    data = Image.Exif()
    data[271] = "Maker"
    data.get_ifd(EXIF)[0x9003] = "2020:02:03 04:05:06"
    data.get_ifd(GPS)[1] = "N"
    return data.tobytes()[6:]


def directory(tag: int, text: bytes) -> bytes:
    data = Image.Exif()
    data[tag] = text.decode()
    return data.tobytes()[6:]


def box(kind: bytes, content: bytes, is_long: bool = False) -> bytes:
    if is_long:
        return struct.pack(">I4sQ", 1, kind, len(content) + 16) + content
    return struct.pack(">I4s", len(content) + 8, kind) + content


def olympus() -> bytes:
    return tags()[:2] + (b"RO" if tags()[:2] == b"II" else b"OR") + tags()[4:]


def panasonic() -> bytes:
    return tags()[:2] + (b"U\0" if tags()[:2] == b"II" else b"\0U") + tags()[4:]


def fujifilm() -> bytes:
    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, format="JPEG", exif=b"Exif\0\0" + tags(), xmp=PACKET)
    preview = jpeg.getvalue()
    return b"FUJIFILMCCD-RAW ".ljust(84, b" ") + struct.pack(">II", 160, len(preview)) + bytes(68) + preview


def canon(is_long: bool = False) -> bytes:
    parts = {b"CMT1": directory(271, b"Maker"), b"CMT2": directory(0x9003, b"2020:02:03 04:05:06")}
    parts |= {b"CMT3": b"notes", b"CMT4": directory(1, b"N")}
    inner = b"".join(box(kind, content) for kind, content in parts.items())
    moov = box(b"uuid", bytes(16) + b"other") + box(b"uuid", CANON + inner) + box(b"trak", b"")
    return (
        box(b"ftyp", b"crx isom")
        + box(b"moov", moov, is_long)
        + box(b"uuid", CANON_XMP + PACKET)
        + struct.pack(">I4s", 0, b"mdat")
        + b"light"
    )


@pytest.mark.parametrize("content", [tags(), olympus(), panasonic(), fujifilm(), canon(), canon(True)])
def test_maker_date_and_position_are_found(content: bytes) -> None:
    found = read_raw_tags(io.BytesIO(content))
    assert found is not None
    left, notes = kept(found)
    assert left is not None
    assert notes == ()
    written = Image.Exif()
    written.load(left.to_bytes())
    assert written[271] == "Maker"
    assert written.get_ifd(EXIF)[0x9003] == "2020:02:03 04:05:06"
    assert written.get_ifd(GPS)[1] == "N"


@pytest.mark.parametrize("content", [fujifilm(), canon(), canon(True)])
def test_xmp_is_found_where_it_is_no_tag(content: bytes) -> None:
    found = read_raw_tags(io.BytesIO(content))
    assert found is not None
    assert found.main[XMP].data == PACKET


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"II*\0",
        fujifilm()[:88],
        fujifilm()[:200],
        canon()[:60],
        box(b"ftyp", b"crx ") + box(b"moov", struct.pack(">I4s", 2**31, b"uuid")),
        box(b"moov", box(b"uuid", CANON + box(b"CMT1", b"no tags"))),
    ],
)
def test_broken_data_are_none(content: bytes) -> None:
    assert read_raw_tags(io.BytesIO(content)) is None
