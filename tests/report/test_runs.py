"""Run folders: read as they are, refused when unfinished or not comparable."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lowlight.images import read_image, write_image
from lowlight.report.entries import gather
from lowlight.report.runs import read_run, read_runs
from tests.report.fake_runs import NAMES, write_run


def test_a_run_is_read_with_infinity_and_empty_cells(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", psnr=math.inf, epochs=0))
    assert run.scores["psnr"] == math.inf
    assert "loss" not in run.scores
    assert run.curves == {}
    (tmp_path / "run" / "metrics.csv").write_text("epoch,val/psnr,train/loss\n1,,0.5\n2,9.5,Infinity\n")
    run = read_run(tmp_path / "run")
    assert run.curves == {"train/loss": {1: 0.5, 2: math.inf}, "val/psnr": {2: 9.5}}
    assert run.best_epoch == 2


def test_the_best_epoch_follows_the_objective_unless_the_run_names_it(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", config={"objective": {"metric": "val/loss", "mode": "min"}})
    (folder / "metrics.csv").write_text("epoch,val/loss\n1,0.5\n2,0.3\n3,0.4\n")
    assert read_run(folder).best_epoch == 2
    named = write_run(tmp_path / "named", manifest={"best_epoch": 7})
    assert read_run(named).best_epoch == 7


@pytest.mark.parametrize("name", ["metrics.json", "per_image.csv", "manifest.json", "config.yaml"])
def test_an_unfinished_run_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    folder = write_run(tmp_path / "half")
    (folder / name).unlink()
    with pytest.raises(
        ValueError, match=rf"half: not a finished run, it has no {name}; finish the run .*resume=auto"
    ):
        read_run(folder)


@pytest.mark.parametrize("name", ["metrics.json", "manifest.json", "config.yaml"])
def test_a_broken_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_run(tmp_path / "broken")
    (folder / name).write_text("{1: [")
    with pytest.raises(ValueError, match=rf"broken/{name}: not "):
        read_run(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("per_image.csv", "name,psnr\na,high\n"),
        ("per_image.csv", "psnr\n20\n"),
        ("metrics.csv", "epoch,val/psnr\n,9\n"),
        ("metrics.csv", "epoch,val/psnr\n1,9,9\n"),
        ("metrics.json", '{"test/psnr": []}'),
    ],
)
def test_a_file_with_other_content_is_named(tmp_path: Path, name: str, content: str) -> None:
    folder = write_run(tmp_path / "broken")
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=rf"broken/{name}: (not a number|no column|not a readable table)"):
        read_run(folder)


def test_a_missing_or_doubled_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere: no such run folder"):
        read_runs([tmp_path / "nowhere"])
    folder = write_run(tmp_path / "run")
    with pytest.raises(ValueError, match="given twice"):
        read_runs([folder, tmp_path / "run" / ".." / "run"])
    with pytest.raises(ValueError, match="no run to compare"):
        read_runs([])


def _other_names(root: Path) -> Path:
    return write_run(root / "b", names=(*NAMES[:2], "eval15/99"))


def _other_size(root: Path) -> Path:
    return write_run(root / "b", metrics={"size": "256x256"})


def _other_split(root: Path) -> Path:
    return write_run(root / "b", metrics={"split": "train"})


def _no_references(root: Path) -> Path:
    return write_run(root / "b", metrics={"references": False})


def _other_scenes(root: Path) -> Path:
    return write_run(root / "b", scenes=[NAMES[0], NAMES[0], NAMES[2]])


def _other_definition(root: Path) -> Path:
    return write_run(root / "b", metrics={"definitions": {"psnr": "on luminance"}})


def _other_pixels(root: Path) -> Path:
    folder = write_run(root / "b")
    low = folder / "pictures" / "test" / "eval15__22" / "low.png"
    write_image(read_image(low.with_name("high.png")), low)
    return folder


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_other_names, r"a and .*b cannot be ranked.* only in .*a: eval15/79; only in .*b: eval15/99"),
        (_other_size, r"a and .*b cannot be ranked: size is native in one, 256x256 in the other"),
        (_other_split, r"a and .*b cannot be ranked: split is test in one, train in the other"),
        (_no_references, r"a and .*b cannot be ranked: references is yes in one, no in the other"),
        (_other_scenes, r"a and .*b cannot be ranked: .* another scene in each: eval15/22;"),
        (_other_definition, r"a and .*b cannot be ranked: they define psnr differently"),
        (_other_pixels, r"a and .*b cannot be ranked: eval15__22/low.png is a different picture"),
    ],
)
def test_runs_scored_on_different_images_are_not_ranked(
    tmp_path: Path, write: Callable[[Path], Path], message: str
) -> None:
    first = write_run(tmp_path / "a")
    with pytest.raises(ValueError, match=message) as caught:
        read_runs([first, write(tmp_path)])
    assert "\n" not in str(caught.value)


def test_definitions_that_the_first_run_lacks_are_compared_among_the_others(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / "a")]
    folders += [
        write_run(tmp_path / name, metrics={"definitions": {"lpips": by}})
        for name, by in (("b", "AlexNet"), ("c", "VGG"))
    ]
    with pytest.raises(ValueError, match=r"b and .*c cannot be ranked: they define lpips differently"):
        read_runs(folders)


def test_a_score_that_ranks_nothing_is_left_out_where_its_definitions_differ(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folders = [
        write_run(tmp_path / name, metrics={"definitions": {"loe": by}, "test/loe": 100.0})
        for name, by in (("a", "rounded"), ("b", "not rounded"))
    ]
    for run in read_runs(folders):
        assert "loe" not in run.scores
        assert "psnr" in run.scores
    assert "loe is left out" in caplog.text
    assert all("loe" in run.scores for run in read_runs(folders[:1]))


def test_pictures_that_the_first_run_did_not_keep_are_compared_among_the_others(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / "a"), write_run(tmp_path / "c"), _other_pixels(tmp_path)]
    shutil.rmtree(folders[0] / "pictures")
    with pytest.raises(ValueError, match=r"c and .*b cannot be ranked: eval15__22/low.png is a different"):
        read_runs(folders)


def test_seeds_of_a_recipe_are_one_entry_and_entries_are_ranked(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path / "poor", "autoencoder", psnr=12.0),
        write_run(tmp_path / "second", psnr=23.0, seed=2),
        write_run(tmp_path / "first", psnr=20.0, seed=1),
    ]
    entries = gather(read_runs(folders))
    assert [entry.label for entry in entries] == ["mirnet", "autoencoder"]
    assert [run.seed for run in entries[0].runs] == [1, 2]
    assert entries[0].score("psnr") == 21.5
    assert entries[0].spread("psnr") == pytest.approx(1.5 * math.sqrt(2))
    assert math.isnan(entries[1].spread("psnr"))
    epoch, mean, low, high = entries[0].curve("val/psnr")[-1]
    assert epoch == 20
    assert low < mean < high


def test_runs_of_a_method_are_labelled_by_what_differs(tmp_path: Path) -> None:
    def with_lr(lr: float, **more: object) -> dict[str, object]:
        return {"method": {"name": "mirnet", "optimizer": {"lr": lr}, **more}}

    folders = [
        write_run(tmp_path / "a", psnr=22.0),
        write_run(tmp_path / "b", psnr=21.0, config=with_lr(1e-4)),
        write_run(tmp_path / "c", psnr=20.0, config=with_lr(0.5, net={"lr": 3})),
    ]
    assert [e.label for e in gather(read_runs(folders[:2]))] == ["mirnet (lr=2e-4)", "mirnet (lr=1e-4)"]
    labels = [entry.label for entry in gather(read_runs(folders))]
    assert labels[2] == "mirnet (net.lr=3, optimizer.lr=0.5)"


def test_runs_that_nothing_tells_apart_are_labelled_by_folder(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name / "run", psnr=20.0) for name in ("old", "new")]
    assert [entry.label for entry in gather(read_runs(folders))] == ["mirnet (old/run)", "mirnet (new/run)"]


def test_a_checkpoint_evaluated_elsewhere_may_not_know_its_training(tmp_path: Path) -> None:
    unknown = dict.fromkeys(("epochs", "max_epochs", "train_minutes", "stopped", "best_epoch"))
    folder = write_run(tmp_path / "evaluated", epochs=0, manifest=unknown)
    entry = gather([read_run(folder)])[0]
    assert entry.first.stopped == "unknown"
    assert math.isnan(entry.fact("epochs"))
    assert json.loads((folder / "manifest.json").read_text())["stopped"] is None
