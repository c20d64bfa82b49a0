"""Paths as others may see them: without the folders of this machine."""

import re
from typing import Any

_START = r"(?:~[\w.-]*|\.\.?|[A-Za-z]:)?[/\\]"
"""How a path begins at a root, a drive, a home folder, or ``.`` and ``..``."""

_PATH = re.compile(_START)

_IN_TEXT = re.compile(
    rf"(?<=')(?:{_START})(?:\\.|[^'\\])*(?=')"  # quoted, a path may hold any character
    rf'|(?<=")(?:{_START})(?:\\.|[^"\\])*(?=")'
    rf"""|(?<![^\s=:,(\[{{'"|])(?:{_START})(?:\\.|[^,()\[\]{{}}'"|])*"""
)
"""Paths in the value of a setting: alone, or in lists, mappings, calls and quotes."""


def last_part(path: str) -> str:
    """Return a path without its folders, and any other text as it is."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or path


def without_folders(text: str) -> str:
    """Return a setting's value, each path from a root, a drive or a home folder reduced to its last part."""
    return _IN_TEXT.sub(lambda found: last_part(found[0]), text)


def names_only(node: Any) -> Any:
    """Return a copy of plain containers, each text that is such a path reduced to its last part."""
    if isinstance(node, dict):
        return {key: names_only(child) for key, child in node.items()}
    if isinstance(node, list):
        return [names_only(child) for child in node]
    return last_part(node) if isinstance(node, str) and _PATH.match(node) else node
