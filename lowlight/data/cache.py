"""Memory-mapped cache of decoded images: decoding a PNG takes longer than reading a crop of its pixels."""

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from lowlight.files import whole

logger = logging.getLogger(__name__)

_giving_up = threading.Lock()
_opening = threading.Lock()
"""Lock around header parsing: Python 3.11's parser may raise SystemError when two threads run it at once."""


def default_cache_dir() -> Path | None:
    """Return lowlight's folder in ``$XDG_CACHE_HOME``, ``%LOCALAPPDATA%`` or ``~/.cache``; None if none."""
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "lowlight"
    except RuntimeError:  # neither $HOME nor an entry of the user
        logger.warning("no home folder to cache images in: they are decoded every epoch; set data.cache_dir")
        return None


class ArrayCache:
    """Arrays stored as memory-mapped ``.npy`` files, one per key.

    Entries are written atomically, so several processes may share a folder; unreadable entries are rebuilt.
    If the folder is read-only or the disk full, there is one warning and arrays are built each time. The
    folder may be deleted at any time.

    Args:
        folder: Folder of the entries; ``None`` stores nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.writable = folder is not None

    def load(self, key: str, build: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the array of a key, memory-mapped and read-only; if missing, build and store it."""
        if self.folder is None:
            return build()
        path = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
        try:
            with _opening:
                entry: NDArray[Any] = open_memmap(path, mode="r")
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            logger.info("rebuilding the cache entry %s: %s", path, error)
        else:
            return entry
        array = build()
        if self.writable:
            self._store(path, array)
        return array

    def _store(self, path: Path, array: NDArray[Any]) -> None:
        try:
            with whole(path) as partial, partial.open("wb") as file:
                np.save(file, array)
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
