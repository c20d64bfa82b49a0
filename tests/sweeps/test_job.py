"""A sweep survives its jobs, whichever launcher runs them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from lowlight.sweeps.job import one_line, run_job
from lowlight.sweeps.summary import read_sweep
from tests.cli.commands import AUTOENCODER, in_process, lowlight, on


def config(folder: Path, **trainer: Any) -> DictConfig:
    return OmegaConf.create(
        {"output_dir": str(folder), "trainer": {"strategy": "auto", "devices": 1} | trainer}
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("seed=-1 is no seed\nmore"), "seed=-1 is no seed"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_a_failed_job_leaves_its_reason_and_lets_the_sweep_go_on(
    error: Exception, reason: str, tmp_path: Path
) -> None:
    def fail(_: DictConfig) -> float:
        raise error

    assert run_job(fail, config(tmp_path)) is None
    record = json.loads((tmp_path / "failed.json").read_text())
    assert record["reason"] == one_line(error) == reason
    assert "in fail" in record["traceback"]
    assert run_job(lambda _: 20.0, config(tmp_path)) == 20.0
    assert not (tmp_path / "failed.json").exists()


def test_debugging_raises_the_error_and_keeps_the_records(tmp_path: Path) -> None:
    def fail(_: DictConfig) -> float:
        raise ValueError("no such folder")

    with pytest.raises(ValueError, match="no such folder"):
        run_job(fail, config(tmp_path), debug=True)
    assert json.loads((tmp_path / "failed.json").read_text())["reason"] == "no such folder"
    assert run_job(lambda _: 20.0, config(tmp_path), debug=True) == 20.0
    assert not (tmp_path / "failed.json").exists()


def test_an_objective_never_measured_is_none(tmp_path: Path) -> None:
    assert run_job(lambda _: float("nan"), config(tmp_path)) is None


@pytest.mark.parametrize(
    ("strategy", "devices", "refused"),
    [
        ("ddp", 2, True),
        ("ddp_find_unused_parameters_true", "auto", True),
        ("ddp", 1, False),
        ("ddp_spawn_find_unused_parameters_true", 2, False),
        ("auto", 2, True),
        ("auto", 1, False),
    ],
)
def test_a_strategy_that_would_repeat_the_sweep_is_refused(
    strategy: str, devices: int | str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    value = run_job(lambda _: 1.0, config(tmp_path, strategy=strategy, devices=devices))
    assert value == (None if refused else 1.0)
    if refused:
        assert "set trainer=ddp_spawn" in json.loads((tmp_path / "failed.json").read_text())["reason"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [
        ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
        ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"],
        ["hydra/launcher=ray", "hydra.launcher.ray.init.address=local"],
    ],
    ids=["joblib", "submitit", "ray"],
)
def test_one_failed_job_ends_no_sweep_of_several_processes(
    launcher: list[str], lol: Path, tmp_path: Path
) -> None:
    arguments = [*AUTOENCODER, *on(lol), "seed=-1,0", "trainer.max_epochs=1", *launcher]
    arguments += [f"hydra.sweep.dir='{tmp_path}/multirun'"]
    done = lowlight("train", "-m", *arguments, folder=tmp_path, RAY_USAGE_STATS_ENABLED="0")
    assert done.returncode == 1
    assert "1 done, 1 failed" in done.stdout
    assert "Traceback" not in done.stderr
    assert_one_failed(tmp_path / "multirun")


@pytest.mark.slow
def test_one_failed_job_ends_no_sweep(lol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        in_process(
            "train", "-m", *AUTOENCODER, *on(lol), "seed=-1,0", "trainer.max_epochs=1", folder=tmp_path
        )
    assert stop.value.code == 1
    assert "1 done, 1 failed" in capsys.readouterr().out
    assert_one_failed(tmp_path / "multirun")


def assert_one_failed(sweep: Path) -> None:
    jobs = read_sweep(sweep)
    assert [one.status for one in jobs] == ["done", "failed"]
    assert jobs[1].reason == "seed=-1 is not a whole number from 0 to 2^32 - 1"
    assert {one.name for one in jobs} == {"autoencoder-0", "autoencoder-1"}


@pytest.mark.slow
def test_a_sweep_of_spawned_processes_leaves_whole_runs(lol: Path, tmp_path: Path) -> None:
    devices = ["trainer=ddp_spawn", "trainer.accelerator=cpu", "trainer.devices=2"]
    arguments = [*AUTOENCODER, *on(lol), "seed=0,1", *devices, "trainer.max_epochs=2"]
    arguments.remove("trainer=cpu")
    done = lowlight("train", "-m", *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    jobs = read_sweep(tmp_path / "multirun")
    assert [(one.status, one.epochs) for one in jobs] == [("done", 2)] * 2
    for one in jobs:
        manifest = json.loads((one.folder / "manifest.json").read_text())
        assert (manifest["processes"], manifest["stopped"]) == (2, "finished")
        assert len((one.folder / "metrics.csv").read_text().splitlines()) == 3
        assert (one.folder / "per_image.csv").exists()
        assert one.minutes > 0


@pytest.mark.slow
def test_a_job_that_is_preempted_is_submitted_again_and_goes_on(lol: Path, tmp_path: Path) -> None:
    arguments = [*AUTOENCODER, *on(lol), "seed=0", "trainer.max_epochs=60", "resume=auto"]
    arguments += ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"]
    command = [sys.executable, "-m", "lowlight.cli.train", "-m", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    sweep = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    run = tmp_path / "multirun" / "autoencoder-0"
    for _ in range(1800):
        if (run / "previous.ckpt").exists():
            break
        time.sleep(0.1)
    (controller,) = [path.name for path in (tmp_path / "multirun" / ".submitit").glob("[0-9]*")]
    (task,) = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(task), signal.SIGUSR2)  # what SLURM sends before the time limit, or to make room
    assert sweep.wait(timeout=120) == 0
    (finished,) = read_sweep(tmp_path / "multirun")
    assert (finished.status, finished.epochs) == ("resumed", 60)
