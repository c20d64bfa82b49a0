"""Ray Data gives the same files and outcomes as the plain run, and resumes."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from lowlight.cli.enhance import app
from lowlight.inference.batch.jobs import Job
from lowlight.inference.batch.ray import _absolute, _absolute_model, share_resources
from tests.cli.commands import lowlight
from tests.conftest import photograph


def test_workers_share_the_cores_and_the_gpus_that_the_model_may_use() -> None:
    assert share_resources(None, "auto", {"CPU": 8}) == ({"concurrency": 8, "num_cpus": 1}, 1)
    assert share_resources(2, "auto", {"CPU": 8}) == ({"concurrency": 2, "num_cpus": 1}, 4)
    assert share_resources(3, "auto", {"CPU": 2}) == ({"concurrency": 3, "num_cpus": 0.66}, 1)
    two_gpus = {"CPU": 8, "GPU": 2}
    assert share_resources(None, "cuda", two_gpus) == ({"concurrency": 2, "num_cpus": 1, "num_gpus": 1}, 4)
    assert share_resources(4, "auto", two_gpus) == ({"concurrency": 4, "num_cpus": 1, "num_gpus": 0.5}, 2)
    assert share_resources(None, "cpu", two_gpus) == ({"concurrency": 8, "num_cpus": 1}, 1)


def test_missing_ray_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    Image.fromarray(photograph(0) // 5).save(tmp_path / "a.png")
    result = CliRunner().invoke(app, [str(tmp_path), "--out", str(tmp_path / "out"), "--engine", "ray"])
    assert result.exit_code == 1
    assert result.stderr == (
        "lowlight enhance: --engine ray needs an extra: pip install 'lowlight[archive]'\n"
    )


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_an_address_without_a_cluster_is_refused_at_once(address: str, tmp_path: Path) -> None:
    Image.fromarray(photograph(0) // 5).save(tmp_path / "a.png")
    arguments = [str(tmp_path), "--out", str(tmp_path / "out"), "--engine", "ray", "--ray-address", address]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert f"--ray-address {address}: no cluster answers" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_workers_get_jobs_and_model_whole_with_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = Path.cwd()
    job = _absolute(Job(Path("a.png"), Path("out/a-1EV.png"), -1.0))
    assert job == Job(here / "a.png", here / "out" / "a-1EV.png", -1.0)
    model = {"checkpoint": "run", "calibrate": [Path("dark"), "b.png"], "precision": "int8"}
    assert _absolute_model(model) == {
        "checkpoint": here / "run",
        "calibrate": [here / "dark", here / "b.png"],
        "precision": "int8",
    }


def told(stdout: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the files and the summary of --json, without times and output folders."""
    answer = json.loads(stdout)
    files = [{**file, "target": Path(file["target"]).name, "seconds": 0} for file in answer["files"]]
    return files, {**answer["summary"], "seconds": 0}


@pytest.mark.slow
def test_an_archive_that_is_gone_on_with_equals_the_plain_run(tmp_path: Path) -> None:
    """One run, since starting Ray and its workers takes longest: four of the files are there already."""
    source = tmp_path / "in"
    (source / "deeper").mkdir(parents=True)
    for seed in range(12):
        Image.fromarray(photograph(seed) // 5).save(source / ("deeper" if seed % 3 else "") / f"{seed}.png")
    Image.fromarray(photograph(12)).save(source / "bright.png")
    (source / "broken.png").write_bytes(b"no image")
    settings = ["--method", "lime", "--strength", "0.8", "--json", "--skip-existing"]
    plain = [str(source), "--out", str(tmp_path / "plain"), *settings]
    CliRunner().invoke(app, plain)
    there = [f"deeper/{number}.png" for number in (1, 2, 4, 5)]
    for path in (tmp_path / "plain").rglob("*.png"):
        if path.relative_to(tmp_path / "plain").as_posix() not in there:
            path.unlink()
    shutil.copytree(tmp_path / "plain", tmp_path / "ray")
    before = {name: (tmp_path / "ray" / name).stat().st_mtime_ns for name in there}

    again = CliRunner().invoke(app, plain)
    # relative paths, which workers may not resolve as the command does
    by_ray = ["enhance", str(source), "--out", "ray", *settings, "--engine", "ray", "--actors", "2"]
    archive = lowlight(*by_ray, folder=tmp_path)
    assert archive.returncode == again.exit_code == 1, archive.stderr
    assert told(archive.stdout) == told(again.stdout)
    statuses = told(archive.stdout)[1]
    assert (statuses["enhanced"], statuses["skipped"], statuses["failed"]) == (8, 4, 1)
    assert archive.stderr.count("\n") < 5, archive.stderr
    assert contents(tmp_path / "ray") == contents(tmp_path / "plain")
    assert all((tmp_path / "ray" / name).stat().st_mtime_ns == at for name, at in before.items())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
