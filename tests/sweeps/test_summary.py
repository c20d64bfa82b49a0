"""The summary of a sweep: what became of each job, the best first."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lowlight.cli.sweep import app
from lowlight.sweeps.summary import as_markdown, expand, is_sweep, read_sweep, rows, totals, write_summary
from tests.report.fake_runs import write_run


def job(folder: Path, *overrides: str, metric: str = "val/psnr", mode: str = "max") -> Path:
    """Write what Hydra leaves of a job."""
    (folder / ".hydra").mkdir(parents=True)
    lines = ["method=autoencoder", *overrides]
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {line}\n" for line in lines))
    objective = f"objective: {{metric: {metric}, mode: {mode}}}\n"
    (folder / ".hydra" / "config.yaml").write_text(objective)
    return folder


def finish(folder: Path, value: Any, **facts: Any) -> None:
    (folder / "config.yaml").write_text((folder / ".hydra" / "config.yaml").read_text())
    (folder / "metrics.json").write_text(json.dumps(dict.fromkeys(("val/psnr", "val/loss"), value)))
    manifest = {"epochs": 4, "train_minutes": 1.5, "stopped": "finished", "sittings": 1} | facts
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "multirun"
    finish(job(folder / "a-0", "seed=0", "method.optimizer.lr=0.1"), 18.0)
    finish(job(folder / "a-1", "seed=1", "method.optimizer.lr=0.1"), 20.0, sittings=3)
    failed = job(folder / "a-2", "seed=-1", "method.optimizer.lr=0.1")
    (failed / "failed.json").write_text(json.dumps({"reason": "seed=-1 is | no", "traceback": "..."}))
    running = job(folder / "a-3", "seed=2", "+extra.key=1")
    (running / "metrics.csv").write_text("epoch,train/loss\n1,0.5\n2,0.4\n")
    finish(job(folder / "a-10", "seed=3"), "NaN", stopped="early_stopping")
    return folder


def test_jobs_are_ranked_with_status_and_reason(sweep: Path) -> None:
    jobs = read_sweep(sweep)
    assert [(one.name, one.status) for one in jobs] == [
        ("a-1", "resumed"),
        ("a-0", "done"),
        ("a-10", "done"),
        ("a-3", "unfinished"),
        ("a-2", "failed"),
    ]
    assert [one.reason for one in jobs] == [
        "",
        "",
        "stopped by early_stopping",
        "2 epochs so far",
        "seed=-1 is | no",
    ]
    assert jobs[0].overrides == {"method": "autoencoder", "seed": "1", "method.optimizer.lr": "0.1"}


def test_a_minimised_objective_ranks_the_least_first(tmp_path: Path) -> None:
    for index, value in enumerate((0.3, 0.1, 0.2)):
        finish(job(tmp_path / f"a-{index}", f"seed={index}", mode="min"), value)
    assert [one.objective for one in read_sweep(tmp_path)] == [0.1, 0.2, 0.3]


def test_values_of_different_objectives_have_their_own_columns_and_are_not_ranked_together(
    tmp_path: Path,
) -> None:
    psnr, loss = ("val/psnr", "max"), ("val/loss", "min")
    for name, (metric, mode), value in (
        ("a", psnr, 20.0),
        ("b", psnr, 21.0),
        ("c", loss, 0.3),
        ("d", loss, 0.2),
    ):
        finish(job(tmp_path / name, metric=metric, mode=mode), value)
    table = [(row["job"], row["val/loss"], row["val/psnr"]) for row in rows(read_sweep(tmp_path))]
    assert table == [("d", 0.2, None), ("c", 0.3, None), ("b", None, 21.0), ("a", None, 20.0)]


def test_a_refused_command_changes_no_objective(tmp_path: Path) -> None:
    finish(job(tmp_path / "a"), 20.0)
    (tmp_path / "a" / ".hydra" / "config.yaml").write_text("objective: {metric: val/loss, mode: min}\n")
    (kept,) = read_sweep(tmp_path)
    assert (kept.metric, kept.mode, kept.objective) == ("val/psnr", "max", 20.0)


def test_a_sweep_within_another_is_one_of_its_own(sweep: Path) -> None:
    finish(job(sweep / "evaluation" / "evaluation-0", "seed=7"), 30.0)
    (sweep / "evaluation" / "multirun.yaml").touch()
    (sweep / "multirun.yaml").touch()
    assert len(read_sweep(sweep)) == 5
    assert [one.overrides["seed"] for one in read_sweep(sweep / "evaluation")] == ["7"]


def test_the_summary_holds_what_differs(sweep: Path) -> None:
    jobs = read_sweep(sweep)
    write_summary(sweep, jobs)
    with (sweep / "sweep.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    columns = ["job", "seed", "method.optimizer.lr", "extra.key", "val/psnr", "status"]
    assert list(table[0]) == [*columns, "epochs", "minutes", "reason"]
    assert (table[0]["val/psnr"], table[3]["val/psnr"], table[3]["epochs"]) == ("20.0", "", "2")
    markdown = (sweep / "sweep.md").read_text()
    assert markdown == as_markdown(jobs)
    assert "| seed=-1 is \\| no |" in markdown
    assert totals(jobs) == "2 done, 1 resumed, 1 unfinished, 1 failed"


def test_the_command_prints_for_people_and_machines(sweep: Path, tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, [str(sweep)])
    assert printed.exit_code == 0
    lines = printed.stdout.splitlines()
    assert lines[1].split() == ["a-1", "1", "0.1", "20", "resumed", "4", "1.5"]
    assert lines[-1] == "2 done, 1 resumed, 1 unfinished, 1 failed"
    parsed = json.loads(CliRunner().invoke(app, [str(sweep), "--json"]).stdout)
    assert [row["val/psnr"] for row in parsed] == [20.0, 18.0, None, None, None]
    (tmp_path / "empty").mkdir()
    for folder, message in ((tmp_path / "empty", "no job of a sweep in it"), (tmp_path / "x", "no such")):
        wrong = CliRunner().invoke(app, [str(folder)])
        assert wrong.exit_code == 1
        assert wrong.stderr.startswith(f"lowlight sweep: {folder}: {message}")


def test_a_sweep_stands_for_its_finished_jobs(sweep: Path, tmp_path: Path) -> None:
    single = write_run(job(tmp_path / "single").parent / "one")
    assert is_sweep(sweep)
    assert not is_sweep(single)
    assert [path.name for path in expand([single, sweep])] == ["one", "a-0", "a-1", "a-10"]
    job(tmp_path / "other" / "b-0")
    with pytest.raises(ValueError, match="no job of this sweep is finished"):
        expand([tmp_path / "other"])


def test_hostile_names_neither_run_in_a_spreadsheet_nor_steer_a_terminal(tmp_path: Path) -> None:
    finish(job(tmp_path / "a-0", "seed==1+1"), 20.0)
    finish(job(tmp_path / "=b\x1b[2J", "seed=-2"), 19.0)
    jobs = read_sweep(tmp_path)
    write_summary(tmp_path, jobs)
    with (tmp_path / "sweep.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["job"] for row in table] == ["a-0", "'=b\x1b[2J"]
    assert [row["seed"] for row in table] == ["'=1+1", "-2"]
    printed = CliRunner().invoke(app, [str(tmp_path)]).stdout
    assert "\x1b" not in printed
    assert "=b\\x1b[2J" in printed
