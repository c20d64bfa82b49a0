"""Time methods side by side, so that a busy moment of the machine hits all of them alike."""

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
    """How long each method takes for one image, and how that was measured."""

    milliseconds: dict[str, float]
    rounds: int
    shape: tuple[int, ...]
    threads: int
    device: str

    def describe(self) -> str:
        """Say in one sentence what the times mean."""
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
    """Measure the median time each method takes to enhance an image, method by method in turn.

    Args:
        methods: What enhances an image, by label.
        low: Images of shape (B, 3, H, W) in [0, 1], on the device to measure.
        rounds: How often each method is timed, after one call that is not.
        budget: Seconds after which no round is begun once three are done.
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
    """Return the seconds that each method takes in each round, after one call that is not timed.

    The arguments are those of :func:`time_methods`.
    """
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
    """Wait until an accelerator has done its queued work; the CPU queues none."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
