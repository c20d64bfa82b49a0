"""Recipes of published networks: what is theirs beside the network, at a size that a test can train."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate

from lowlight.checkpoints import build
from lowlight.config import load_config
from lowlight.training import train
from tests.tiny import TINY
from tests.tiny_runs import Kept, KeptBatches

NAMES = ["nafnet", "retinexformer", "hvi_cidnet", "iat", "restormer", "retinexnet", "sci"]

SHORT = ["trainer=cpu", "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1", "data.batch_size=2"]
SHORT += ["data.epoch_size=4", "data.patch_size=16", "data.num_workers=0", "data.val_fraction=0.3"]


def config(name: str, *more: str) -> Any:
    return load_config([f"experiment=published/{name}", "data.root=LOL", *more])


@pytest.mark.parametrize(
    ("name", "iterations", "peak", "floor"),
    [
        ("nafnet", 200_000, 1e-3, 1e-6),
        ("retinexformer", 250_000, 2e-4, 1e-6),
        ("restormer", 300_000, 3e-4, 1e-6),
    ],
)
def test_the_number_of_iterations_and_the_rates_are_the_papers(
    name: str, iterations: int, peak: float, floor: float
) -> None:
    recipe = config(name)
    data, epochs, limit = recipe.data, recipe.trainer.max_epochs, recipe.trainer.limit_train_batches
    stages = [(one.epochs, one.batch_size) for one in data.progressive]
    stages.append((epochs - sum(length for length, _ in stages), data.batch_size))
    most = limit if limit > 1 else data.epoch_size
    batches = [length * min(data.epoch_size // size, most) for length, size in stages]
    assert sum(batches) == iterations
    assert (recipe.method.optimizer.lr, recipe.method.scheduler.floor) == (peak, floor)


def test_retinexnets_rates_drop_in_either_stage() -> None:
    recipe = config("retinexnet")
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=recipe.method.optimizer.lr)
    schedule = instantiate(recipe.method.scheduler)(optimizer)
    rates = []
    for _ in range(recipe.trainer.max_epochs):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(2 * (20 * [1e-3] + 80 * [1e-4]))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_published_recipe_trains_its_networks_on_its_batches(name: str, lol: Path, tmp_path: Path) -> None:
    stage = "data.progressive=[{epochs: 1, patch_size: 8, batch_size: 4}]"
    overrides = [*SHORT, *TINY[name], f"data.root='{lol}'", f"output_dir='{tmp_path / 'run'}'"]
    photographs = [f"data.layout.pairs='{lol}'", "data.layout.val_pairs=2", "data.resize=16"]
    more = {"restormer": [stage], "retinexnet": ["method.decomposition_epochs=1"], "sci": photographs}
    kept = [f"+callbacks.{one}._target_=tests.tiny_runs.{one}" for one in ("Kept", "KeptBatches")]
    KeptBatches.batches = []
    recipe = config(name, *overrides, *more.get(name, []), *kept)
    train(recipe)
    first, last = Kept.weights[0], Kept.weights[-1]
    weights = [key for key, _ in build(recipe.method).named_parameters()]
    moved = [key for key in weights if not torch.equal(first[key], last[key])]
    parts, trained = ({key.split(".")[1] for key in keys} for keys in (weights, moved))
    assert trained == parts
    small, large = (2, 3, 16, 16), (4, 3, 8, 8)
    batches = [(0, large)] if name == "restormer" else [(0, small)] * 2
    batches += [(1, small)] * 2
    assert [(epoch, tuple(batch["low"].shape)) for epoch, batch in KeptBatches.batches] == batches
    assert {batch["has_reference"] for _, batch in KeptBatches.batches} == {name != "sci"}
