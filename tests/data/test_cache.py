"""Decoded arrays are kept, found again, mended, and never needed."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lowlight.data.cache
from lowlight.data import ArrayCache, default_cache_dir


class Builder:
    """An array that counts how often it is built."""

    calls = 0

    def __call__(self) -> NDArray[np.uint8]:
        self.calls += 1
        return np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)


@pytest.fixture
def build() -> Builder:
    return Builder()


def test_an_entry_is_built_once_and_mapped_afterwards(tmp_path: Path, build: Builder) -> None:
    first = ArrayCache(tmp_path).load("a", build)
    second = ArrayCache(tmp_path).load("a", build)
    assert build.calls == 1
    assert isinstance(second, np.memmap)
    assert (first == second).all()


def test_another_key_is_another_entry(tmp_path: Path, build: Builder) -> None:
    cache = ArrayCache(tmp_path)
    cache.load("a", build)
    cache.load("b", build)
    assert build.calls == 2


@pytest.mark.parametrize("keep", [0, 5, 100, 130])
def test_a_truncated_entry_is_built_again(tmp_path: Path, build: Builder, keep: int) -> None:
    cache = ArrayCache(tmp_path)
    expected = cache.load("a", build)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:keep])
    assert (cache.load("a", build) == expected).all()
    assert (cache.load("a", build) == expected).all()
    assert build.calls == 2


def test_flipped_bytes_are_noticed_wherever_they_are(tmp_path: Path, build: Builder) -> None:
    expected = ArrayCache(tmp_path).load("a", build)
    (entry,) = tmp_path.iterdir()
    whole = entry.read_bytes()
    for place in range(len(whole)):
        for bits in (1, 0x80):
            entry.write_bytes(whole[:place] + bytes([whole[place] ^ bits]) + whole[place + 1 :])
            build.calls = 0
            assert (ArrayCache(tmp_path).load("a", build) == expected).all()
            assert build.calls == 1
            assert entry.read_bytes() == whole


def test_an_entry_whose_header_is_damaged_while_it_is_used_is_built_again(
    tmp_path: Path, build: Builder
) -> None:
    cache = ArrayCache(tmp_path)
    expected = np.array(cache.load("a", build))
    (entry,) = tmp_path.iterdir()
    whole = entry.read_bytes()
    for place in range(10, 60):
        damaged = whole[:place] + b"(" + whole[place + 1 :]
        entry.write_bytes(damaged)
        build.calls = 0
        assert (cache.load("a", build) == expected).all(), place
        assert build.calls == (damaged != whole), place
        assert entry.read_bytes() == whole, place


def test_the_checksum_is_compared_once(
    tmp_path: Path, build: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[Path] = []
    ArrayCache(tmp_path).load("a", build)
    monkeypatch.setattr(lowlight.data.cache, "_check", compared.append)
    cache = ArrayCache(tmp_path)
    for _ in range(3):
        cache.load("a", build)
    assert len(compared) == 1


def test_a_folder_that_cannot_be_written_costs_one_warning(
    tmp_path: Path, build: Builder, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    cache = ArrayCache(tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING, "lowlight"):
        arrays = [cache.load(key, build) for key in "aabc"]
    assert build.calls == len(arrays) == 4
    assert len(caplog.records) == 1
    assert "set data.cache_dir to a folder with space" in caplog.text


def test_a_full_disk_costs_one_warning_and_leaves_nothing(
    tmp_path: Path, build: Builder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    cache = ArrayCache(tmp_path)
    cache.load("a", build)
    cache.load("b", build)
    assert list(tmp_path.iterdir()) == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_without_a_folder_nothing_is_kept(build: Builder) -> None:
    cache = ArrayCache(None)
    cache.load("a", build)
    cache.load("a", build)
    assert build.calls == 2


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.setenv("LOCALAPPDATA", "/caches")
    assert default_cache_dir() == Path("/caches/lowlight")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("LOCALAPPDATA")
    assert default_cache_dir() == Path.home() / ".cache" / "lowlight"


def test_threads_read_headers_one_at_a_time(
    tmp_path: Path, build: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[int] = []
    most: list[int] = []
    open_memmap = lowlight.data.cache.open_memmap

    def watched(*args: Any, **kwargs: Any) -> Any:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.001)
        try:
            return open_memmap(*args, **kwargs)
        finally:
            inside.pop()

    cache = ArrayCache(tmp_path)
    cache.load("a", build)
    monkeypatch.setattr(lowlight.data.cache, "open_memmap", watched)
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(lambda _: cache.load("a", build), range(16)))) == 16
    assert most == [1] * 16  # the parser of Python 3.11 is not safe in threads


def test_without_a_home_nothing_is_stored_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, build: Builder
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert default_cache_dir() is None
    assert "set data.cache_dir" in caplog.text
    assert ArrayCache(default_cache_dir()).load("a", build).size == 24
