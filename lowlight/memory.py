"""How much memory this process holds, and how much more a piece of work takes while it runs."""

import ctypes
import gc
import mmap
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

STATM = Path("/proc/self/statm")
"""Where Linux tells a process its size; other systems have no such file."""


def resident() -> int:
    """Return the bytes of memory that this process holds, 0 on a system that does not tell."""
    return int(STATM.read_text().split()[1]) * mmap.PAGESIZE if STATM.exists() else 0


def release() -> None:
    """Collect what only cycles hold, which takes some tenths of a second, and give it back to the system."""
    gc.collect()
    trim()


def trim() -> None:
    """Give memory that is free but still held back to the system, where the C library can."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def taken_by(work: Callable[[], object]) -> int:
    """Run something and return the bytes that it takes at its height beyond what was held before.

    The process's size is read each millisecond. Linux could note the height itself, but would forget the
    height before, which is not ours to reset.

    Returns:
        0 on a system that does not tell.
    """
    release()
    before, highest = resident(), 0
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.001):
            highest = max(highest, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(highest - before, 0)
