"""The number of loader processes fits the machine."""

import logging
import sys
from pathlib import Path

import pytest

import lowlight.data.workers
from lowlight.data.workers import HANDLES_OF_THE_REST, HANDLES_PER_WORKER, SHARED_PER_WORKER, usable_workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's shared memory and limits")


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Soft and hard limit of open files, as the process sees and sets them."""
    import resource

    values = [10**6, 10**6]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(values))
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: values.__setitem__(slice(None), new))
    return values


def test_as_many_as_wanted_run_where_they_can(limits: list[int], tmp_path: Path) -> None:
    assert usable_workers(2, tmp_path) == 2
    limits[:] = [40, 4096]
    assert usable_workers(3, tmp_path) == 3
    assert limits == [HANDLES_OF_THE_REST + 3 * HANDLES_PER_WORKER, 4096]


def test_without_shared_memory_the_images_are_read_in_this_process(
    limits: list[int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert usable_workers(2, tmp_path / "none") == 0
        assert usable_workers(0, tmp_path / "none") == 0
    [record] = caplog.records
    assert "data.num_workers=2 is lowered to 0" in record.getMessage()


def test_little_shared_memory_or_few_handles_mean_fewer(
    limits: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lowlight.data.workers, "_room", lambda _: 3 * SHARED_PER_WORKER)
    assert usable_workers(8, tmp_path) == 3
    limits[:] = [64, 64]
    assert usable_workers(8, tmp_path) == 2
