"""The order of training samples, which resumes exactly."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch.utils.data import Dataset
from torch.utils.data.distributed import DistributedSampler

from lowlight.data.dataset import Key, PairDataset
from lowlight.data.pairs import set_of

_BLOCK = 2**16
"""Places of the order that are counted at a time, to bound the memory."""


class EpochSampler(DistributedSampler[Key]):
    """A shuffled order of keys (seed, pass, index), on which alone a sample depends.

    Every pass over the pairs has an order of its own; an epoch is the next ``samples`` keys, by default one
    pass, shared among the ranks of ``torch.distributed``. With weights, each set of pairs has its own passes,
    and the sets take turns so that their shares hold in any stretch of samples. As it is a
    ``DistributedSampler``, Lightning sets its epoch and does not replace it under DDP, even with
    ``use_distributed_sampler``.

    Args:
        dataset: The pairs.
        seed: Seed of the orders.
        samples: Samples per epoch, all ranks together.
        weights: Weight of each set in the samples, by its name; by default all pairs are one set. A set
            without pairs, such as one of test images only, has no turns.
    """

    def __init__(
        self,
        dataset: PairDataset,
        seed: int,
        samples: int | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        active = dist.is_available() and dist.is_initialized()
        ranks, rank = (dist.get_world_size(), dist.get_rank()) if active else (1, 0)
        epoch = range(samples or len(dataset))  # divided among the ranks
        super().__init__(cast("Dataset[Any]", epoch), num_replicas=ranks, rank=rank, shuffle=False, seed=seed)
        self.sets = [list(range(len(dataset)))]
        self.weights = [1.0]
        if weights:
            names = [set_of(item.name) for item in dataset.items]
            own = {name: [index for index, other in enumerate(names) if other == name] for name in weights}
            self.sets = [pairs for pairs in own.values() if pairs]
            self.weights = [weights[name] for name, pairs in own.items() if pairs]

    def __iter__(self) -> Iterator[Key]:
        length = len(cast("range", self.dataset))
        places = np.array(list(cast("Iterator[int]", super().__iter__())), int)
        sets, turns = take_turns(self.weights, self.epoch * length, length)
        orders: dict[tuple[int, int], list[int]] = {}
        for chosen, taken in zip(sets[places].tolist(), turns[places].tolist(), strict=True):
            pairs = self.sets[chosen]
            number, index = divmod(taken, len(pairs))
            if (chosen, number) not in orders:
                generator = torch.Generator().manual_seed(self.seed + number)
                orders[chosen, number] = torch.randperm(len(pairs), generator=generator).tolist()
            yield self.seed, number, pairs[orders[chosen, number][index]]


def take_turns(
    weights: Sequence[float], first: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide a sequence among sets by their weights, evenly in any stretch of it.

    Args:
        weights: Weight of each set.
        first: First place of the sequence to return.
        count: Number of places to return.

    Returns:
        The set of each of these places, and how many earlier places are of that set.

    Reference:
        The places are mapped to [0, 1) by multiples of the golden ratio, whose discrepancy is low.
    """
    ends = np.cumsum(weights) / np.sum(weights)

    def sets_of(start: int, stop: int) -> NDArray[np.int64]:
        places = (np.arange(start, stop) * ((5**0.5 - 1) / 2)) % 1
        return np.searchsorted(ends[:-1], places, side="right")

    taken = np.zeros(len(weights), np.int64)
    for start in range(0, first, _BLOCK):
        taken += np.bincount(sets_of(start, min(start + _BLOCK, first)), minlength=len(weights))
    sets = sets_of(first, first + count)
    turns = np.zeros(count, np.int64)
    for number in range(len(weights)):
        own = sets == number
        turns[own] = taken[number] + np.arange(np.count_nonzero(own))
    return sets, turns
