"""The order of training samples covers all pairs, by weights, and depends on seed and epoch alone."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lowlight.data import EpochSampler, FilePair, PairDataset, PairedFolder

Write = Callable[..., Path]


@pytest.fixture
def items(write_pairs: Write) -> list[FilePair]:
    return PairedFolder(write_pairs(size=(40, 32))).items("train", "LOL")  # type: ignore[return-value]


def test_the_sampler_shuffles_each_epoch_and_covers_all(items: list[FilePair]) -> None:
    sampler = EpochSampler(PairDataset(items * 5), seed=7)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert [key[:2] for key in first + second] == [(7, 0)] * 20 + [(7, 1)] * 20
    assert sorted(key[2] for key in first) == list(range(20))
    assert [key[2] for key in first] != [key[2] for key in second]
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_epochs_of_a_size_go_through_the_pairs_pass_after_pass(items: list[FilePair]) -> None:
    dataset = PairDataset(items * 5)
    count = len(dataset)
    sampler = EpochSampler(dataset, seed=7, samples=count - 2)
    keys = []
    for epoch in range(4):
        sampler.set_epoch(epoch)
        assert len(sampler) == count - 2
        keys += list(sampler)
    assert len(set(keys)) == len(keys)  # no sample, crop and turn included, comes twice
    whole = EpochSampler(dataset, seed=7)
    for number in range(3):
        whole.set_epoch(number)
        assert keys[number * count : (number + 1) * count] == list(whole)


def test_sets_take_turns_by_their_weights_each_in_its_own_passes(items: list[FilePair]) -> None:
    pairs = [replace(item, name=f"{name}/{number}") for name in "ab" for number, item in enumerate(items * 2)]
    sampler = EpochSampler(PairDataset(pairs[: len(items) * 3]), seed=7, samples=30, weights={"a": 1, "b": 2})
    keys = []
    for epoch in range(8):
        sampler.set_epoch(epoch)
        keys += list(sampler)
    assert len(set(keys)) == len(keys) == 240
    is_b = np.array([index >= 2 * len(items) for _, _, index in keys])
    assert is_b.sum() == pytest.approx(160, abs=2)
    for start in range(0, 240, 12):  # in any stretch
        assert is_b[start : start + 12].sum() == pytest.approx(8, abs=1.5)
    for own in (is_b, ~is_b):
        taken = [index for (_, _, index), ours in zip(keys, own, strict=True) if ours]
        count = len(set(taken))
        assert all(len(set(taken[one : one + count])) == count for one in range(0, len(taken) - count, count))
    sampler.set_epoch(3)
    assert list(sampler) == keys[90:120]


def test_a_set_without_training_pairs_has_no_turns(items: list[FilePair]) -> None:
    dataset = PairDataset([replace(item, name=f"a/{number}") for number, item in enumerate(items)])
    alone = list(EpochSampler(dataset, 7, 10, {"a": 1}))
    assert list(EpochSampler(dataset, 7, 10, {"only tests": 5, "a": 1})) == alone


def test_a_late_epoch_takes_no_more_memory(items: list[FilePair]) -> None:
    sampler = EpochSampler(PairDataset(items * 5), seed=7)
    sampler.set_epoch(100_000)
    tracemalloc.start()
    keys = list(sampler)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sorted(index for _, _, index in keys) == list(range(20))
    assert {number for _, number, _ in keys} == {100_000}
    assert peak < 10_000_000


def test_ranks_share_an_epoch(items: list[FilePair], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = PairDataset(items * 5)
    alone = sorted(EpochSampler(dataset, 0))
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        shares.append(list(EpochSampler(dataset, 0)))
    assert sorted(shares[0] + shares[1]) == alone
