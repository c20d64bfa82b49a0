"""File name endings of the videos that are read and written."""

from pathlib import Path

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""FFmpeg's container format, keyed by the suffix of written videos; all hold timestamps and rotation."""

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".mxf",
     ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv"}
)  # fmt: skip
"""File name endings, in lower case, of files that are read as videos."""


def target_suffix(source: Path) -> str:
    """Return the suffix that a video is written with: its own if that is in CONTAINERS, else ``.mkv``.

    Matroska holds the sound of nearly all other formats.
    """
    suffix = source.suffix.lower()
    return suffix if suffix in CONTAINERS else ".mkv"
