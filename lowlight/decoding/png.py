"""PNG files: what Pillow does not tell of them, and 16-bit colour."""

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.decoding.photo import Photo, Pixels, triple

Chunks = dict[bytes, bytes]

_WANTED = (b"IHDR", b"tRNS", b"cICP")


def read_chunks(file: BinaryIO) -> Chunks:
    """Return a PNG file's header, colour key and coding of colour, those that it has before its pixels."""
    found: Chunks = {}
    file.seek(8)
    for _ in range(1000):
        head = file.read(8)
        if len(head) < 8:
            break
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT":
            break
        if kind in _WANTED and length < 1000:
            found[kind] = file.read(length)
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)
    return found


def bits(chunks: Chunks) -> int:
    """Return the bits per channel."""
    return chunks[b"IHDR"][8]


def scale_key(image: Image.Image) -> None:
    """Scale the transparent value of a grey PNG of 2 or 4 bits, as Pillow will scale the pixels alone.

    Does nothing to other images; once the pixels are loaded, nothing tells their bits.
    """
    rest = getattr(image, "tile", ())
    white = {"L;2": 3, "L;4": 15}.get(rest[0].args) if image.format == "PNG" and rest else None
    if white and isinstance(image.info.get("transparency"), int):
        image.info["transparency"] *= 255 // white


def decode_deep(path: Path, chunks: Chunks, icc: bytes | None) -> Photo | None:
    """Decode 16-bit colour or transparency, with a colour key as transparency; None without the package."""
    try:
        import imagecodecs
    except ImportError:
        return None
    values: NDArray[Any] = imagecodecs.png_decode(path.read_bytes())
    if values.dtype != np.uint16:
        return None
    kind = chunks[b"IHDR"][9]
    if kind == 4:
        return Photo(triple(values[..., 0]), values[..., 1], is_grey=True, icc=icc)
    alpha: Pixels | None = values[..., 3] if values.shape[-1] == 4 else None
    if kind == 2 and len(key := chunks.get(b"tRNS", b"")) == 6:
        is_key = (values[..., :3] == np.frombuffer(key, ">u2").astype(np.uint16)).all(axis=-1)
        alpha = np.where(is_key, np.uint16(0), np.uint16(65535))
    return Photo(values[..., :3], alpha, icc=icc)
