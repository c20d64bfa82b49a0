"""Sizes of memory, files and photographs on the command line."""

import re

_MOST = 10**15  # pixels


def parse_size(text: str, option: str, kilo: int = 1000) -> int:
    """Parse a size such as ``3GB``, ``1500 MB`` or ``2000000``.

    Args:
        text: The size.
        option: Option that it was given to, for the error message.
        kilo: Bytes per KB, and KB per MB: 1000 or 1024.

    Returns:
        The size in bytes.

    Raises:
        ValueError: If the text is not a positive size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMG]?)B?", text.strip().upper())
    size = int(float(found[1]) * kilo ** " KMG".index(found[2] or " ")) if found else 0
    if size <= 0:
        raise ValueError(f"{option}={text} is no size; write it as 3GB or 1500MB")
    return size


def parse_pixels(number: float) -> int:
    """Return ``--max-pixels`` as an integer.

    Raises:
        ValueError: If it is no number of pixels, such as ``inf``.
    """
    if not 1 <= number <= _MOST:
        raise ValueError(f"--max-pixels={number:g} is no number of pixels; write it as 25e6")
    return int(number)
