"""Read what a W&B run left on the disk: records in LevelDB's log format, after a header of seven bytes."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32768


def records(folder: Path) -> list[Any]:
    """Return the records of the one run, which has ended, in an ``offline-run-*`` folder.

    W&B's own process may write the last of them a moment after the run ended in this one; what is not
    whole yet is read once more.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("*.wandb")
    for _ in range(100):
        read = [Record.FromString(content) for content in contents(path.read_bytes())]
        if any(record.WhichOneof("record_type") == "exit" for record in read):
            return read
        time.sleep(0.1)
    raise TimeoutError(f"{path}: the run did not end")


def contents(data: bytes) -> Iterator[bytes]:
    """Yield what the records hold, up to the last that is whole."""
    position, content = 7, b""
    while position + 7 <= len(data):
        if (left := BLOCK - position % BLOCK) < 7:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        if position + 7 + length > len(data):  # still being written
            return
        content += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield content
            content = b""


def of_kind(folder: Path, kind: str) -> list[Any]:
    return [getattr(record, kind) for record in records(folder) if record.WhichOneof("record_type") == kind]


def history(folder: Path) -> list[dict[str, Any]]:
    """Return the logged rows, without what W&B adds itself; of nested values the first level."""
    return [
        {_key(item): json.loads(item.value_json) for item in row.item if not _key(item).startswith("_")}
        for row in of_kind(folder, "history")
    ]


def summary(folder: Path) -> dict[str, Any]:
    """Return the summary after the last update."""
    updates = [item for record in of_kind(folder, "summary") for item in record.update]
    return {_key(item): json.loads(item.value_json) for item in updates}


def config(folder: Path) -> dict[str, Any]:
    """Return the config after the last update."""
    updates = [item for run in of_kind(folder, "run") for item in run.config.update]
    updates += [item for record in of_kind(folder, "config") for item in record.update]
    return {item.key: json.loads(item.value_json) for item in updates if item.key}


def _key(item: Any) -> str:
    return item.key or item.nested_key[0]
