"""Timing: in turn, after a warm-up, within a budget."""

import time

import torch
from torch import Tensor

from lowlight.benchmark.timing import LEAST_ROUNDS, time_methods

LOW = torch.zeros(1, 3, 8, 8)


def test_methods_are_timed_in_turn_after_a_warm_up() -> None:
    calls: list[str] = []

    def method(name: str, seconds: float):  # type: ignore[no-untyped-def]
        def enhance(low: Tensor) -> Tensor:
            calls.append(name)
            time.sleep(seconds)
            return low

        return enhance

    timing = time_methods({"a": method("a", 0.001), "b": method("b", 0.2)}, LOW, rounds=4)
    assert calls == ["a", "b"] * 5
    assert timing.rounds == 4
    assert 1 <= timing.milliseconds["a"] < 200 <= timing.milliseconds["b"]
    assert "8×8 image on the CPU" in timing.describe()


def test_a_spent_budget_ends_the_rounds_but_never_before_the_least() -> None:
    timing = time_methods({"a": lambda low: low}, LOW, rounds=100, budget=0.0)
    assert timing.rounds == LEAST_ROUNDS
