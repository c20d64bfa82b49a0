"""Sizes of memory and of files, as the command line spells them."""

import re


def read_size(text: str, option: str, kilo: int = 1000) -> int:
    """Return the bytes that a size such as ``3GB``, ``1500 MB`` or ``2000000`` stands for.

    Args:
        text: The size.
        option: Whose value it is, for the message.
        kilo: What a step from KB to MB is worth: 1000, or 1024.

    Raises:
        ValueError: If it is no size above 0.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMG]?)B?", text.strip().upper())
    size = int(float(found[1]) * kilo ** " KMG".index(found[2] or " ")) if found else 0
    if size <= 0:
        raise ValueError(f"{option}={text} is no size; write it as 3GB or 1500MB")
    return size
