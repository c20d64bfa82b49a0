"""Standard streams that no reader, encoding or missing descriptor can end a command by."""

import atexit
import errno
import io
import os
import sys
from typing import Any, ClassVar


def keep_streams() -> None:
    """Let a command finish its work whoever reads its messages.

    Text that the terminal's encoding lacks is escaped, and what a closed pipe does not take is dropped. What
    a full disk does not take is an error, which the exit status tells at the end. Closed descriptors are
    opened on the null device, lest a file opened later takes their place.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, this one
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stdout, sys.stderr = _kept(sys.stdout, 1), _kept(sys.stderr, 2)
    atexit.register(_tell_loss)


def _kept(stream: Any, descriptor: int) -> Any:
    if stream is not None:
        stream.flush()
        try:
            descriptor = stream.fileno()
        except OSError:  # replaced by one in memory
            return stream
    encoding = getattr(stream, "encoding", None) or "utf-8"
    is_live = descriptor == 2 or os.isatty(descriptor)
    buffer = io.BufferedWriter(_Unread(descriptor, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=is_live)


class _Unread(io.FileIO):
    """A stream that drops what its pipe, terminal or disk does not take.

    Attributes:
        lost: Error of a full disk.
    """

    lost: ClassVar[OSError | None] = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno in _FULL:
                _Unread.lost = error
            return memoryview(data).nbytes


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _tell_loss() -> None:
    """End the process with status 1 if a full disk has not taken all of its output."""
    sys.stdout.flush()
    if _Unread.lost is not None:
        print(
            f"error: the output was not written whole: {_Unread.lost.strerror}", file=sys.stderr, flush=True
        )
        os._exit(1)
