"""Runtimes other than torch compute with as many threads as torch is told to, whether it is loaded or not."""

import os
import sys

import pytest
import torch

from lowlight.runtimes.threads import thread_count


def test_what_torch_was_told_counts() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        assert thread_count() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"OMP_NUM_THREADS": "7"}, 7),
        ({"OMP_NUM_THREADS": " 3,2 "}, 3),
        ({"MKL_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": "6", "MKL_NUM_THREADS": "5"}, 6),
    ],
)
def test_the_environment_limits_threads(
    limits: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, limits.get(name, ""))
    assert thread_count() == expected


@pytest.mark.parametrize("broken", ["", "0", "-1", "many", "1.5"])
def test_a_broken_limit_is_none(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("OMP_NUM_THREADS", broken)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert 1 <= thread_count() <= (os.cpu_count() or 1)
