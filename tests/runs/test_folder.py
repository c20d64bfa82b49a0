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
    with pytest.raises(ValueError, match=r"last\.ckpt is not of a run of lowlight"):
        prepare(config(tmp_path, "auto"))
    assert resumable(config(tmp_path, "never")) == []


FOREIGN = ("best.ckpt", "metrics.csv", "per_image.csv", "pictures/test/a.png", "tensorboard/events.mine")


@pytest.mark.parametrize("resume", ["never", "auto", "restart"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_no_run_left_is_not_replaced(foreign: str, resume: str, tmp_path: Path) -> None:
    (tmp_path / foreign).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / foreign).write_text("mine")
    with pytest.raises(ValueError, match="is not of a run of lowlight, and this one would write there"):
        prepare(config(tmp_path, resume))
    assert (tmp_path / foreign).read_text() == "mine"
    assert not (tmp_path / "config.yaml").exists()


def test_only_images_that_a_run_saved_are_removed(tmp_path: Path) -> None:
    """A folder of photographs beside an evaluation, or in the folder of its images, is the user's."""
    photographs = [tmp_path / "images" / name for name in ("a.png", "mine.png", "kept/b.png")]
    for file in photographs:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    with pytest.raises(ValueError, match=r"images is not of a run of lowlight"):
        prepare(config(tmp_path, "restart", save_images=True))
    prepare(config(tmp_path, "restart"))
    (tmp_path / "per_image.csv").write_text("name,psnr\nlol/a,1\n")
    prepare(config(tmp_path, "restart"))  # saved none
    assert all(file.exists() for file in photographs)
    with pytest.raises(ValueError, match=r"images is not of a run of lowlight"):
        prepare(config(tmp_path, "restart", save_images=True))
    assert all(file.exists() for file in photographs)


def test_a_restart_removes_the_pictures_of_the_run(tmp_path: Path) -> None:
    prepare(config(tmp_path, save_images=True))
    (tmp_path / "per_image.csv").write_text("name,psnr\nlol/a,1\nsice/b,1\n")
    ours = ("images/a.png", "images/sice/b.png", "pictures/test/lol__a/low.png", "pictures/progress/low.png")
    ours += ("pictures/progress/epoch-0001.png", "tensorboard/events.out.tfevents.1.host")
    theirs = ("images/c.png", "pictures/test/note.txt", "tensorboard/mine.txt")
    for name in (*ours, *theirs):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    prepare(config(tmp_path, "restart", save_images=True))
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == sorted(["config.yaml", *theirs])
    assert not (tmp_path / "pictures" / "progress").exists()


@pytest.mark.parametrize("key", ["predictions", "data.root", "start_from"])
@pytest.mark.parametrize("resume", ["never", "auto", "restart"])
def test_what_a_run_reads_does_not_lie_in_what_it_replaces(key: str, resume: str, tmp_path: Path) -> None:
    prepare(config(tmp_path, save_images=True))
    (tmp_path / "images" / "sub").mkdir(parents=True)
    (tmp_path / "images" / "sub" / "a.png").touch()
    reading = OmegaConf.from_dotlist([f"{key}={tmp_path}/images/sub"])
    with pytest.raises(ValueError, match=rf"{key}: .*images.sub lies among the results in output_dir="):
        prepare(OmegaConf.merge(config(tmp_path, resume, save_images=True), reading))  # type: ignore[arg-type]
    assert (tmp_path / "images" / "sub" / "a.png").exists()


@pytest.mark.parametrize("kind", ["method", "checkpoint", "predictions"])
def test_an_evaluation_of_each_kind_is_replaced_by_the_next(kind: str, tmp_path: Path) -> None:
    values = {"output_dir": str(tmp_path), "resume": "restart", "data": {}, "predictions": None}
    evaluation = OmegaConf.create(values | {"checkpoint": None, kind: "x"})  # no method: Hydra leaves it out
    for _ in range(2):
        prepare_evaluation(evaluation)
        (tmp_path / "manifest.json").touch()


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
