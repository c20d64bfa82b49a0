"""How many loader processes a machine can feed: they hand over images in shared memory, by file handles."""

import logging
import shutil
import sys
from multiprocessing import Lock
from pathlib import Path

logger = logging.getLogger(__name__)

SHARED_PER_WORKER = 16 * 2**20
"""Shared memory that a loader process may fill with batches ahead of their use, in bytes."""

HANDLES_PER_WORKER = 16
"""File handles of a loader process: its pipes, and two tensors of each batch ahead of its use."""

HANDLES_OF_THE_REST = 32
"""File handles left for logs, checkpoints, libraries and the files being read."""


def usable_workers(wanted: int, shared: Path = Path("/dev/shm")) -> int:
    """Return the number of loader processes that can run; fewer than wanted are logged with the reason.

    The soft limit of file handles is raised as far as needed and allowed.

    Args:
        wanted: Number of processes asked for.
        shared: Folder of Linux's shared memory.
    """
    if not wanted or sys.platform == "win32":
        return wanted
    handles = _handles(HANDLES_OF_THE_REST + wanted * HANDLES_PER_WORKER)
    number = min(wanted, max(handles - HANDLES_OF_THE_REST, 0) // HANDLES_PER_WORKER)
    reason = f"only {handles} files may be open (ulimit -n)"
    if sys.platform == "linux":
        room = _room(shared) // SHARED_PER_WORKER
        number, reason = (room, f"{shared} has too little room") if room < number else (number, reason)
    if number < wanted:
        logger.warning("data.num_workers=%d is lowered to %d: %s", wanted, number, reason)
    return number


def _handles(needed: int) -> int:
    """Return the number of files that this process may open, raised to ``needed`` where that is allowed."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    if soft == endless or soft >= needed:
        return needed
    raised = needed if hard == endless else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return raised


def _room(shared: Path) -> int:
    """Return the bytes of shared memory that can be taken; 0 where none can."""
    try:
        Lock()  # needs a semaphore there, as every loader process does
        return shutil.disk_usage(shared).free
    except OSError:
        return 0
