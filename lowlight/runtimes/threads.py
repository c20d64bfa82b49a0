"""Number of threads that runtimes other than torch compute with."""

import os
import sys
from pathlib import Path

_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
"""File that lists the logical CPUs of a logical CPU's core, on Linux only."""


def thread_count() -> int:
    """Return torch's number of threads; without torch loaded, the number of cores that the process may use.

    As in torch, ``OMP_NUM_THREADS`` and ``MKL_NUM_THREADS`` limit it.
    """
    if torch := sys.modules.get("torch"):
        return int(torch.get_num_threads())
    for name in _LIMITS:
        first = os.environ.get(name, "").split(",")[0].strip()  # one number per level of nesting
        if first.isdecimal() and int(first):
            return int(first)
    return _cores()


def _cores() -> int:
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    usable = os.sched_getaffinity(0)
    files = [Path(_SIBLINGS.format(cpu)) for cpu in usable]
    try:
        return len({file.read_text() for file in files})
    except OSError:
        return len(usable)
