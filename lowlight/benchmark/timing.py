"""Timing of methods in turn, so that other load on the machine affects all of them alike."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_ROUNDS = 3


@dataclass(frozen=True)
class Timing:
    """Time per method for one image, and how it was measured."""

    milliseconds: dict[str, float]
    rounds: int
    shape: tuple[int, ...]
    threads: int
    device: str

    def describe(self) -> str:
        """Return one sentence on how the times were measured."""
        height, width = self.shape[-2:]
        where = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        if self.device != "cpu":
            where = torch.cuda.get_device_name(self.device) if "cuda" in self.device else self.device
        else:
            where = f"the CPU with {where}"
        return (
            f"Time is the median of {self.rounds} rounds over one {width}×{height} image on {where}, "
            f"torch {torch.__version__}; all methods were timed in turn in one process after a warm-up."
        )


def time_methods(
    methods: Mapping[str, Callable[[Tensor], Tensor]], low: Tensor, *, rounds: int = 15, budget: float = 60.0
) -> Timing:
    """Return each method's median time to enhance an image, measured in turn.

    Args:
        methods: Functions that enhance an image, keyed by label.
        low: Images of shape (B, 3, H, W) in [0, 1], on the device to measure.
        rounds: Timed calls of each method, after one warm-up call.
        budget: Seconds after which no further round starts, once three are done.
    """
    elapsed = time_in_turn(methods, low, rounds=rounds, budget=budget)
    return Timing(
        milliseconds={label: 1000 * statistics.median(seconds) for label, seconds in elapsed.items()},
        rounds=max(map(len, elapsed.values()), default=0),
        shape=tuple(low.shape),
        threads=torch.get_num_threads(),
        device=str(low.device),
    )


def time_in_turn(
    methods: Mapping[str, Callable[[Tensor], object]], low: Tensor, *, rounds: int, budget: float = math.inf
) -> dict[str, list[float]]:
    """Return each method's seconds per round, after a warm-up call; see :func:`time_methods`."""
    elapsed: dict[str, list[float]] = {label: [] for label in methods}
    begin = time.perf_counter()
    with torch.inference_mode():
        for enhance in methods.values():
            enhance(low)
        for done in range(rounds):
            if done >= LEAST_ROUNDS and time.perf_counter() - begin > budget:
                break
            for label, enhance in methods.items():
                _wait_for(low.device)
                start = time.perf_counter()
                enhance(low)
                _wait_for(low.device)
                elapsed[label].append(time.perf_counter() - start)
    return elapsed


def _wait_for(device: torch.device) -> None:
    """Wait until an accelerator has finished its queued work; the CPU has no queue."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
