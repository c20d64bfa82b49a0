"""The commands, run as a user runs them."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.commands import AUTOENCODER, QUICK, in_process, lowlight, on
from tests.conftest import photograph
from tests.tiny import TINY


@pytest.mark.slow
def test_a_run_leaves_what_compare_reads_and_is_not_done_twice(
    lol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", *AUTOENCODER, *on(lol), "output_dir=run", "resume=auto"]
    first = lowlight(*command, folder=tmp_path)
    assert first.returncode == 0, first.stderr
    run = tmp_path / "run"
    metrics, manifest = (json.loads((run / f"{name}.json").read_text()) for name in ("metrics", "manifest"))
    with (run / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["name"] for row in rows) == ["LOL/7", "LOL/8"]
    mean = sum(float(row["psnr"]) for row in rows) / 2
    assert metrics["test/psnr"] == pytest.approx(mean, abs=1e-4)
    assert {"val/psnr", "test/ssim", "test/exposure/f1", "test/channel/accuracy"} <= set(metrics)
    assert (metrics["split"], metrics["images"], metrics["size"]) == ("test", 2, "native")
    with (run / "metrics.csv").open() as file:
        curves = list(csv.DictReader(file))
    assert [row["epoch"] for row in curves] == ["1", "2"]
    assert all(row[key] for row in curves for key in ("train/loss", "train/psnr", "val/loss", "val/psnr"))
    assert (manifest["stopped"], manifest["epochs"], manifest["method"]) == ("finished", 2, "autoencoder")
    assert manifest["command"][:2] == ["lowlight", "train"]
    names = {path.relative_to(run).as_posix() for path in run.rglob("*.png")}
    assert "pictures/test/LOL__7/enhanced.png" in names
    assert {"pictures/progress/epoch-0001.png", "pictures/progress/epoch-0002.png"} <= names

    in_process(*command, folder=tmp_path)
    assert "finished; nothing to do" in capsys.readouterr().out
    with pytest.raises(SystemExit) as other:
        in_process(*command, "method.net.slope=0.2", folder=tmp_path)
    assert str(other.value).startswith("error: ")
    assert "run holds a run of another recipe: method.net.slope is 0.3 there and 0.2 here" in str(other.value)

    scoring = ["evaluate", "checkpoint=run", *on(lol), "trainer=cpu", "output_dir=scores", "resume=auto"]
    for told in (False, True):
        in_process(*scoring, folder=tmp_path)
        assert ("finished; nothing to do" in capsys.readouterr().out) is told
    scores = tmp_path / "scores" / "metrics.json"
    assert json.loads(scores.read_text())["test/psnr"] == metrics["test/psnr"]
    scores.write_text("{}")
    os.utime(run / "best.ckpt")  # as if it were trained anew
    in_process(*scoring, folder=tmp_path)
    assert json.loads(scores.read_text())["test/psnr"] == metrics["test/psnr"]


@pytest.mark.slow
def test_a_run_on_several_sources_is_recognised_and_scored_again(
    lol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(10, 22):
        high, pair = photograph(seed), tmp_path / "pairs" / ("test" if seed > 19 else "train")
        files = {tmp_path / "bright": high, pair / "high": high, pair / "low": high // 5}
        for folder, pixels in files.items():
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{seed}.png")
    roots = {"lol": lol, "exposures": tmp_path / "pairs", "bright": tmp_path / "bright"}
    data = ["data=mixed", *(f"data.sets.{name}.root='{root}'" for name, root in roots.items())]
    data += ["data.batch_size=2", "data.epoch_size=4", "data.val_fraction=0.3"]
    command = ["train", *AUTOENCODER, *data, "output_dir=run", "resume=auto"]
    in_process(*command, folder=tmp_path)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {f"test/{name}/psnr" for name in roots} <= set(metrics)
    in_process(*command, folder=tmp_path)
    assert "finished; nothing to do" in capsys.readouterr().out
    in_process("evaluate", "checkpoint=run", *data, "trainer=cpu", "output_dir=scores", folder=tmp_path)
    assert json.loads((tmp_path / "scores" / "metrics.json").read_text())["test/psnr"] == metrics["test/psnr"]


@pytest.mark.slow
def test_evaluate_needs_only_the_test_split(lol: Path, tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "eval15").symlink_to(lol / "eval15")
    done = lowlight("evaluate", "method=gamma", *on(tmp_path / "only"), "output_dir=scores", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "scores" / "metrics.json").read_text())["images"] == 2
    assert "test/psnr" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "data=lol"], "error: data.root is not set"),
        (["train", "data=lol", "data.root=nowhere"], "error: nowhere: no such folder"),
        (["train", "seed=-1"], "error: seed=-1 is not a whole number"),
        (["train", "resume=yes"], "error: resume=yes is none of never, auto, restart"),
        (["train", "method=gamma"], "error: method=gamma learns nothing: score it with `lowlight evaluate"),
        (
            ["train", "method=gan", "trainer.accumulate_grad_batches=0"],
            "error: trainer.accumulate_grad_batches=0 must be above 0",
        ),
        (
            ["train", *TINY["mirnet"], "trainer.gradient_clip_val=-1"],
            "error: trainer.gradient_clip_val=-1 must be positive",
        ),
        (["train", "trainer=gpu"], "error: trainer.accelerator=gpu: torch finds no such device here"),
        (["evaluate"], "error: give one of checkpoint=RUN_OR_CKPT, predictions=FOLDER and method"),
        (["evaluate", "method=mirnet", *TINY["mirnet"]], "error: method=mirnet must be trained first"),
        (["evaluate", "method=gan", *TINY["gan"]], "error: method=gan must be trained first"),
        (["evaluate", "checkpoint=nowhere.ckpt"], "error: nowhere.ckpt: no such file or folder"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(SystemExit) as stop:
        in_process(*arguments, folder=tmp_path)
    assert isinstance(stop.value.code, str)  # printed on stderr, with exit status 1
    assert stop.value.code.startswith(message)
    assert "\n" not in stop.value.code
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_an_output_folder_that_cannot_be_made_is_told_in_one_line(verb: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = lowlight(verb, "output_dir=file/run", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: cannot write to output_dir=file/run (Not a directory); choose another\n"


@pytest.mark.slow
def test_two_processes_score_as_one(lol: Path, tmp_path: Path) -> None:
    root = tmp_path / "LOL"
    shutil.copytree(lol, root)
    for role in ("low", "high"):  # three test images for two processes: the sampler pads
        shutil.copy(lol / "our485" / role / "1.png", root / "eval15" / role / "9.png")
    overrides = ["method=gan", *TINY["gan"], *QUICK, *on(root), "trainer.max_epochs=1"]
    command = [
        "train",
        *overrides,
        "trainer.devices=2",
        "output_dir=ddp",
    ]
    done = lowlight(*command, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    in_process("evaluate", "checkpoint=ddp", *on(root), "trainer=cpu", "output_dir=one", folder=tmp_path)
    two, one = (json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("ddp", "one"))
    assert two["images"] == one["images"] == 3
    scores = {key for key in one if key.startswith("test/")} - {"test/loss"}
    for key in scores:
        assert float(two[key]) == pytest.approx(float(one[key]), abs=1e-6, nan_ok=True), key
    for file in ("best.ckpt", "last.ckpt"):
        assert (tmp_path / "ddp" / file).exists()
    with (tmp_path / "ddp" / "per_image.csv").open() as table:
        assert len(list(csv.DictReader(table))) == 3
