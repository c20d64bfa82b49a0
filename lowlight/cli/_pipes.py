"""Standard input and output in place of files: ``-`` for a photograph, or for a list of names."""

import codecs
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lowlight.inference.settings import Outcome

PIPE = Path("-")
"""Stands for standard input among the inputs, and for standard output as the output."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
"""Byte-order marks, and the encodings of lists that begin with them."""


@dataclass(frozen=True)
class Places:
    """Where a command reads and writes.

    Attributes:
        paths: Files and folders to read.
        out: File or folder to write.
        temporary: Folder of the files that stand for the pipes.
    """

    paths: list[Path]
    out: Path
    temporary: Path

    def named(self, outcome: Outcome) -> Outcome:
        """Return an outcome with ``-`` in place of the temporary files."""
        names = {path: PIPE for path in (outcome.source, outcome.target) if self.temporary in path.parents}
        reason = outcome.reason
        for path in names:
            reason = reason and reason.replace(str(path), str(PIPE))
        source, target = (names.get(path, path) for path in (outcome.source, outcome.target))
        return replace(outcome, source=source, target=target, reason=reason)


@contextmanager
def places(paths: Sequence[Path], out: Path) -> Iterator[Places]:
    """Give the block files in place of pipes.

    A photograph on standard input is copied to a temporary file. What goes to standard output is written to a
    temporary folder and passed on when the block ends, unless it raises.

    Args:
        paths: What is to be read; ``-`` for a photograph, or for a list of files and folders, one per line or
            separated by NUL.
        out: The file or folder to write; ``-`` for standard output.

    Raises:
        ValueError: If standard output is a terminal, or a list's encoding is unknown.
    """
    if out == PIPE and sys.stdout.isatty():
        raise ValueError("--out - writes the photograph to standard output: redirect it, > bright.png")
    with tempfile.TemporaryDirectory(prefix="lowlight-") as folder:
        temporary = Path(folder)
        read: list[Path] = []
        for path in paths:
            read += _standard_input(temporary) if path == PIPE else [path]
        yield Places(read, temporary / "out" if out == PIPE else out, temporary)
        for file in (temporary / "out").rglob("*"):
            if file.is_file():
                with file.open("rb") as written:
                    shutil.copyfileobj(written, sys.stdout.buffer)
                sys.stdout.flush()


def _standard_input(folder: Path) -> list[Path]:
    """Return the names that standard input lists, or the file that its photograph is copied to."""
    from lowlight.decoding.reading import suffix_in

    content = sys.stdin.buffer.read()
    suffix = suffix_in(io.BytesIO(content))
    if suffix is None:
        return [Path(name) for name in _names(content)]
    file = folder / f"photograph{suffix}"
    file.write_bytes(content)
    return [file]


def _names(content: bytes) -> list[str]:
    """Read a list of file names: in UTF-16 or UTF-32 with a byte-order mark, else as file names are encoded.

    Raises:
        ValueError: If it looks like UTF-16 without a mark, or is none in spite of it.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    try:
        text = content.decode(encoding) if encoding else os.fsdecode(content)
    except UnicodeDecodeError:
        raise ValueError(
            f"the list on standard input is no {encoding}, as it begins; write it in UTF-8"
        ) from None
    names = text.split("\0") if "\0" in text else text.split("\n")
    names = names if names[-1] else names[:-1]
    if "\0" in text:
        parities = {place % 2 for place, letter in enumerate(text) if letter == "\0"}
        broken = any(not name or name.strip("\r\n") != name for name in names)
        if broken or (len(parities) == 1 and min(map(len, names)) == 1):
            raise ValueError("the list on standard input looks like UTF-16 or is no text; write it in UTF-8")
    elif all(name.endswith("\r") for name in names):  # as Windows ends lines
        names = [name.removesuffix("\r") for name in names]
    return [name for name in names if name]
