"""Errors as clients are told them: in one line, and without folders of the server."""

import re
from pathlib import Path

_FOLDERS = re.compile(r"(?<![\w:/])(?:[A-Za-z]:)?[\\/]+(?:[^\s\\/'\"()]+[\\/]+)+")


def public_message(text: str) -> str:
    """Return a message in one line, its absolute paths reduced to the names of their files."""
    return _FOLDERS.sub("", " ".join(text.split()))


def reason_of(error: Exception, source: Path) -> str:
    """Return an error's message in one line, without folders of the server."""
    if isinstance(error, MemoryError):
        return "it ran out of memory"
    return public_message(str(error).replace(str(source), source.name)) or type(error).__name__
