"""Runs that end before their last epoch, and the presets for short ones."""

import csv
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from lowlight.config import load_config
from lowlight.files import read_json
from lowlight.runs.folder import finished, prepare
from tests.tiny_runs import KeptBatches, assert_equal, checkpoint, manifest, overrides, run

STOPPING = [
    "callbacks=[default,early_stopping,ema]",
    "callbacks.early_stopping.patience=2",
    "callbacks.early_stopping.min_delta=100",  # dB, which no epoch gains
    "trainer.max_epochs=20",
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "interval"), [("autoencoder", 1), ("gan", 2)])
def test_training_stops_when_the_objective_no_longer_improves(
    name: str, interval: int, lol: Path, tmp_path: Path
) -> None:
    run(name, lol, tmp_path, *STOPPING, f"trainer.check_val_every_n_epoch={interval}")
    found = manifest(tmp_path)
    assert (found["stopped"], found["epochs"]) == ("early_stopping", 3 * interval)  # validations
    assert checkpoint(tmp_path)["epoch"] == 3 * interval - 1


def test_a_run_that_stopped_early_and_was_killed_before_its_test_is_only_tested(
    lol: Path, tmp_path: Path
) -> None:
    with (
        patch("lowlight.training.train.score", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        run("autoencoder", lol, tmp_path, "resume=auto", *STOPPING)
    before = checkpoint(tmp_path)
    run("autoencoder", lol, tmp_path, "resume=auto", *STOPPING)
    found = manifest(tmp_path)
    assert (found["stopped"], found["epochs"]) == ("early_stopping", 3)
    assert_equal(checkpoint(tmp_path)["state_dict"], before["state_dict"], "state_dict")


def test_an_objective_that_is_not_finite_stops_also_in_the_first_epoch(lol: Path, tmp_path: Path) -> None:
    undefined = ["objective.metric=val/undefined", "+callbacks.log._target_=tests.tiny_runs.LogUndefined"]
    run("autoencoder", lol, tmp_path, *STOPPING, *undefined)
    assert (manifest(tmp_path)["stopped"], manifest(tmp_path)["epochs"]) == ("early_stopping", 1)


def test_stopping_early_without_validation_images_is_refused(lol: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs validation images"):
        run("autoencoder", lol, tmp_path, *STOPPING, "data.val_fraction=0")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_cap_on_the_time_ends_and_marks_the_run(lol: Path, tmp_path: Path) -> None:
    cap = ["trainer.max_epochs=100000", "trainer.max_time=00:00:00:01"]
    run("gan", lol, tmp_path, "callbacks=[default,ema]", *cap)
    found = manifest(tmp_path)
    assert found["stopped"] == "max_time"
    assert 1 <= found["epochs"] < 100000


@pytest.mark.slow
def test_another_cap_continues_a_run_that_its_cap_ended(
    lol: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cap = ["trainer.max_epochs=100000", "resume=auto", "trainer.max_time=00:00:00:01"]
    run("autoencoder", lol, tmp_path, *cap)
    ended = manifest(tmp_path)
    epochs = f"after {ended['epochs']} of 100000 epochs; trainer.max_time=null resume=auto goes on"
    assert f"stopped by trainer.max_time=00:00:00:01 {epochs}" in caplog.text
    assert finished(load_config(overrides("autoencoder", lol, tmp_path, *cap))) is not None

    more = [*cap[:-1], "trainer.max_time=00:00:00:03"]
    continued = load_config(overrides("autoencoder", lol, tmp_path, *more))
    assert finished(continued) is None
    prepare(continued)  # a kill later on leaves it unfinished, with the results that it had
    assert finished(continued) is None
    run("autoencoder", lol, tmp_path, *more)
    assert manifest(tmp_path)["epochs"] > ended["epochs"]
    assert manifest(tmp_path)["sittings"] == 2


def test_the_debug_preset_leaves_a_whole_run(lol: Path, tmp_path: Path) -> None:
    more = ["trainer.accelerator=cpu", "trainer.limit_test_batches=1", "data.batch_size=1"]
    run("gan", lol, tmp_path, "check=debug", "trainer.max_epochs=1", *more, "data.patch_size=64")
    assert load_config(["check=debug"]).trainer.max_epochs == 1
    left = {path.name for path in tmp_path.iterdir()}
    assert {"config.yaml", "metrics.json", "per_image.csv", "metrics.csv", "manifest.json"} <= left
    assert {"best.ckpt", "last.ckpt", "pictures"} <= left
    assert checkpoint(tmp_path)["global_step"] == 4  # two batches, two optimizers
    assert (manifest(tmp_path)["stopped"], manifest(tmp_path)["epochs"]) == ("finished", 1)
    assert read_json(tmp_path / "metrics.json")["images"] == 1


@pytest.mark.slow
def test_the_overfit_preset_learns_one_batch_by_heart(lol: Path, tmp_path: Path) -> None:
    KeptBatches.batches = []
    kept = ["+callbacks.kept._target_=tests.tiny_runs.KeptBatches", "trainer.check_val_every_n_epoch=20"]
    preset = [
        "check=overfit",
        "trainer.accelerator=cpu",
        "trainer.max_epochs=40",
        "method.optimizer.lr=3e-3",
    ]
    run("autoencoder", lol, tmp_path, *preset, *kept)
    assert len(KeptBatches.batches) == 40
    first = KeptBatches.batches[0][1]
    assert all(torch.equal(batch["low"], first["low"]) for _, batch in KeptBatches.batches)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert float(rows[-1]["train/psnr"]) > float(rows[0]["train/psnr"]) + 5


@pytest.mark.slow
def test_a_run_without_a_last_epoch_is_marked_by_its_cap_on_the_time(lol: Path, tmp_path: Path) -> None:
    run("autoencoder", lol, tmp_path, "trainer.max_epochs=-1", "trainer.max_time=00:00:00:01")
    assert manifest(tmp_path)["stopped"] == "max_time"
