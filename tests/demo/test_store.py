"""Temporary files are bounded in number and bytes, and go with their sessions."""

import os
import time
from pathlib import Path

import pytest

from lowlight.demo import store as module
from lowlight.demo.store import HELD, KEPT, MOST_UPLOADS, Store


def uploaded(folder: Path, name: str, size: int = 10, age: float = 0) -> Path:
    path = folder / name / "photo.png"
    path.parent.mkdir()
    path.write_bytes(bytes(size))
    for one in (path, path.parent):
        os.utime(one, (time.time() - age,) * 2)
    return path


def test_uploads_that_nobody_enhances_are_bounded_in_number(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=10**6)
    uploads = [uploaded(tmp_path, str(n), age=1000 - n) for n in range(MOST_UPLOADS + 20)]
    store.hold("mine", uploads[0])
    store.sweep()
    left = [path for path in uploads if path.exists()]
    assert left == [uploads[0], *uploads[21:]]  # the oldest go, but not before those that no session uses


def test_uploads_are_bounded_in_bytes_even_if_sessions_hold_them(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=1000)
    uploads = [uploaded(tmp_path, str(n), 300, age=100 - n) for n in range(5)]
    for number, upload in enumerate(uploads):
        store.hold(str(number), upload)
    store.sweep()
    assert [path.exists() for path in uploads] == [False, False, True, True, True]


def test_what_a_session_has_goes_with_it(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=1000)
    own, shared, other = (uploaded(tmp_path, name) for name in ("own", "shared", "other"))
    for session, uploads in (("mine", (own, shared)), ("theirs", (shared, other))):
        for upload in uploads:
            store.hold(session, upload)
    results, theirs = store.new_results("mine"), store.new_results("theirs")
    (results / "after.png").touch()
    store.drop("mine")
    assert [path.exists() for path in (own, results)] == [False, False]
    assert [path.exists() for path in (shared, other, theirs)] == [True, True, True]
    store.drop("mine")
    store.drop("theirs")
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    assert [*(tmp_path / "results").iterdir()] == []


def test_a_session_keeps_its_last_uploads_and_results_only(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=1000)
    uploads = [uploaded(tmp_path, str(n)) for n in range(HELD + 2)]
    for upload in uploads:
        store.hold("mine", upload)
    assert [path.exists() for path in uploads] == [False, False, *[True] * HELD]
    first, second = store.new_results("mine"), store.new_results("mine")
    assert not first.exists()
    assert second.exists()


def test_results_that_are_written_after_their_session_go_too(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=1000)
    results, other = store.new_results("mine"), store.new_results("theirs")
    store.drop("mine")
    (results / "1").mkdir(parents=True)  # as a photograph is written
    (results / "1" / "after.png").touch()
    store.sweep()
    assert not results.exists()
    assert other.exists()


def test_results_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RESULTS", 1000)
    store = Store(tmp_path, max_bytes=1000)
    folders = [store.new_results(str(n)) for n in range(3)]
    for folder, size in zip(folders, (400, 400, 700), strict=True):
        (folder / "after.png").write_bytes(bytes(size))
    store.sweep()
    assert [folder.exists() for folder in folders] == [False, False, True]


def test_results_go_an_hour_after_the_last_was_written(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=1000)
    old, new = store.new_results("mine"), store.new_results("theirs")
    for folder, age in ((old, KEPT + 60), (new, KEPT - 60)):
        (folder / "network.npy").touch()
        os.utime(folder, (time.time() - age,) * 2)
    store.sweep()
    assert [old.exists(), new.exists()] == [False, True]
    assert store.new_results("mine").exists()


def test_partial_uploads_are_deleted_once_they_stall(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=1000)
    stalled, running = tmp_path / "tmp1", tmp_path / "tmp2"
    for path, age in ((stalled, 100), (running, 0)):
        path.write_bytes(b"part")
        os.utime(path, (time.time() - age,) * 2)
    store.sweep()
    assert not stalled.exists()
    assert running.exists()


def test_files_elsewhere_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    outside = uploaded(tmp_path, "outside")
    store = Store(tmp_path / "store", max_bytes=0)
    store.hold("mine", outside)
    store.drop("mine")
    store.sweep()
    assert outside.exists()
