"""The image formats that are opened, and nothing else."""

import re
import threading
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "HEIF", "PPM", "GIF")
"""Pillow's names of the formats that are opened, whatever a file is called. No reader of these starts a
program or reads another file, unlike those of EPS, PDF or WMF."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff"})
"""Lower-case suffixes of the images that are looked for in a data set."""

RAW_SUFFIXES = frozenset({".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf"})
"""Lower-case suffixes of camera raw files."""

PHOTO_SUFFIXES = SUFFIXES | RAW_SUFFIXES | {".avif", ".heic", ".heif"}
"""Lower-case suffixes of the photographs that are looked for in a folder."""

_JPEG = b"\xff\xd8\xff"

_SIGNATURES = {
    ".png": rb"\x89PNG\r\n",
    ".jpg": _JPEG,
    ".webp": rb"RIFF....WEBP",
    ".bmp": rb"BM.{4}\0{4}",
    ".tif": rb"II[*+]\0|MM\0[*+]",
    ".avif": rb".{4}ftypavi",
    ".heic": rb".{4}ftyp(he|mi)",
    ".ppm": rb"P[1-6fFy]\s+(#.*\s+)?\d+\s",
    ".gif": rb"GIF8[79]a",
}
"""How the files of each format begin, as patterns that no list of file names matches."""


def images_below(folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """Return the images in a folder and in those below it, sorted by path, without what is hidden."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in suffixes
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]


def suffix_of(content: bytes) -> str | None:
    """Return the usual suffix of an image file with this content; None if it is in no known format."""
    found = (name for name, start in _SIGNATURES.items() if re.match(start, content, re.DOTALL))
    return next(found, None)


class UnknownFormatError(ValueError):
    """A file's content has none of :data:`FORMATS`."""


def open_picture(file: BinaryIO) -> ImageFile.ImageFile:
    """Open an image by its content, without decoding its pixels and without a limit on their number.

    A file with several JPEG pictures (MPO) is opened as its first one.

    Raises:
        Exception: Whatever the reader raises; :class:`UnknownFormatError` if no reader knows the content.
    """
    if not {*FORMATS} - {"HEIF"} <= Image.OPEN.keys():
        Image.init()
    has_heif = _register_heif()
    head = file.read(16)
    problem: Exception | None = None
    for name in FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        accepted = accept(head) if accept else True  # a text says why the reader is missing
        if factory is None or not accepted or isinstance(accepted, str):
            continue
        file.seek(0)
        try:
            return JpegImageFile(file) if head.startswith(_JPEG) else factory(file, "")
        except Exception as error:
            problem = error
    if problem is None and not has_heif and head[4:8] == b"ftyp" and head[8:10] in (b"he", b"mi"):
        raise ValueError("HEIC needs: pip install 'lowlight[photo]'")
    raise problem or UnknownFormatError("not an image, or of an unknown format")


def _register_heif() -> bool:
    """Return whether HEIC can be read, and register its reader."""
    if "HEIF" in Image.OPEN:
        return True
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


_lock = threading.Lock()
_silent = 0
_context = warnings.catch_warnings()


@contextmanager
def silence() -> Iterator[None]:
    """Silence warnings about broken metadata, which decoders raise, in any number of threads at once."""
    global _silent, _context
    with _lock:
        if not _silent:
            _context = warnings.catch_warnings()
            _context.__enter__()
            warnings.simplefilter("ignore")
        _silent += 1
    try:
        yield
    finally:
        with _lock:
            _silent -= 1
            if not _silent:
                _context.__exit__(None, None, None)
