"""Camera raw photographs, developed."""

from pathlib import Path
from typing import Any

import numpy as np

from lowlight.decoding.photo import Photo

_MARKS = (b"FUJIFILMCCD-RAW", b"IIRO\x08", b"IIRS\x08", b"MMOR\0", b"IIU\0", b"II*\0\x10\0\0\0CR")
"""First bytes of the raw files of Fujifilm, Olympus, Panasonic and Canon; others begin as TIFF files do."""


def is_raw(head: bytes) -> bool:
    """Return whether a file begins as only raw photographs do."""
    return head.startswith(_MARKS) or head[4:12] == b"ftypcrx "


def size(path: Path) -> tuple[int, int]:
    """Return the width and height of the developed photograph in pixels, from the header."""
    rawpy = _rawpy()
    with path.open("rb") as file, rawpy.imread(file) as photo:
        sizes = photo.sizes
    return (sizes.iheight, sizes.iwidth) if sizes.flip in (5, 6) else (sizes.iwidth, sizes.iheight)


def develop(path: Path) -> Photo:
    """Develop at full size: camera white balance, sRGB, 16 bits, upright, exposure as taken.

    Raises:
        ValueError: If rawpy is missing.
    """
    rawpy = _rawpy()
    with path.open("rb") as file, rawpy.imread(file) as photo:
        pixels = photo.postprocess(
            use_camera_wb=True,
            output_color=rawpy.ColorSpace.sRGB,
            output_bps=16,
            gamma=(2.4, 12.92),  # sRGB's, which methods and viewers expect
            no_auto_bright=True,
        )
    return Photo(np.ascontiguousarray(pixels), notes=("developed with the camera's white balance",))


def _rawpy() -> Any:
    try:
        import rawpy
    except ImportError:
        raise ValueError("a camera raw file; to develop it: pip install 'lowlight[raw]'") from None
    return rawpy
