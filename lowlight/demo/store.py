"""The web page's temporary files: bounded in number and bytes, and deleted with their sessions."""

import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

MOST_UPLOADS = 300
"""Greatest number of uploads that are kept."""
HELD = 10
"""Number of uploads that a session keeps, the latest."""
MAX_RESULTS = 2 * 10**9
"""Greatest size of all results, in bytes; the latest ones are kept at any size."""
KEPT = 3600
"""Seconds for which the results of a session are kept, from the last that was written."""
_RESULTS = "results"
_STALLED = 60  # seconds without a byte after which a partial upload is deleted


class Store:
    """Uploads and results in a temporary folder.

    Beyond the limits, the oldest are deleted first, and uploads that no session uses before all others.

    Args:
        folder: The folder; Gradio writes each upload to a folder in it, named after its content.
        max_bytes: Greatest size of all uploads, in bytes.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder.resolve()
        self.max_bytes = max_bytes
        self._uploads: dict[str, list[Path]] = {}
        self._results: dict[str, Path] = {}
        self._lock = threading.RLock()
        (self.folder / _RESULTS).mkdir(exist_ok=True)

    def hold(self, session: str, upload: Path) -> None:
        """Keep an upload for a session, and no more than its latest :data:`HELD`."""
        upload = upload.resolve()
        if self.folder not in upload.parents:
            return
        entry = self.folder / upload.relative_to(self.folder).parts[0]
        with self._lock:
            held = [one for one in self._uploads.get(session, []) if one != entry] + [entry]
            self._uploads[session] = held[-HELD:]
            self._delete_unheld(held[:-HELD])

    def new_results(self, session: str) -> Path:
        """Return a new folder for a session's results in place of its last one."""
        with self._lock:
            folder = Path(tempfile.mkdtemp(dir=self.folder / _RESULTS))
            if last := self._results.pop(session, None):
                _delete(last)
            self._results[session] = folder
        return folder

    def drop(self, session: str) -> None:
        """Delete the files of a session that has ended; other sessions keep an upload of the same content."""
        with self._lock:
            self._delete_unheld(self._uploads.pop(session, []))
            if last := self._results.pop(session, None):
                _delete(last)

    def sweep(self) -> None:
        """Delete what exceeds the limits, old results, those of no session, and uploads broken off.

        A photograph that is being enhanced when its session ends is written all the same.
        """
        with self._lock:
            for session, folder in list(self._results.items()):
                if _changed(folder) < time.time() - KEPT:
                    del self._results[session]
            for left in {*(self.folder / _RESULTS).iterdir()} - {*self._results.values()}:
                _delete(left)
            held = {entry for entries in self._uploads.values() for entry in entries}
            whole = []
            for entry in self.folder.iterdir():
                if entry.is_dir() and entry.name != _RESULTS:
                    whole.append(entry)
                elif entry.is_file() and _changed(entry) < time.time() - _STALLED:
                    _delete(entry)
            whole.sort(key=lambda entry: (entry in held, _changed(entry)))
            count, size = (sum(numbers) for numbers in zip((0, 0), *map(_extent, whole), strict=True))
            for entry in whole:
                if count <= MOST_UPLOADS and size <= self.max_bytes:
                    break
                files, length = _extent(entry)
                count, size = count - files, size - length
                _delete(entry)
            folders = list(self._results.items())
            size = sum(_extent(folder)[1] for _, folder in folders)
            for session, folder in folders[:-1]:
                if size <= MAX_RESULTS:
                    break
                size -= _extent(folder)[1]
                _delete(self._results.pop(session))

    def _delete_unheld(self, entries: list[Path]) -> None:
        held = {entry for others in self._uploads.values() for entry in others}
        for entry in entries:
            if entry not in held:
                _delete(entry)


def _changed(entry: Path) -> float:
    """Return the time of a file's last change; 0 if it is gone."""
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0


def _extent(folder: Path) -> tuple[int, int]:
    """Return the number of files in a folder and their size in bytes."""
    sizes = []
    for place, _, files in os.walk(folder):  # which passes over folders that are deleted meanwhile
        for name in files:
            with contextlib.suppress(OSError):
                sizes.append(Path(place, name).stat().st_size)
    return len(sizes), sum(sizes)


def _delete(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
