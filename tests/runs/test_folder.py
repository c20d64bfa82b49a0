import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from omegaconf import DictConfig, OmegaConf

from lowlight.files import read_json, write_json
from lowlight.runs.folder import finished, outdated, prepare, prepare_evaluation, resumable
from lowlight.runs.provenance import _commit, provenance
from lowlight.runs.recipe import differing_keys, recipe


def config(folder: Path, resume: str = "never", **changes: Any) -> DictConfig:
    values = {
        "output_dir": str(folder),
        "resume": resume,
        "seed": 0,
        "method": {},
        "data": {"num_workers": 0, "batch_size": 4},
    }
    return OmegaConf.merge(OmegaConf.create(values), changes)  # type: ignore[return-value]


def train_an_epoch(run: DictConfig) -> None:
    """Prepare a folder and leave in it what an epoch leaves."""
    prepare(run)
    (Path(run.output_dir) / "last.ckpt").touch()


def test_a_run_starts_in_a_new_folder_and_is_not_overwritten(tmp_path: Path) -> None:
    train_an_epoch(config(tmp_path / "run"))
    assert (tmp_path / "run" / "config.yaml").exists()
    with pytest.raises(ValueError, match="already holds a run: resume=auto continues it"):
        prepare(config(tmp_path / "run"))


@pytest.mark.parametrize("resume", ["never", "auto"])
def test_a_start_that_failed_before_its_first_epoch_is_no_run(resume: str, tmp_path: Path) -> None:
    prepare(config(tmp_path, resume))
    for name in (".last.ckpt.123-4.partial", "failed.json", "train.log", "wandb_id.txt"):
        (tmp_path / name).touch()
    prepare(config(tmp_path, resume, seed=1))
    assert OmegaConf.load(tmp_path / "config.yaml").seed == 1
    assert not (tmp_path / "wandb_id.txt").exists()  # of a run of other settings


RESULTS = ("metrics.csv", "metrics.json", "per_image.csv", "per_video.csv", "features.json", "features.csv")
RESULTS += ("manifest.json",)


@pytest.mark.parametrize("resume", ["never", "auto"])
@pytest.mark.parametrize("trace", ["last.ckpt", "previous.ckpt", "epoch=3.ckpt", *RESULTS])
def test_whatever_an_epoch_or_a_test_leaves_is_kept(trace: str, resume: str, tmp_path: Path) -> None:
    prepare(config(tmp_path, resume))
    (tmp_path / trace).write_text("{}")
    with pytest.raises(ValueError, match="holds a run"):
        prepare(config(tmp_path, resume, seed=1))
    assert OmegaConf.load(tmp_path / "config.yaml").seed == 0
    assert (tmp_path / trace).read_text() == "{}"


def test_a_start_killed_in_its_first_epoch_goes_on_in_its_wandb_run(tmp_path: Path) -> None:
    prepare(config(tmp_path, "auto"))
    (tmp_path / "wandb_id.txt").touch()
    prepare(config(tmp_path, "auto"))
    assert (tmp_path / "wandb_id.txt").exists()


@pytest.mark.parametrize("resume", ["never", "auto"])
def test_a_strangers_config_is_never_taken_for_a_failed_start(resume: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine: 1\n")
    with pytest.raises(ValueError, match="holds a run"):
        prepare(config(tmp_path, resume))
    assert (tmp_path / "config.yaml").read_text() == "mine: 1\n"


@pytest.mark.parametrize("resume", ["never", "auto", "restart"])
@pytest.mark.parametrize("text", ["a: [\n", "- 1\n", "text\n"])
def test_a_config_that_is_none_is_told_with_its_path(text: str, resume: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml: not a readable .*; choose another output_dir"):
        prepare(config(tmp_path, resume))


def test_auto_starts_continues_and_recognises_the_end(tmp_path: Path) -> None:
    run = config(tmp_path, "auto")
    assert finished(run) is None
    prepare(run)
    assert resumable(run) == []
    for name in ("previous.ckpt", "last.ckpt", ".last.ckpt.123-4.partial"):
        (tmp_path / name).touch()
    prepare(run)
    assert [path.name for path in resumable(run)] == ["last.ckpt", "previous.ckpt"]
    assert not (tmp_path / ".last.ckpt.123-4.partial").exists()  # left by a process that was killed
    write_json(tmp_path / "metrics.json", {"test/psnr": 20.0})
    assert finished(run) is None
    write_json(tmp_path / "manifest.json", {})
    assert finished(run) == {"test/psnr": 20.0}


def test_a_run_that_begins_again_has_not_failed_yet(tmp_path: Path) -> None:
    train_an_epoch(config(tmp_path, "auto"))
    (tmp_path / "failed.json").touch()
    with pytest.raises(ValueError, match="another recipe"):
        prepare(config(tmp_path, "auto", seed=1))
    assert (tmp_path / "failed.json").exists()
    prepare(config(tmp_path, "auto"))
    assert not (tmp_path / "failed.json").exists()


def test_a_learning_rate_may_be_sought_where_a_run_is_finished(tmp_path: Path) -> None:
    prepare(config(tmp_path, "auto", find_lr=False))
    write_json(tmp_path / "metrics.json", {"test/psnr": 20.0})
    write_json(tmp_path / "manifest.json", {})
    assert finished(config(tmp_path, "auto", find_lr=True)) is None
    assert finished(config(tmp_path, "auto", find_lr=False))


def test_a_strangers_checkpoint_is_not_gone_on_from(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").touch()
    prepare(config(tmp_path, "never"))
    assert resumable(config(tmp_path, "never")) == []


def test_another_recipe_is_refused_by_its_first_difference(tmp_path: Path) -> None:
    train_an_epoch(config(tmp_path, "auto"))
    with pytest.raises(ValueError, match=r"another recipe: data\.batch_size is 4 there and 8 here"):
        prepare(config(tmp_path, "auto", data={"batch_size": 8}))
    prepare(config(tmp_path, "auto", data={"num_workers": 2}))
    samples = {"_target_": "lowlight.callbacks.Samples", "count": 8}
    prepare(config(tmp_path, "auto", callbacks={"samples": samples}))  # shows more, computes the same
    average = {"_target_": "lowlight.callbacks.ExponentialAverage", "decay": 0.9}
    with pytest.raises(ValueError, match=r"another recipe: callbacks\.ema\._target_ is None there"):
        prepare(config(tmp_path, "auto", callbacks={"samples": samples, "ema": average}))


def test_a_config_of_unknown_origin_imports_nothing_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "foreign.py").write_text("raise SystemExit")
    foreign, ours = (
        {"callbacks.x._target_": "foreign.Shows"},
        {"callbacks.x._target_": "lowlight.callbacks.Samples"},
    )
    with patch.object(sys, "path", [str(tmp_path), *sys.path]):
        assert differing_keys(foreign, ours)
        assert differing_keys({}, foreign, own=False)
        assert not differing_keys({}, ours, own=False)


def test_restart_replaces_the_run_and_nothing_else(tmp_path: Path) -> None:
    prepare(config(tmp_path))
    for name in ("last.ckpt", "best.ckpt", "manifest.json", "per_video.csv", "mine.txt"):
        (tmp_path / name).touch()
    prepare(config(tmp_path, "restart", seed=1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "mine.txt"]


def test_a_config_that_is_no_runs_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine: 1\n")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "holiday.jpg").touch()
    with pytest.raises(ValueError, match="no run of lowlight"):
        prepare_evaluation(config(tmp_path, "restart"))
    assert (tmp_path / "config.yaml").read_text() == "mine: 1\n"
    prepare(config(tmp_path / "run"))
    (tmp_path / "run" / "pictures").mkdir()
    (tmp_path / "run" / "pictures" / "holiday.jpg").touch()
    prepare_evaluation(config(tmp_path / "run", "restart"))
    assert (tmp_path / "run" / "pictures" / "holiday.jpg").exists()


def test_where_a_run_lies_and_how_its_data_is_spelt_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = config(Path("a"), "auto", data={"root": "LOL"}, callbacks={"dirpath": "a"})
    train_an_epoch(first)
    (tmp_path / "a").rename(tmp_path / "b")
    prepare(config(Path("b"), "auto", data={"root": f"{tmp_path}/LOL/"}, callbacks={"dirpath": "b"}))
    with pytest.raises(ValueError, match=r"data\.root"):
        prepare(config(Path("b"), "auto", data={"root": "LOL2"}, callbacks={"dirpath": "b"}))


@pytest.mark.parametrize("key", ["data.sets.lol.root", "data.layout.pairs", "data.bright", "data.root"])
def test_every_folder_of_data_counts_by_its_absolute_path(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def settings(folder: str) -> dict[str, Any]:
        config = OmegaConf.from_dotlist([f"{key}={folder}"])
        return recipe(cast(dict[str, Any], OmegaConf.to_container(config)))

    assert settings("LOL") == settings(str(tmp_path / "LOL"))
    assert settings("LOL") != settings("SICE")


def test_an_evaluation_never_replaces_a_training_run(tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").touch()
    with pytest.raises(ValueError, match="holds a training run"):
        prepare_evaluation(config(tmp_path, "restart"))


def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot write to output_dir"):
        prepare(config(tmp_path / "file" / "run"))


def test_json_stays_valid_with_infinite_values(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [float("inf"), float("-inf"), float("nan"), 1.5]})
    parsed = json.loads((tmp_path / "a.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert parsed == {"a": ["Infinity", "-Infinity", "NaN", 1.5]}
    assert float(parsed["a"][0]) == float("inf")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match="not whole"):
        read_json(tmp_path / "a.json")


def test_provenance_names_versions_and_machine() -> None:
    known = provenance()
    assert known["versions"]["torch"]
    assert known["machine"]["cores"] >= 1


def test_a_command_keeps_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report shows the command, and a run folder is handed on."""
    address = "logger.tracking_uri=https://ann:p@ss@host:5000/x@y"
    monkeypatch.setattr("sys.argv", ["lowlight-train", address, "logger.group=a@b"])
    shown = ["lowlight", "train", "logger.tracking_uri=https://***@host:5000/x@y", "logger.group=a@b"]
    assert provenance()["command"] == shown


def test_a_commit_made_during_a_training_is_not_that_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = iter(["first", "second"])

    def git(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, next(heads) if "rev-parse" in command else "tracked")

    monkeypatch.setattr("lowlight.runs.provenance.subprocess.run", git)
    monkeypatch.setattr("lowlight.runs.provenance._commit", cache(_commit.__wrapped__))
    assert [provenance()["commit"], provenance()["commit"]] == ["first", "first"]


def test_what_is_scored_may_be_spelt_relatively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation stores the absolute path of what it scored; asked for again, it is the same."""
    prepare(config(tmp_path / "out", "auto", checkpoint=str(tmp_path / "runs" / "a"), predictions=None))
    write_json(tmp_path / "out" / "metrics.json", {"test/psnr": 20.0})
    write_json(tmp_path / "out" / "manifest.json", {})
    monkeypatch.chdir(tmp_path)
    assert finished(config(tmp_path / "out", "auto", checkpoint="runs/a", predictions=None))
    with pytest.raises(ValueError, match="another recipe: checkpoint is "):
        finished(config(tmp_path / "out", "auto", checkpoint="runs/b", predictions=None))


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("checkpoint", ["best.ckpt", "last.ckpt"]),
        ("checkpoint", ["last.ckpt"]),
        ("checkpoint", ["model.safetensors"]),
        ("predictions", ["a.png", "set/b.png"]),
    ],
)
def test_scores_are_outdated_once_what_was_scored_is_written_anew(
    key: str, written: list[str], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    values = {"checkpoint": None, "predictions": None, key: str(source)}
    run = config(tmp_path / "out", "auto", **values)
    for name in (*(f"source/{name}" for name in written), "out/manifest.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    since = (tmp_path / "out" / "manifest.json").stat().st_mtime
    for name in written:
        os.utime(source / name, (since - 1, since - 1))
    assert not outdated(run)
    os.utime(source / written[-1], (since + 1, since + 1))
    assert outdated(run) is (written[-1] != "last.ckpt" or len(written) == 1)  # the best one was scored
    os.utime(source / written[0], (since + 1, since + 1))
    assert outdated(run)
