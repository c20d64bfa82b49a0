"""Standard streams that no reader, encoding or missing descriptor can end a command by."""

import io
import os
import sys
from typing import Any


def keep_streams() -> None:
    """Let a command finish its work whoever reads its messages.

    Text that the terminal's encoding lacks is escaped, and what a closed pipe does not take is dropped.
    Closed descriptors are opened on the null device, lest a file opened later takes their place.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, this one
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stdout, sys.stderr = _kept(sys.stdout, 1), _kept(sys.stderr, 2)


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
    """A stream that drops what its pipe, terminal or disk does not take."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes
