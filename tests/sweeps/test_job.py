"""Sweeps survive their jobs, whatever runs them; studies go on."""

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

from lowlight.cli._hydra import SweepSummary, require_plugins
from lowlight.sweeps.job import one_line, run_job
from lowlight.sweeps.optuna_study import ContinuedStudy
from lowlight.sweeps.summary import read_sweep
from tests.cli.commands import AUTOENCODER, lowlight, on
from tests.sweeps.test_summary import finish, job


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


def test_an_objective_never_measured_is_none(tmp_path: Path) -> None:
    assert run_job(lambda _: float("nan"), config(tmp_path)) is None


@pytest.mark.parametrize(
    ("strategy", "devices", "refused"),
    [
        ("ddp", 2, True),
        ("ddp_find_unused_parameters_true", "auto", True),
        ("ddp", 1, False),
        ("ddp_spawn_find_unused_parameters_true", 2, False),
        ("auto", 2, False),
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


@pytest.mark.parametrize(
    ("argument", "extra"),
    [
        ("hydra/launcher=joblib", "launch"),
        ("hydra/launcher=submitit_local", "launch"),
        ("hydra/launcher=slurm", "launch"),
        ("hydra/launcher=ray", "ray"),
        ("hydra/sweeper=optuna", "optuna"),
        ("hparams_search=optuna", "optuna"),
    ],
)
def test_a_missing_plugin_is_named_with_its_extra(
    argument: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_plugins([argument, "hydra/launcher=basic", "seed=0"])  # all are installed here
    monkeypatch.setattr("lowlight.cli._hydra.find_spec", lambda name: None)
    require_plugins(["hydra/launcher=basic", "hparams_search=grid", "method=gan"])
    with pytest.raises(SystemExit) as stop:
        require_plugins(["seed=0", argument])
    assert stop.value.code == f"error: {argument} needs an extra: pip install 'lowlight[{extra}]'"


def test_the_summary_ends_with_status_1_only_for_failures_of_this_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})
    finish(job(tmp_path / "a-0", "seed=0"), 18.0)
    old = job(tmp_path / "a-1", "seed=1") / "failed.json"
    old.write_text('{"reason": "long ago"}')
    os.utime(old, (1e9, 1e9))
    summary = SweepSummary()
    summary.on_multirun_start(config=sweep)
    summary.on_multirun_end(config=sweep)
    assert "1 done, 1 failed" in capsys.readouterr().out
    os.utime(old)
    with pytest.raises(SystemExit) as stop:
        summary.on_multirun_end(config=sweep)
    assert stop.value.code == 1
    assert (tmp_path / "sweep.csv").exists()


def test_a_refused_job_leaves_the_finished_run_in_its_folder_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: DictConfig) -> float:
        raise ValueError("a-0 already holds a run")

    sweep = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})
    folder = job(tmp_path / "a-0", "seed=0")
    finish(folder, 18.0)
    assert run_job(lambda _: 18.0, config(folder)) == 18.0
    summary = SweepSummary()
    summary.on_multirun_start(config=sweep)
    (folder / ".hydra" / "overrides.yaml").write_text("- method=autoencoder\n- seed=2\n")  # Hydra, at once
    assert run_job(refuse, config(folder)) is None
    with pytest.raises(SystemExit) as stop:
        summary.on_multirun_end(config=sweep)
    assert stop.value.code == 1
    assert "failed, beside the finished run in its folder: a-0 already holds a run" in capsys.readouterr().out
    (kept,) = read_sweep(tmp_path)
    assert (kept.status, kept.objective, kept.overrides["seed"]) == ("done", 18.0, "0")
    summary.on_multirun_end(config=sweep)  # told once


def study_config(folder: Path, trials: int, method: str = "gan", mode: str = "max") -> DictConfig:
    sweeper = {
        "storage": f"sqlite:///{folder}/new/study.db",
        "study_name": "s",
        "direction": "${objective.mode}imize",
        "n_trials": trials,
        "sampler": {"seed": 7},
    }
    hydra = {"sweep": {"dir": f"{folder}/new"}, "sweeper": sweeper}
    return OmegaConf.create({"method": method, "objective": {"mode": mode}, "hydra": hydra})


def start(config: DictConfig) -> int:
    """Return how many trials the sweeper would run."""
    ContinuedStudy().on_multirun_start(config)
    return int(config.hydra.sweeper.n_trials)


@pytest.mark.filterwarnings("ignore")
def test_a_study_goes_on_to_its_number_of_trials_and_repeats_those_without_a_result(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    assert start(study_config(tmp_path, 5)) == 5  # nothing there yet
    assert (tmp_path / "new" / "multirun.yaml").exists()
    storage = study_config(tmp_path, 5).hydra.sweeper.storage
    study = optuna.load_study(storage=storage, study_name="s")
    distribution = {"lr": optuna.distributions.LogUniformDistribution(1e-5, 1e-2)}
    done, failed, stopped = (study.ask(distribution) for _ in range(3))
    study.tell(done, 1.0)
    study.tell(failed, state=optuna.trial.TrialState.FAIL)

    for _ in range(2):  # stopped again before the repetition began
        second = study_config(tmp_path, 5)
        assert start(second) == 4
    assert second.hydra.sweeper.sampler.seed > 7
    repeated = [study.ask(distribution) for _ in range(3)]
    assert [trial.params for trial in repeated[:2]] == [failed.params, stopped.params]
    assert repeated[2].params not in (failed.params, stopped.params)  # each is repeated once a start
    for trial in repeated:
        study.tell(trial, 2.0)
    assert start(study_config(tmp_path, 5)) == 1
    assert start(study_config(tmp_path, 3)) == 0


@pytest.mark.filterwarnings("ignore")
def test_a_study_of_another_recipe_or_objective_is_refused_in_one_line(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    first = study_config(tmp_path, 2, mode="min")
    start(first)
    study = optuna.load_study(storage=first.hydra.sweeper.storage, study_name="s")
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    start(study_config(tmp_path, 9, mode="min"))
    for other, said in (
        (study_config(tmp_path, 2, "mirnet", "min"), "method is gan there and mirnet here"),
        (study_config(tmp_path, 2), "it does not maximize its objective"),
    ):
        with pytest.raises(SystemExit) as stop:
            start(other)
        place = f"error: {tmp_path}/new holds a study of another recipe"
        assert stop.value.code == f"{place}: {said}; choose another hydra.sweep.dir"


@pytest.mark.filterwarnings("ignore")
def test_a_study_without_a_result_ends_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    optuna = pytest.importorskip("optuna")
    from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl

    def sweep(sweeper: object, arguments: list[str]) -> None:  # as it ends
        optuna.load_study(storage=config.hydra.sweeper.storage, study_name="s").best_trial  # noqa: B018

    monkeypatch.setattr(OptunaSweeperImpl, "sweep", sweep)
    config = study_config(tmp_path, 2)
    start(config)
    study = optuna.load_study(storage=config.hydra.sweeper.storage, study_name="s")
    with pytest.raises(ValueError, match="Record does not exist"):
        OptunaSweeperImpl.sweep(None, [])  # no trial at all: what is wrong is another thing
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    OptunaSweeperImpl.sweep(None, [])
    assert "no trial of study s has a result" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [
        [],
        ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
        ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"],
        ["hydra/launcher=ray", "hydra.launcher.ray.init.address=local"],
    ],
    ids=["basic", "joblib", "submitit", "ray"],
)
def test_one_failed_job_ends_no_sweep(launcher: list[str], lol: Path, tmp_path: Path) -> None:
    arguments = [*AUTOENCODER, *on(lol), "seed=0,-1,1", "trainer.max_epochs=1", *launcher]
    arguments += [f"hydra.sweep.dir='{tmp_path}/multirun'"]
    done = lowlight("train", "-m", *arguments, folder=tmp_path, RAY_USAGE_STATS_ENABLED="0")
    assert done.returncode == 1
    assert "2 done, 1 failed" in done.stdout
    assert "Traceback" not in done.stderr
    jobs = read_sweep(tmp_path / "multirun")
    assert [one.status for one in jobs] == ["done", "done", "failed"]
    assert jobs[2].reason == "seed=-1 is not a whole number from 0 to 2^32 - 1"
    assert {one.name for one in jobs} == {"autoencoder-0", "autoencoder-1", "autoencoder-2"}


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
    for _ in range(600):
        if (run / "previous.ckpt").exists():
            break
        time.sleep(0.1)
    (controller,) = [path.name for path in (tmp_path / "multirun" / ".submitit").glob("[0-9]*")]
    (task,) = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(task), signal.SIGUSR2)  # what SLURM sends before the time limit, or to make room
    assert sweep.wait(timeout=120) == 0
    (finished,) = read_sweep(tmp_path / "multirun")
    assert (finished.status, finished.epochs) == ("resumed", 60)


@pytest.mark.slow
def test_an_optuna_study_is_continued(lol: Path, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    arguments = ["hparams_search=optuna", *AUTOENCODER, *on(lol), "trainer.max_epochs=1"]
    for trials in (1, 3, 3):
        done = lowlight("train", *arguments, f"hydra.sweeper.n_trials={trials}", folder=tmp_path)
        assert done.returncode == 0, done.stderr
    study = optuna.load_study(study_name="lowlight", storage=f"sqlite:///{tmp_path}/multirun/optuna/study.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert len({trial.params["method.optimizer.lr"] for trial in study.trials}) == 3
    jobs = read_sweep(tmp_path / "multirun" / "optuna")
    assert len(jobs) == 3
    assert jobs[0].objective == pytest.approx(study.best_value, abs=1e-6)
