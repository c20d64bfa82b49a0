import os
import threading
from pathlib import Path

import pytest

from lowlight.files import first_line, whole, write_table


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

    def write(text: str) -> None:
        with whole(target) as partial:
            partial.write_text(text)
            both.wait()

    writers = [threading.Thread(target=write, args=(text * 1000,)) for text in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert target.read_text() in ("a" * 1000, "b" * 1000)
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
