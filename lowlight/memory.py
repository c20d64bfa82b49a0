"""Resident memory of this process, and the peak memory of a function call."""

import ctypes
import gc
import mmap
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

STATM = Path("/proc/self/statm")
"""Memory statistics of this process, on Linux only."""


_RAN_OUT = re.compile("out of memory|DefaultCPUAllocator|failed to allocate memory|bad_alloc", re.IGNORECASE)


def resident() -> int:
    """Return the resident memory of this process in bytes; 0 on systems other than Linux."""
    return int(STATM.read_text().split()[1]) * mmap.PAGESIZE if STATM.exists() else 0


def ran_out(error: BaseException) -> bool:
    """Return whether an error says that memory has run out.

    Only Python's errors and those of CUDA have a type for it; the others, of torch on a CPU and on Apple's
    GPUs and of the runtimes, are known by their words.
    """
    return isinstance(error, MemoryError) or _RAN_OUT.search(str(error)) is not None


def release() -> None:
    """Collect reference cycles, in some tenths of a second, and return freed memory to the system."""
    gc.collect()
    trim()


def trim() -> None:
    """Return freed memory that the C library still holds to the system, where it can."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def peak_of(work: Callable[[], object], device: str = "cpu", start: int | None = None) -> int:
    """Run a function and return the peak memory that it needed in bytes, on the device it computes on.

    Args:
        work: The function.
        device: ``cuda`` or ``cuda:N`` for that GPU's memory; otherwise that of this process is measured.
        start: As for :func:`taken_by`; it is not used on a GPU.

    Returns:
        Peak in bytes, beyond what was held before; 0 if the system does not report it.
    """
    if not device.startswith("cuda"):
        return taken_by(work, start)
    cuda = sys.modules["torch"].cuda
    cuda.reset_peak_memory_stats(device)
    before = cuda.memory_allocated(device)
    work()
    return int(cuda.max_memory_allocated(device) - before)


def taken_by(work: Callable[[], object], start: int | None = None) -> int:
    """Run a function and return its peak memory in bytes, beyond the resident memory before.

    Resident memory is sampled every millisecond: resetting the kernel's own peak counter would take it from
    whoever else reads it.

    Args:
        work: The function.
        start: Resident memory in bytes to count from, where calls before have kept what this one takes, too;
            by default the one right before.

    Returns:
        Peak in bytes; 0 on systems other than Linux.
    """
    release()
    before, highest = resident() if start is None else start, 0
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
    return max(highest - before, resident() - before, 0)  # what is kept counts, also if no sample saw it
