"""Portable pixmaps and greymaps of 16 bits, which Pillow reads as 8."""

import re
from pathlib import Path

import numpy as np

from lowlight.decoding.photo import Photo, to_full_range, triple

_HEADER = re.compile(rb"P([56])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")


def decode_deep(path: Path) -> Photo | None:
    """Decode a binary PPM or PGM file of more than 8 bits, scaled to 16; None for other files.

    Raises:
        ValueError: If the file is cut short.
    """
    with path.open("rb") as file:
        header = _HEADER.match(file.read(4096))
        if header is None:
            return None
        kind, width, height, white = map(int, header.groups())
        if not 255 < white < 65536:
            return None
        channels = 3 if kind == 6 else 1
        file.seek(header.end())
        values = np.frombuffer(file.read(2 * width * height * channels), ">u2")
    if values.size < width * height * channels:
        raise ValueError("broken (cut short)")
    pixels = to_full_range(values.reshape(height, width, channels), white).astype(np.uint16, copy=False)
    return Photo(triple(pixels[..., 0]) if channels == 1 else pixels, is_grey=channels == 1)
