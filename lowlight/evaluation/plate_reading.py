"""Reading licence plates by an offline OCR, and counting the characters that it reads right."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Reader = Callable[[NDArray[np.uint8]], str]
"""Returns the letters and digits of an 8-bit RGB image, shape (H, W, 3), in capitals."""

_HEIGHT = 64
"""Height in pixels that images are enlarged to; below 48 the recogniser misses most."""


def plate_reader() -> Reader:
    """Return the reader of RapidOCR, whose recogniser reads an image as one line of text.

    Raises:
        ValueError: If its package is not installed.
    """
    try:
        from rapidocr_onnxruntime import RapidOCR
    except ImportError as error:
        raise ValueError(f"reading plates needs RapidOCR ({error}); pip install 'lowlight[plates]'") from None
    engine: Any = RapidOCR()

    def read(pixels: NDArray[np.uint8]) -> str:
        scale = max(1.0, _HEIGHT / pixels.shape[0])
        size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        enlarged = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
        lines, _ = engine(enlarged[..., ::-1], use_det=False, use_cls=False, use_rec=True)
        return normalised("".join(str(line[0]) for line in lines or ()))

    return read


def normalised(text: str) -> str:
    """Return the letters A to Z and digits of a text, in capitals."""
    return "".join(one for one in text.upper() if one.isascii() and one.isalnum())


def characters_right(text: str, read: str) -> float:
    """Return the share of a plate's characters that were read: 1 minus the edit distance per character.

    Args:
        text: What the plate says; not empty.
        read: What was read; characters too many count as errors.

    Returns:
        Share in [0, 1].

    Reference:
        Levenshtein, 1966, "Binary codes capable of correcting deletions, insertions, and reversals".
    """
    row = list(range(len(read) + 1))
    for number, wanted in enumerate(text, 1):
        above, row = row, [number]
        for column, found in enumerate(read, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (wanted != found)))
    return max(0.0, 1 - row[-1] / len(text))
