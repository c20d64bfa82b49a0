import shutil
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import nn

from lowlight.data import PairDataModule
from lowlight.data.mixup import mix
from lowlight.data.progressive import Stage, read_stages, stage_of
from lowlight.images import Batch
from lowlight.methods import Supervised


def test_stages_follow_each_other_and_end() -> None:
    first, second = (
        {"epochs": 2, "patch_size": 64, "batch_size": 8},
        {"epochs": 1, "patch_size": 96, "batch_size": 4},
    )
    stages = read_stages([first, second])
    found = [stage_of(stages, epoch) for epoch in range(5)]
    assert found == [Stage(2, 64, 8), Stage(2, 64, 8), Stage(1, 96, 4), None, None]
    assert read_stages([first | {"patch_size": None}]) == [Stage(2, None, 8)]
    assert read_stages([first | {"resize": 128}]) == [Stage(2, 64, 8, resize=128)]
    assert stage_of(read_stages([first | {"epochs": 0}, second]), 0) == Stage(1, 96, 4)
    assert read_stages(None) == read_stages([]) == []
    assert stage_of([], 0) is None


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"epochs": 1, "patch_size": 64}], "is no list of stages such as"),
        ([{"epochs": 1, "patch_size": 64, "batch": 1}], "is no list of stages such as"),
        ([3], "is no list of stages such as"),
        ([{"epochs": None, "patch_size": 64, "batch_size": 1}], "epochs=None must be a whole number"),
        ([{"epochs": -1, "patch_size": 64, "batch_size": 1}], "epochs=-1 must be a whole number"),
        ([{"epochs": 1, "patch_size": 6.4, "batch_size": 1}], "patch_size=6.4 must be a whole number"),
        ([{"epochs": 1, "patch_size": 64, "batch_size": 1, "resize": 0}], "resize=0 must be a whole number"),
        ({"epochs": 1, "patch_size": 64, "batch_size": 1}, "is no list of stages such as"),
    ],
)
def test_other_stages_are_refused(stages: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PairDataModule(progressive=stages)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stage_can_have_a_size_of_its_own(lol: Path, workers: int) -> None:
    stage = {"epochs": 1, "patch_size": None, "batch_size": 2, "resize": 24}
    data = PairDataModule(
        lol, progressive=[stage], patch_size=16, batch_size=1, val_fraction=0, num_workers=workers
    )
    data.setup("fit")
    assert next(iter(data.train_dataloader()))["low"].shape == (2, 3, 24, 24)
    data._next_epoch = lambda: 1  # type: ignore[method-assign]  # the stage is over
    assert next(iter(data.train_dataloader()))["low"].shape == (1, 3, 16, 16)


def test_sizes_that_do_not_fit_a_later_batch_are_told_before_training(lol: Path, tmp_path: Path) -> None:
    root = shutil.copytree(lol, tmp_path / "LOL")
    for role in ("low", "high"):
        path = root / "our485" / role / "3.png"
        Image.open(path).resize((40, 40)).save(path)
    settings: dict[str, Any] = {
        "progressive": [{"epochs": 1, "patch_size": None, "batch_size": 2, "resize": 24}],
        "patch_size": None,
        "val_fraction": 0,
    }
    with pytest.raises(
        ValueError, match=r"images of a batch differ in size \(.*LOL/3 is 40x40.*batch_size=1"
    ):
        PairDataModule(root, batch_size=2, **settings).setup("fit")
    PairDataModule(root, batch_size=1, **settings).setup("fit")
    settings["progressive"].append({"epochs": 1, "patch_size": None, "batch_size": 2})
    with pytest.raises(ValueError, match="images of a batch differ in size"):
        PairDataModule(root, batch_size=1, **settings).setup("fit")
    settings["progressive"][-1]["epochs"] = 0  # which leaves it out
    PairDataModule(root, batch_size=1, **settings).setup("fit")


def test_pairs_are_mixed_with_another_by_one_weight_each() -> None:
    torch.manual_seed(0)
    low = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2) / 4
    batch: Batch = {"low": low, "high": 1 - low, "name": list("abcd")}
    mixed = mix(batch, 1.2)
    assert torch.allclose(mixed["high"], 1 - mixed["low"], atol=1e-6)
    assert not torch.equal(mixed["low"], low)
    weights = (mixed["low"] - low.roll(1, 0)) / (low - low.roll(1, 0))
    assert torch.allclose(weights, weights[:, :1, :1, :1].expand_as(weights), atol=1e-5)
    assert 0 < weights.min() < weights.max() < 1
    assert mixed["name"] == list("abcd")


def test_the_weights_have_the_variance_of_the_beta_distribution() -> None:
    torch.manual_seed(0)
    low = torch.tensor([0.0, 1.0]).repeat(5000).view(-1, 1, 1, 1).expand(-1, 3, 1, 1)
    weights = mix({"low": low, "high": low, "name": ""}, 1.2)["low"][1::2, 0, 0, 0]
    assert weights.mean().item() == pytest.approx(0.5, abs=0.02)
    assert weights.var().item() == pytest.approx(1 / (4 * (2 * 1.2 + 1)), abs=0.005)


def test_a_lone_pair_stays_as_it_is() -> None:
    low = torch.rand(1, 3, 4, 4)
    assert torch.allclose(mix({"low": low, "high": low, "name": "a"}, 0.4)["low"], low)


def test_a_concentration_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match=r"data\.mixup=0 must be positive"):
        PairDataModule(mixup=0)


def test_a_trainer_that_asks_for_one_loader_only_is_refused(lol: Path) -> None:
    data = PairDataModule(lol, progressive=[{"epochs": 1, "patch_size": 16, "batch_size": 2}], val_fraction=0)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_epochs=1)
    with pytest.raises(ValueError, match="reload_dataloaders_every_n_epochs=1"):
        trainer.fit(Supervised(nn.Conv2d(3, 3, 1)), datamodule=data)


def test_a_blend_says_as_its_images_whether_it_has_references_and_has_no_label() -> None:
    low = torch.rand(2, 3, 4, 4)
    batch = {"low": low, "high": low, "name": ["a", "b"], "has_reference": False, "label": torch.ones(2)}
    mixed = mix(batch, 1.2)  # type: ignore[arg-type]
    assert mixed["has_reference"] is False
    assert "label" not in mixed
