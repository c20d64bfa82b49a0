"""What goes to MLflow is read back from its file store and compared with the run folder's files."""

import csv
import math
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import yaml
from PIL import Image
from pytorch_lightning.loggers import mlflow as lightnings

from lowlight.callbacks.learning_rate import LearningRate
from lowlight.config import load_config
from lowlight.files import read_json
from lowlight.loggers.mlflow import MLflowCurves
from lowlight.training import train
from tests.tiny_runs import overrides

pytestmark = pytest.mark.xdist_group("mlflow")
QUIET = ["hydra/job_logging=none", "hydra/hydra_logging=none"]


@pytest.fixture(scope="module", autouse=True)
def _own_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME"):
            patch.delenv(name, raising=False)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        yield


def store(folder: Path) -> Any:
    return pytest.importorskip("mlflow").MlflowClient(folder.as_uri())


def runs(folder: Path) -> list[Any]:
    """Return the runs of a store, the oldest first."""
    client = store(folder)
    experiment = client.get_experiment_by_name("lowlight")
    return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"]))


def only(folder: Path) -> Any:
    (run,) = runs(folder)
    return run


def logged(folder: Path, run: Any) -> dict[int, dict[str, float]]:
    """Return the curves of a run by epoch, as the CSV file has them; a repeated epoch counts once."""
    epochs: dict[int, dict[str, float]] = {}
    for key in run.data.metrics:
        if key.startswith(("train/", "val/")):
            for one in store(folder).get_metric_history(run.info.run_id, key):
                assert epochs.setdefault(one.step, {}).setdefault(key, one.value) == one.value
    return epochs


def curves(run: Path) -> dict[int, dict[str, float]]:
    with (run / "metrics.csv").open() as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    return {int(row.pop("epoch")): row for row in rows}


@pytest.fixture(scope="module")
def jobs(lol: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the run folders of a sweep of two jobs in this process."""
    pytest.importorskip("mlflow")
    sweep = tmp_path_factory.mktemp("a sweep, 100% #1") / "grid"
    settings = [*overrides("autoencoder", lol, sweep), "logger=mlflow", "seed=0,1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(sweep.parent)
        patch.setattr(sys, "argv", ["lowlight-train", "-m", *settings, "hydra.sweep.dir=grid", *QUIET])
        import_module("lowlight.cli.train").main()
    return [sweep / "autoencoder-0", sweep / "autoencoder-1"]


@pytest.mark.slow
def test_each_job_of_a_sweep_is_a_finished_run_of_its_own(jobs: list[Path]) -> None:
    found = [only(job / "mlruns") for job in jobs]
    assert found[0].info.run_id != found[1].info.run_id
    for seed, (job, run) in enumerate(zip(jobs, found, strict=True)):
        assert (job / "mlflow_id.txt").read_text().strip() == run.info.run_id
        assert (run.info.run_name, run.info.status) == ("autoencoder", "FINISHED")
        assert run.data.tags["group"] == "grid"
        assert {"method=autoencoder", f"seed={seed}"} <= set(run.data.tags["tags"].split(", "))
        assert run.data.params["seed"] == str(seed)
    assert "MLFLOW_TRACKING_URI" not in os.environ


@pytest.mark.slow
def test_it_holds_curves_scores_config_and_samples(jobs: list[Path]) -> None:
    job = jobs[0]
    run = only(job / "mlruns")
    assert logged(job / "mlruns", run) == curves(job)
    metrics, manifest = (read_json(job / f"{name}.json") for name in ("metrics", "manifest"))
    scores = {key: float(value) for key, value in metrics.items() if key.startswith("test/")}
    assert {key: run.data.metrics[key] for key in scores} == pytest.approx(scores, rel=1e-12, nan_ok=True)
    assert run.data.metrics["best/epoch"] == manifest["best_epoch"]
    assert run.data.metrics["best/val/psnr"] == metrics["val/psnr"]
    assert run.data.params["commit"] == str(manifest["commit"])

    (artifacts,) = (job / "mlruns").glob("*/*/artifacts")
    assert yaml.safe_load((artifacts / "config.yaml").read_text())["data"]["patch_size"] == 32
    assert not list(artifacts.rglob("*.ckpt"))  # it is in the run folder already
    pictures = sorted(artifacts.glob("samples/epoch-0002/**/*.png"))
    assert pictures
    assert np.asarray(Image.open(pictures[0])).shape == (48, 3 * 64, 3)


@pytest.mark.slow
def test_a_failed_run_ends_as_failed_and_goes_on_under_its_id(
    lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    run, address = tmp_path / "run", tmp_path / "all"
    settings = [*overrides("autoencoder", lol, run), "logger=mlflow", f"logger.mlflow.tracking_uri={address}"]

    def fail(self: object, trainer: pl.Trainer, *_: object) -> None:
        if trainer.current_epoch == 1:
            raise RuntimeError("a fault of its own")

    with monkeypatch.context() as patch:
        patch.setattr(LearningRate, "on_train_epoch_end", fail)
        with pytest.raises(RuntimeError, match="a fault of its own"):
            train(load_config(settings))
    failed = only(address)
    assert failed.info.status == "FAILED"
    train(load_config([*settings, "resume=auto"]))
    resumed = only(address)
    assert (resumed.info.run_id, resumed.info.status) == (failed.info.run_id, "FINISHED")
    assert logged(address, resumed) == curves(run)
    assert not (run / "mlruns").exists()

    train(load_config([*settings, "resume=restart", "trainer.max_epochs=1"]))
    assert [one.info.status for one in runs(address)] == ["FINISHED", "FINISHED"]


@pytest.mark.slow
def test_a_job_that_fails_before_its_run_began_is_a_failed_run_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    arguments = ["method=autoencoder", "logger=mlflow", "seed=-1", *QUIET]
    monkeypatch.setattr(sys, "argv", ["lowlight-train", "-m", *arguments])
    with pytest.raises(SystemExit):
        import_module("lowlight.cli.train").main()
    job = tmp_path / "multirun" / "autoencoder-0"
    run = only(job / "mlruns")
    assert run.info.status == "FAILED"
    assert run.data.tags["failed"] == "seed=-1 is not a whole number from 0 to 2^32 - 1"
    assert not (job / "mlflow_id.txt").exists()


@pytest.mark.slow
def test_a_run_that_the_store_does_not_know_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("mlflow")
    (tmp_path / "mlflow_id.txt").write_text("0" * 32 + "\n")
    logger = MLflowCurves(tmp_path)
    assert "MLflow begins another run: Run '000" in caplog.text
    logger.log_metrics({"val/psnr": math.nan, "epoch": 0})
    assert (tmp_path / "mlflow_id.txt").read_text().strip() == logger.run_id != "0" * 32


def test_the_environment_names_the_store_unless_the_config_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'theirs'}")
    for folder, given in {"theirs": None, "mine": f"file:{tmp_path / 'mine'}"}.items():
        (tmp_path / "run" / "mlflow_id.txt").unlink(missing_ok=True)
        logger = MLflowCurves(tmp_path / "run", given, experiment_name="lowlight")
        logger.log_metrics({"val/psnr": 20.0, "epoch": 0})
        logger.finish(failed=False)
        assert only(tmp_path / folder).info.run_id == logger.run_id
        assert os.environ["MLFLOW_TRACKING_URI"] == f"file:{tmp_path / 'theirs'}"


def test_an_address_that_mlflow_does_not_know_is_told(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(ValueError, match=r"logger=mlflow: gopher://here cannot be opened"):
        MLflowCurves(tmp_path, "gopher://here")


def test_without_mlflow_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightnings, "_MLFLOW_AVAILABLE", False)
    with pytest.raises(ValueError, match=r"pip install 'lowlight\[mlflow\]'"):
        MLflowCurves(tmp_path)
