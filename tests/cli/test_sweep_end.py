"""The end of a sweep, and the plugins that it needs."""

import os
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from lowlight.cli._hydra import SweepSummary, require_plugins
from lowlight.sweeps.job import run_job
from lowlight.sweeps.summary import read_sweep
from tests.sweeps.test_job import config
from tests.sweeps.test_summary import finish, job


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


def test_a_sweep_with_a_failure_ends_with_status_1_though_a_folder_is_unreadable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})
    (job(tmp_path / "a-0", "seed=0") / ".hydra" / "config.yaml").write_text("a: [\n")
    summary = SweepSummary()
    summary.on_multirun_start(config=sweep)
    summary.on_multirun_end(config=sweep)
    assert "not readable: while parsing" in capsys.readouterr().out
    (job(tmp_path / "a-1", "seed=1") / "failed.json").write_text("{")
    with pytest.raises(SystemExit) as stop:
        summary.on_multirun_end(config=sweep)
    assert stop.value.code == 1
    assert "2 failed" in capsys.readouterr().out
    (tmp_path / "sweep.csv").unlink()
    (tmp_path / "sweep.csv").mkdir()
    with pytest.raises(SystemExit, match="error: no summary: "):
        summary.on_multirun_end(config=sweep)


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
