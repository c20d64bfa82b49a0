"""AVIF and HEIC files: bits per channel, coding of colour, and decoding to 16 bits."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lowlight.decoding.photo import Photo, to_full_range, triple

_HEADER = 1 << 16
"""Bytes at a file's beginning in which its properties are looked for."""


def avif_bits(head: bytes) -> int:
    """Return an AVIF file's bits per channel, from its codec configuration (``av1C``)."""
    at = head.find(b"av1C")
    if at < 0 or at + 7 > len(head):
        return 8
    flags = head[at + 6]
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def avif_codes(head: bytes) -> tuple[int, int] | None:
    """Return the codes of an AVIF file's primaries and transfer function (``nclx``), or None."""
    at = head.find(b"colrnclx")
    return struct.unpack_from(">HH", head, at + 8) if 0 <= at < len(head) - 12 else None


def read_head(file: BinaryIO) -> bytes:
    """Return the part of a file that holds its properties."""
    file.seek(0)
    return file.read(_HEADER)


def auxiliary(info: Mapping[Any, Any]) -> list[str]:
    """Return the kinds of the pictures that belong to a HEIC file's first one, such as ``hdrgainmap``.

    Args:
        info: What Pillow tells of the file.
    """
    kinds = [str(name).rpartition(":")[2] for name in info.get("aux") or ()]
    return kinds + ["depth map"] * bool(info.get("depth_images"))


def deep_avif(path: Path, bits: int, icc: bytes | None) -> Photo | None:
    """Decode 10- or 12-bit AVIF to 16 bits; None without the package."""
    try:
        import imagecodecs
    except ImportError:
        return None
    values: NDArray[Any] = imagecodecs.avif_decode(path.read_bytes())
    if values.dtype != np.uint16 or values.ndim not in (2, 3):
        return None
    return _photo(to_full_range(values, 2**bits - 1), icc)


def deep_heif(path: Path, icc: bytes | None) -> Photo:
    """Decode 10- or 12-bit HEIC to 16 bits."""
    import pillow_heif

    return _photo(np.asarray(pillow_heif.open_heif(path, convert_hdr_to_8bit=False)), icc)


def _photo(values: NDArray[Any], icc: bytes | None) -> Photo:
    if values.ndim == 2 or values.shape[-1] < 3:
        channels = values if values.ndim == 3 else values[..., None]
        alpha = channels[..., 1] if channels.shape[-1] == 2 else None
        return Photo(triple(channels[..., 0]), alpha, is_grey=True, icc=icc)
    return Photo(values[..., :3], values[..., 3] if values.shape[-1] == 4 else None, icc=icc)
