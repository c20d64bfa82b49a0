"""The tests' reader of W&B's files: read while W&B's process still writes, they give what is whole."""

import struct

from tests.loggers.wandb_file import BLOCK, contents


def chunk(kind: int, content: bytes) -> bytes:
    return struct.pack("<IHB", 0, len(content), kind) + content


def test_a_file_cut_anywhere_gives_the_records_that_are_whole() -> None:
    first, long, last = b"a" * 20, bytes(range(256)) * 200, b"b" * 30
    whole = bytes(7) + chunk(1, first)
    room = BLOCK - len(whole) - 7
    parted = whole + chunk(2, long[:room]) + chunk(4, long[room:])  # its second part in the second block
    data = parted + chunk(1, last)

    assert list(contents(data)) == [first, long, last]
    for end in [*range(7, 100), *range(BLOCK - 20, BLOCK + 20), *range(len(parted) - 20, len(data))]:
        expected = [first] * (end >= len(whole)) + [long] * (end >= len(parted))
        assert list(contents(data[:end])) == expected, end
