"""One writer per run folder."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"
"""Name of the locked file in a run folder; it holds the process number of the writer."""

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@contextmanager
def alone_in(folder: Path | str, needed: bool = True) -> Iterator[None]:
    """Keep other processes from writing in a run folder while the block runs.

    The system releases the lock of a killed process, and forked workers do not inherit it. A folder that
    cannot be written, or whose file system knows no locks, is not locked.

    Args:
        folder: Is created where it is missing.
        needed: False does nothing, as for processes of a run that write nothing.

    Raises:
        ValueError: If another process writes there.
    """
    path = Path(folder) / LOCK
    file = _locked(path) if needed else None
    try:
        yield
    finally:
        if file is not None:
            with suppress(OSError):  # Windows removes no open file
                path.unlink()
            os.close(file)


def _locked(path: Path) -> int | None:
    """Lock a file and return its descriptor; None if that is not possible.

    Raises:
        ValueError: If another process holds the lock.
    """
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return None  # preparing the folder says why it cannot be written
        try:
            _lock(file)
            if path.exists() and os.fstat(file).st_ino == path.stat().st_ino:  # not removed meanwhile
                os.ftruncate(file, 0)
                os.write(file, str(os.getpid()).encode())
                return file
        except OSError as error:
            holder = os.pread(file, 20, 0).decode(errors="replace") if hasattr(os, "pread") else ""
            os.close(file)
            if error.errno not in _HELD:
                return None
            number = f" ({holder})" if holder.isdigit() else ""
            raise ValueError(
                f"{path.parent}: another process{number} is writing there; wait for it, or choose another "
                "output_dir"
            ) from error
        os.close(file)


def _lock(file: int) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
