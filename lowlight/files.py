"""Files written whole or not at all, tables and JSON, and errors in one line."""

import csv
import io
import json
import math
import os
import platform
import re
import threading
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

_LONGEST_NAME = 255
"""Longest file name of common file systems, in bytes."""

_DEEPEST = 64
"""Deepest nesting of a YAML file."""

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control, surrogate, and separators of lines and paragraphs."""

_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the text after them."""


_HOST = f"{zlib.crc32(platform.node().encode()):08x}"
"""This machine, in the names of hidden files."""

_PARTIAL = re.compile(r"\.(?P<host>[0-9a-f]{8})-(?P<process>\d+)-\d+\.partial$")
"""Ending of the hidden files of :func:`whole`."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all: yield a hidden path beside it, moved over it if the block succeeds.

    The folder is created where it is missing. An error leaves ``path`` as it was; a killed process may leave
    the hidden file. Its name holds process and thread, so that several writers of one file do not mix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    end = f".{_HOST}-{os.getpid()}-{threading.get_native_id()}.partial"
    name = os.fsencode(f".{path.name}")[: _LONGEST_NAME - len(end)].decode(errors="ignore")
    partial = path.with_name(name + end)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove the hidden files that processes of this machine, killed inside :func:`whole`, left in folders.

    Files of running processes, and of other machines that share the disk, are kept.

    Args:
        folders: Folders, not searched any deeper.
    """
    for folder in folders:
        for partial in folder.glob(".*.partial") if folder.is_dir() else ():
            found = _PARTIAL.search(partial.name)
            if found and found["host"] == _HOST and not _is_running(int(found["process"])):
                partial.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all; of file names, see :func:`encodable`."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def encodable(text: str) -> str:
    """Return a text with what UTF-8 cannot hold escaped: bytes of file names in other encodings."""
    return text.encode(errors="backslashreplace").decode()


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write rows as CSV, whole or not at all; by default with the columns of the first row."""
    columns = columns or list(rows[0])
    write_text(path, to_csv([columns, *([row.get(column, "") for column in columns] for row in rows)]))


def to_csv(rows: Iterable[Iterable[Any]]) -> str:
    """Format rows as CSV; a text that a spreadsheet would run is preceded by an apostrophe.

    Such a text begins with ``=``, ``+``, ``-``, ``@`` or white space, and is no number. :func:`read_table`
    removes the apostrophe.
    """
    lines = []
    for row in rows:
        line = io.StringIO()
        writer = csv.writer(line, lineterminator="\r\n")  # so that cells with either are quoted
        writer.writerow([_guarded(cell) if isinstance(cell, str) else cell for cell in row])
        lines.append(line.getvalue().removesuffix("\r\n") + "\n")
    return "".join(lines)


def read_table(path: Path) -> list[dict[str, str]]:
    """Read the rows of a file of :func:`write_table` as texts, keyed by column.

    A byte-order mark, which spreadsheets write, is no part of the first column.

    Raises:
        ValueError: If it is no CSV file, or a row is longer or shorter than the head.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head, *rows = [[_unguarded(cell) for cell in row] for row in csv.reader(file) if row] or [[]]
        if any(len(row) != len(head) for row in rows):
            raise ValueError("its rows differ in length")
        return [dict(zip(head, row, strict=True)) for row in rows]
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path}: not a readable table ({error})") from error


def _guarded(text: str) -> str:
    return f"'{text}" if _is_run(text) else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and _is_run(text) else text


def _is_run(text: str) -> bool:
    """Return whether a spreadsheet would run a text, or would without the apostrophes it begins with."""
    text = text.lstrip("'")
    if not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", " ")):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a mapping as JSON, see :func:`json_text`."""
    write_text(path, json_text(values) + "\n")


def json_text(values: Any) -> str:
    """Return values as indented JSON; non-finite floats become the strings Infinity, -Infinity and NaN."""
    return json.dumps(_valid(values), indent=2, allow_nan=False)


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of :func:`write_json`; non-finite floats stay strings, which ``float`` accepts.

    Raises:
        ValueError: If the file is missing or no JSON.
    """
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable ({error}); the run in this folder is not whole") from error
    return cast(dict[str, Any], values)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping, such as the config of a run, as plain containers; no interpolation is resolved.

    Raises:
        ValueError: If it is missing, no YAML mapping, nested too deeply or uses anchors, which can make a
            small file fill the memory, or tags.
    """
    import yaml  # type: ignore[import-untyped]  # comes with omegaconf
    from omegaconf import OmegaConf

    try:
        depth = 0
        for event in yaml.parse(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST or isinstance(event, yaml.AliasEvent):
                raise ValueError("anchors are not read" if depth <= _DEEPEST else "nested too deeply")
            if depth == 0 and isinstance(event, yaml.ScalarEvent):
                raise ValueError("not a mapping")  # OmegaConf takes a text for a key
        content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        if not isinstance(content, dict):
            raise ValueError("not a mapping")
    except Exception as error:  # the YAML parser's and OmegaConf's errors share no base
        raise ValueError(f"{path}: not a readable config ({shortened(str(error))})") from error
    return {str(key): value for key, value in content.items()}


def _valid(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _valid(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_valid(child) for child in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def reason(error: BaseException) -> str:
    """Return an error's message in one line, after its type where the message was not meant for users."""
    message = " ".join(str(error).split())
    if message and isinstance(error, ValueError | OSError | MemoryError | RuntimeError):
        return message
    return f"{type(error).__name__}: {message}".removesuffix(": ")


def last_parts(paths: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Return the last part of each path; of those that end alike, or as a name that is taken, the whole."""
    lasts = [Path(path).absolute().name for path in paths]
    known = [*lasts, *taken]
    return [path if known.count(last) > 1 else last for path, last in zip(paths, lasts, strict=True)]


def shortened(text: str, most: int = 200) -> str:
    """Return a text in one line, cut to a length in characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]} ..."


def printable(text: str) -> str:
    """Return a text for a terminal, with control characters, and those that reorder text, escaped.

    File names and the words of strangers' files may hold sequences that move the cursor, set the title or
    hide what follows.
    """
    return "".join(
        char.encode("unicode_escape").decode()
        if char in _REORDERING or unicodedata.category(char) in _UNPRINTABLE
        else char
        for char in text
    )


def user_cache_folder() -> Path | None:
    """Return lowlight's folder in ``$XDG_CACHE_HOME``, ``%LOCALAPPDATA%`` or ``~/.cache``; None if none.

    Not by platformdirs, whose other folders on macOS and Windows would leave the caches there behind.
    """
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "lowlight"
    except RuntimeError:  # neither $HOME nor an entry of the user
        return None


def exists(path: Path) -> bool:
    """Return whether there is a file or folder; False if it cannot be found out."""
    try:
        return path.exists()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Return whether there is a folder; False if that cannot be found out."""
    try:
        return path.is_dir()
    except OSError:
        return False


def check_folder(folder: Path, option: str = "--out") -> None:
    """Refuse a folder to write to that is a file, or lies below one.

    Args:
        folder: The folder, which need not exist.
        option: What it was given by, for the message.

    Raises:
        ValueError: Naming the file.
    """
    place = next((place for place in (folder, *folder.parents) if exists(place)), folder)
    if exists(place) and not is_folder(place):
        raise ValueError(f"{place}: a file, not a folder; give another {option}")
