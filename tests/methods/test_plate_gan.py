"""The GAN of plates trains restorer and classifiers at once, and reports how it classifies."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from lowlight.config import load_config
from lowlight.data import DrawnPlates, PairDataModule
from lowlight.data.plate_problems import PROBLEMS
from lowlight.images import Batch
from lowlight.methods import PlateGAN
from lowlight.networks import Autoencoder, PatchGAN
from tests.tiny import tiny


def plate_gan(*overrides: str) -> PlateGAN:
    method = tiny("plate_gan", *overrides)
    assert isinstance(method, PlateGAN)
    return method


def batch(**label: torch.Tensor) -> Batch:
    generator = torch.Generator().manual_seed(0)
    high = torch.rand(4, 3, 32, 64, generator=generator)
    return {"low": high / 4, "high": high, "name": list("abcd"), **label}  # type: ignore[typeddict-item]


def test_the_classes_are_those_of_the_data() -> None:
    assert tuple(load_config(["method=plate_gan"]).method.net.problems) == PROBLEMS


@pytest.mark.slow
def test_the_classifiers_learn_the_labels_and_leave_the_generator_alone() -> None:
    method = plate_gan("method.classification_weight=1", "method.pixel_weight=0").train()
    labelled = batch(label=torch.tensor([1, 2, 1, 2]))
    optimizer = torch.optim.Adam(method.net.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        method.loss(labelled["low"], labelled)  # the raw output does not depend on the generator
        method.classification_loss.backward()
        assert all(weight.grad is None for weight in method.net.generator.parameters())
        optimizer.step()
        losses.append(method.classification_loss.item())
    assert losses[-1] < losses[0] / 2


@pytest.mark.slow
def test_pairs_without_labels_teach_only_that_something_is_wrong() -> None:
    method, unlabelled = plate_gan().train(), batch()
    optimizer = torch.optim.Adam(method.net.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        method.loss(unlabelled["low"], unlabelled)
        method.classification_loss.backward()
        optimizer.step()
    method.eval()
    low, high = (method.net.classify(unlabelled[side])[0].softmax(1)[:, 0] for side in ("low", "high"))  # type: ignore[operator, literal-required]
    assert low.max() < 0.5 < high.min()


def test_labels_beyond_the_classes_and_networks_without_classifiers_are_refused() -> None:
    method = plate_gan("method.net.problems=[undamaged,dark]")
    with pytest.raises(ValueError, match="label 8 is beyond the 2 classes of method"):
        method.loss(batch()["low"], batch(label=torch.tensor([0, 1, 1, 8])))
    with pytest.raises(ValueError, match="Autoencoder has no classifiers"):
        PlateGAN(Autoencoder([8, 8, 8, 8, 8]), PatchGAN(8))


def test_a_test_reports_scores_and_confusion_matrices(tmp_path: Path) -> None:
    plates = DrawnPlates(count=4, val_count=4, test_count=9)
    data = PairDataModule(sets={"plates": plates}, patch_size=None, augment=False, cache=False)
    options = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    trainer = pl.Trainer(accelerator="cpu", default_root_dir=tmp_path, **options)
    method = plate_gan()
    method.test_scores.measures = {"psnr": method.test_scores.measures["psnr"]}  # the others take seconds
    (means,) = trainer.test(method, data, verbose=False)
    problem, readable = (method.test_details[f"{name}_confusion"] for name in ("problem", "readable"))
    assert problem["classes"] == list(PROBLEMS)
    assert [sum(row) for row in problem["counts"]] == [1] * 9
    assert sum(map(sum, readable["counts"])) == 9
    right = sum(row[place] for place, row in enumerate(problem["counts"]))
    assert means["test/problem_accuracy"] == pytest.approx(right / 9)
    assert {f"test/problem_{key}" for key in ("precision", "recall", "f1")} <= means.keys()
    assert "test/readable_f1" in means
