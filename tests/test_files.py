import csv
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lowlight.files import first_line, printable, read_table, remove_leftovers, whole, write_table


def test_names_that_utf_8_cannot_hold_are_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    write_table(tmp_path / "a.csv", [{"name": name}])
    assert read_table(tmp_path / "a.csv") == [{"name": printable(name)}]


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "a.txt"
    with whole(target) as partial:
        partial.write_text("new")
        assert partial.parent == target.parent
        assert partial.name.startswith(".a.txt.")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def write_half(target: Path) -> None:
    with whole(target) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt


def test_an_error_leaves_the_earlier_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("earlier")
    with pytest.raises(KeyboardInterrupt):
        write_half(target)
    assert target.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [target]


def test_two_writers_of_a_file_each_write_it_whole(tmp_path: Path) -> None:
    target, both = tmp_path / "a.txt", threading.Barrier(2)

    def write(text: str) -> str:
        with whole(target) as partial:
            partial.write_text(text)
            both.wait()
            return partial.read_text()

    texts = ["a" * 1000, "b" * 2000]
    with ThreadPoolExecutor() as pool:
        assert [*pool.map(write, texts)] == texts
    assert target.read_text() in texts
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("letter", ["x", "ä"])
def test_the_longest_name_can_be_written(letter: str, tmp_path: Path) -> None:
    target = tmp_path / (letter * (250 // len(os.fsencode(letter))) + ".txt")
    with whole(target) as partial:
        partial.write_text("new")
    assert target.read_text() == "new"


def test_a_table_has_the_columns_of_its_first_row(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", [{"a": 1, "b": 2}, {"a": 3, "b": 4}])
    assert (tmp_path / "a.csv").read_text() == "a,b\n1,2\n3,4\n"


def test_an_error_without_words_is_named_by_its_type() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(MemoryError()) == "MemoryError"


RUN = ["=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", "''=1", "-1-1", "=HYPERLINK(0)", "--5"]
PLAIN = [
    "a",
    "",
    "1.5",
    "-1.5",
    "+3",
    "-1e-05",
    "-inf",
    "nan",
    "it's",
    "'quoted'",
    "a=1",
    "x@y",
    "ü",
    "a\n=b",
]


def test_texts_that_a_spreadsheet_would_run_are_kept_from_it_and_read_back(tmp_path: Path) -> None:
    rows = [{"=name": text, "value": -0.5} for text in (*RUN, *PLAIN)]
    write_table(tmp_path / "a.csv", rows)
    with (tmp_path / "a.csv").open(newline="") as file:
        head, *cells = csv.reader(file)
    assert head == ["'=name", "value"]
    assert [cell for cell, _ in cells] == [f"'{text}" for text in RUN] + PLAIN
    assert read_table(tmp_path / "a.csv") == [{"=name": text, "value": "-0.5"} for text in (*RUN, *PLAIN)]


@pytest.mark.parametrize("content", [b"a,b\n1\n", b"a,b\n1,2,3\n", b"a\n\xff\n"])
def test_a_damaged_table_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.csv: not a readable table"):
        read_table(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b-ü.jpg", "a b-ü.jpg"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("gpj.\u202egnp", "gpj.\\u202egnp"),
        ("\u2028", "\\u2028"),
        ("\udcff", "\\udcff"),
        ("\U0001f469\u200d\U0001f467", "\U0001f469\u200d\U0001f467"),
    ],
)
def test_control_characters_do_not_reach_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    imports = "from pathlib import Path; import os; from lowlight.files import whole"
    code = f"{imports}\nwith whole(Path('a.mp4')) as p: p.touch(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    (left,) = tmp_path.iterdir()
    kept = [tmp_path / ".lol.zip.partial", tmp_path / left.name.replace(".mp4.", ".mp4.0")]
    for path in kept:
        path.touch()
    with whole(tmp_path / "b.mp4") as running:
        running.touch()
        remove_leftovers([tmp_path, tmp_path / "missing"])
        assert sorted(tmp_path.iterdir()) == sorted([*kept, running])
