"""Memory-mapped cache of decoded images: decoding a PNG takes longer than reading a crop of its pixels."""

import hashlib
import io
import logging
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from lowlight.files import encodable, first_line, user_cache_folder, whole

logger = logging.getLogger(__name__)

_giving_up = threading.Lock()
_opening = threading.Lock()
"""Lock around header parsing: Python 3.11's parser may raise SystemError when two threads run it at once."""

_LENGTH = 4
"""Bytes of the checksum, a CRC-32."""


def default_cache_dir() -> Path | None:
    """Return the user's cache folder; None, with a warning, if there is none."""
    folder = user_cache_folder()
    if folder is None:
        logger.warning("no home folder to cache images in: they are decoded every epoch; set data.cache_dir")
    return folder


def _check(path: Path) -> None:
    """Raise ValueError unless a file ends in the checksum of the bytes before."""
    content = path.read_bytes()
    if _sum(content[:-_LENGTH]) != content[-_LENGTH:]:
        raise ValueError("its checksum differs, or it has none")


def _sum(content: bytes | memoryview) -> bytes:
    return zlib.crc32(content).to_bytes(_LENGTH, "little")


class ArrayCache:
    """Arrays stored as memory-mapped ``.npy`` files, one per key, each followed by a checksum.

    Entries are written atomically, so several processes may share a folder. An entry that is unreadable, or
    whose checksum differs when it is first opened (once per process, as comparing means reading all of it),
    is rebuilt. If the folder is read-only or the disk full, there is one warning and arrays are built each
    time. The folder may be deleted at any time.

    Args:
        folder: Folder of the entries; ``None`` stores nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.writable = folder is not None
        self._sound: set[Path] = set()

    def load(self, key: str, build: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the array of a key, memory-mapped and read-only; if missing, build and store it."""
        if self.folder is None:
            return build()
        path = self.folder / f"{hashlib.sha256(encodable(key).encode()).hexdigest()[:32]}.npy"
        try:
            if path not in self._sound:
                _check(path)
            with _opening:
                entry: NDArray[Any] = open_memmap(path, mode="r")
            self._sound.add(path)
        except FileNotFoundError:
            pass
        except Exception as error:  # damaged headers raise errors of many types
            logger.info("rebuilding the cache entry %s: %s", path, first_line(error))
        else:
            return entry
        array = build()
        if self.writable:
            self._store(path, array)
        return array

    def _store(self, path: Path, array: NDArray[Any]) -> None:
        try:
            content = io.BytesIO()
            np.save(content, array)
            with whole(path) as partial:
                partial.write_bytes(content.getvalue() + _sum(content.getbuffer()))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        with _giving_up:
            if self.writable:
                logger.warning(
                    "cannot write to the cache %s (%s): images are decoded every epoch; "
                    "set data.cache_dir to a folder with space, or data.cache=false",
                    self.folder,
                    error.strerror or error,
                )
            self.writable = False
