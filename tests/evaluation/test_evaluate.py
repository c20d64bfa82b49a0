"""Scoring a method, a checkpoint or saved images: the same pictures get the same numbers."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from PIL import Image

from lowlight.checkpoints.load import load_run
from lowlight.checkpoints.pretrained import save_pretrained
from lowlight.checkpoints.recipe import build
from lowlight.config import load_config
from lowlight.evaluation import evaluate
from lowlight.evaluation.evaluate import alone
from lowlight.metrics import Metric
from lowlight.metrics.brisque import model
from lowlight.report import compare
from tests.conftest import photograph

L1 = {"_target_": "lowlight.losses.l1", "_partial_": True}


def run(root: Path | str, out: Path, *overrides: str) -> dict[str, Any]:
    """Evaluate on a folder and return the content of metrics.json."""
    config = load_config(
        [
            "data=lol",
            f"data.root={root}" if str(root).startswith("[") else f"data.root='{root}'",
            "trainer=cpu",
            "trainer.enable_progress_bar=false",
            f"output_dir='{out}'",
            *overrides,
        ],
        name="evaluate",
    )
    evaluate(config)
    content: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return content


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "per_image.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_saved_images_score_as_the_method_that_made_them(lol: Path, tmp_path: Path) -> None:
    method = run(lol, tmp_path / "gamma", "method=gamma", "save_images=true")
    assert sorted(path.name for path in (tmp_path / "gamma" / "images").iterdir()) == ["7.png", "8.png"]
    files = run(lol, tmp_path / "saved", f"predictions='{tmp_path}/gamma/images'", "name=theirs")
    assert files == {key: value for key, value in method.items() if key != "test/loss"}
    assert rows(tmp_path / "saved") == rows(tmp_path / "gamma")
    manifest = json.loads((tmp_path / "saved" / "manifest.json").read_text())
    assert manifest["method"] == "theirs"
    assert manifest["predictions"] == str(tmp_path / "gamma" / "images")
    for folder in ("gamma", "saved"):
        assert (tmp_path / folder / "pictures" / "test" / "LOL__7" / "enhanced.png").is_file()


def test_names_in_another_encoding_than_utf_8_are_escaped(tmp_path: Path) -> None:
    for role, pixels in {"low": photograph(1) // 4, "high": photograph(1)}.items():
        folder = tmp_path / "LOL" / "eval15" / role
        folder.mkdir(parents=True)
        Image.fromarray(pixels).save(folder / os.fsdecode(b"caf\xe9.png"), format="png")
    run(tmp_path / "LOL", tmp_path / "out", "method=gamma", "save_images=true")
    assert [row["name"] for row in rows(tmp_path / "out")] == ["LOL/caf\\udce9"]
    compare([tmp_path / "out"], tmp_path / "report")
    assert "caf\\udce9" in (tmp_path / "report" / "index.html").read_text()
    again = run(tmp_path / "LOL", tmp_path / "saved", f"predictions='{tmp_path}/out/images'")
    assert again["test/psnr"] == json.loads((tmp_path / "out" / "metrics.json").read_text())["test/psnr"]


def test_a_pretrained_folder_scores_as_the_method_it_holds(lol: Path, tmp_path: Path) -> None:
    save_pretrained(build(load_config(["method=gamma"]).method), tmp_path / "folder")
    method = run(lol, tmp_path / "method", "method=gamma")
    assert run(lol, tmp_path / "out", f"checkpoint='{tmp_path}/folder'") == method


@pytest.mark.slow
def test_a_checkpoint_brings_the_facts_and_curves_of_its_training(lol: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    save_pretrained(build(load_config(["method=gamma"]).method), folder)
    known = {"seed": 3, "epochs": 7, "stopped": "max_time", "data": {"split": "standard"}, "method": "theirs"}
    (folder / "manifest.json").write_text(json.dumps(known))
    (folder / "config.yaml").write_text("method: {name: gamma}\nseed: 3\noutput_dir: somewhere\n")
    (folder / "metrics.csv").write_text("epoch,val/psnr\n1,9.5\n")
    run(lol, tmp_path / "out", f"checkpoint='{folder}'")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    found = {key: manifest[key] for key in ("method", "seed", "epochs", "stopped", "data_of_training")}
    assert found == {
        "method": "gamma", "seed": 3, "epochs": 7, "stopped": "max_time",
        "data_of_training": {"split": "standard"},
    }  # fmt: skip
    assert manifest["trained_as"]["method.name"] == "gamma"
    assert (tmp_path / "out" / "metrics.csv").read_text() == "epoch,val/psnr\n1,9.5\n"
    run(lol, tmp_path / "untrained", "method=gamma")
    manifest = json.loads((tmp_path / "untrained" / "manifest.json").read_text())
    assert (manifest["epochs"], manifest["train_minutes"], manifest["stopped"]) == (0, 0.0, "finished")
    assert manifest["precision"]["used"] == ["32-true"]  # by which compare tells evaluations apart


def test_the_weights_that_come_along_are_scored_by_their_name(lol: Path, tmp_path: Path) -> None:
    shipped = run(lol, tmp_path / "out", "checkpoint=coarse_to_fine")
    assert shipped["test/psnr"] > run(lol, tmp_path / "dark", "method=identity")["test/psnr"] + 1
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["method"] == "coarse_to_fine"
    assert load_run(tmp_path / "out").name == "coarse_to_fine"  # by which compare times it


def test_a_result_names_everything_that_it_depends_on(lol: Path, tmp_path: Path) -> None:
    metrics = run(lol, tmp_path / "out", "method=identity")
    keys = {key.removeprefix("test/") for key in metrics if key.startswith("test/")} - {"loss"}
    assert {
        "psnr", "ssim", "psnr_y", "psnr_gtmean", "ssim_gtmean", "ssim_uniform7", "ssim_gray", "delta_e",
        "loe", "niqe", "exposure/accuracy", "exposure/f1", "channel/accuracy", "channel/precision",
    } <= keys  # fmt: skip
    assert {key.split("/")[0] for key in keys} == set(metrics["definitions"])
    assert set(metrics["intervals"]) == keys
    low, high = metrics["intervals"]["psnr"]
    assert low <= metrics["test/psnr"] <= high
    told = {key: metrics[key] for key in ("split", "protocol", "images", "scenes", "size", "rounding")}
    assert told == {
        "split": "test", "protocol": "standard", "images": 2, "scenes": 2, "size": "native",
        "rounding": "8-bit",
    }  # fmt: skip
    assert [(row["name"], row["scene"]) for row in rows(tmp_path / "out")] == [
        ("LOL/7", "LOL/7"),
        ("LOL/8", "LOL/8"),
    ]
    assert set(rows(tmp_path / "out")[0]) == {"name", "scene"} | keys


def test_joined_sets_are_also_scored_apart(lol: Path, tmp_path: Path) -> None:
    other = shutil.copytree(lol, tmp_path / "other")
    (other / "eval15" / "low" / "7.png").unlink()
    (other / "eval15" / "high" / "7.png").unlink()
    metrics = run(f"['{lol}','{other}']", tmp_path / "out", "method=gamma")
    scored = {row["name"]: float(row["psnr"]) for row in rows(tmp_path / "out")}
    assert set(scored) == {"LOL/7", "LOL/8", "other/8"}
    assert metrics["test/psnr"] == pytest.approx(sum(scored.values()) / 3, rel=1e-4)
    assert metrics["test/other/psnr"] == pytest.approx(scored["other/8"], rel=1e-4)
    low, high = metrics["intervals"]["LOL/psnr"]
    assert low <= metrics["test/LOL/psnr"] <= high
    assert metrics["intervals"]["other/psnr"] == ["NaN", "NaN"]  # of one scene


def test_one_scene_alone_has_no_interval(lol: Path, tmp_path: Path) -> None:
    for role in ("low", "high"):
        (tmp_path / "root" / "test" / role).mkdir(parents=True)
        for stem in ("a", "b"):
            shutil.copy(lol / "eval15" / role / "7.png", tmp_path / "root" / "test" / role / f"{stem}.png")
    metrics = run(tmp_path / "root", tmp_path / "out", "method=gamma")
    assert (metrics["images"], metrics["scenes"]) == (2, 1)
    assert metrics["intervals"]["psnr"] == ["NaN", "NaN"]


def test_features_are_matched_for_each_level_of_noise(lol: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    run(lol, tmp_path / "gamma", "method=gamma", "features=true", "save_images=true")
    means = json.loads((tmp_path / "gamma" / "features.json").read_text())
    assert set(means["orb"]) == set(means["sift"]) == {"0", "5", "10", "20"}
    assert set(means["sift"]["5"]) == {"low", "enhanced", "reference"}
    with (tmp_path / "gamma" / "features.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2 * 2 * 4 * 3
    run(lol, tmp_path / "saved", f"predictions='{tmp_path}/gamma/images'", "features=true")
    saved = json.loads((tmp_path / "saved" / "features.json").read_text())
    assert saved == {detector: {"0": levels["0"]} for detector, levels in means.items()}


def test_perfect_predictions_score_infinity_in_valid_json(lol: Path, tmp_path: Path) -> None:
    metrics = run(lol, tmp_path / "out", f"predictions='{lol}/eval15/high'")
    assert metrics["test/psnr"] == "Infinity"
    assert metrics["test/ssim"] == pytest.approx(1)
    assert metrics["test/delta_e"] == 0


def test_predictions_of_several_sets_stand_in_a_folder_each(lol: Path, tmp_path: Path) -> None:
    shutil.copytree(lol, tmp_path / "more")
    both = f"['{lol}','{tmp_path}/more']"
    method = run(both, tmp_path / "gamma", "method=gamma", "save_images=true")
    saved = {
        path.relative_to(tmp_path / "gamma" / "images").as_posix() for path in tmp_path.rglob("images/*/*")
    }
    assert saved == {"LOL/7.png", "LOL/8.png", "more/7.png", "more/8.png"}
    files = run(both, tmp_path / "saved", f"predictions='{tmp_path}/gamma/images'")
    assert files["test/psnr"] == method["test/psnr"]
    assert files["images"] == 4


@pytest.mark.parametrize("prefix", ["low", "normal", ""])
def test_predictions_may_be_named_like_the_files_of_the_set(lol: Path, tmp_path: Path, prefix: str) -> None:
    root = tmp_path / "LOL-v2"
    for split, images in {"Train": "our485", "Test": "eval15"}.items():
        for role, name in {"low": "Low", "high": "Normal"}.items():
            files = {"low": "low", "high": "normal"}[role]
            folder = root / "Real_captured" / split / name
            folder.mkdir(parents=True)
            for path in (lol / images / role).iterdir():
                shutil.copy(path, folder / f"{files}0069{path.name}")
    for path in (lol / "eval15" / "high").iterdir():
        (tmp_path / "saved").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "saved" / f"{prefix}0069{path.name}")
    shutil.copy(lol / "our485" / "high" / "1.png", tmp_path / "saved" / "more.png")  # of no test image
    metrics = run(root, tmp_path / "out", "data=lol_v2_real", f"predictions='{tmp_path}/saved'")
    assert metrics["images"] == 2
    assert metrics["test/psnr"] == "Infinity"
    assert [row["name"] for row in rows(tmp_path / "out")] == ["LOL-v2/00697", "LOL-v2/00698"]


def test_a_file_name_that_several_images_share_names_none_of_them(tmp_path: Path) -> None:
    """SICE: each scene has one reference for its exposures, which are numbered alike in all scenes."""
    root = tmp_path / "SICE"
    for number, part in (("1", "Dataset_Part1"), ("2", "Dataset_Part2"), ("3", "Dataset_Part2")):
        for exposure in (1, 2, 3, 4, 5):
            path = root / part / number / f"{exposure}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(photograph(int(number)) // (6 - exposure)).save(path)
        (root / part / "Label").mkdir(exist_ok=True)
        Image.fromarray(photograph(int(number))).save(root / part / "Label" / f"{number}.png")
    shutil.copytree(root / "Dataset_Part2" / "Label", tmp_path / "saved")
    with pytest.raises(ValueError, match=r"2_1 is missing"):
        run(root, tmp_path / "out", "data=sice", f"predictions='{tmp_path}/saved'")


@pytest.fixture
def predictions(lol: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lol / "eval15" / "low", tmp_path / "predictions"))


def score(lol: Path, predictions: Path) -> dict[str, Any]:
    return run(lol, predictions.parent / "out", f"predictions='{predictions}'")


def test_a_missing_prediction_is_named(lol: Path, predictions: Path) -> None:
    (predictions / "8.png").unlink()
    with pytest.raises(ValueError, match=r"predictions: 8 is missing\. Every test image needs exactly one"):
        score(lol, predictions)
    assert not (predictions.parent / "out" / "metrics.json").exists()


def test_a_double_prediction_is_named(lol: Path, predictions: Path) -> None:
    Image.open(predictions / "8.png").save(predictions / "8.bmp")
    with pytest.raises(ValueError, match=r"8\.bmp and 8\.png have the same stem"):
        score(lol, predictions)


def test_a_prediction_of_another_size_is_named(lol: Path, predictions: Path) -> None:
    Image.fromarray(photograph(1, 20, 30)).save(predictions / "7.png")
    with pytest.raises(ValueError, match=r"7\.png: is 30x20 pixels but its reference is 64x48; save"):
        score(lol, predictions)


def test_a_broken_prediction_is_named(lol: Path, predictions: Path) -> None:
    (predictions / "7.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"7\.png: "):
        score(lol, predictions)


def test_predictions_that_belong_to_no_test_image_are_told(
    lol: Path, predictions: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(predictions / "7.png", predictions / "99.png")
    assert score(lol, predictions)["images"] == 2
    assert "1 image belongs to no test image" in caplog.text


def test_predictions_inside_the_output_folder_are_refused_and_kept(lol: Path, tmp_path: Path) -> None:
    run(lol, tmp_path / "out", "method=gamma", "save_images=true")
    with pytest.raises(ValueError, match="lies in output_dir"):
        run(lol, tmp_path / "out", f"predictions='{tmp_path}/out/images'")
    assert (tmp_path / "out" / "images" / "7.png").is_file()


def test_a_missing_folder_of_predictions_is_named(lol: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="predictions=nowhere: no such folder"):
        run(lol, tmp_path / "out", "predictions=nowhere")


def test_an_evaluation_is_of_one_thing(lol: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not predictions and method$"):
        run(lol, tmp_path / "out", f"predictions='{lol}/eval15/high'", "method=gamma")
    for more in ([], ["checkpoint="], ["predictions="]):
        with pytest.raises(ValueError, match="give one of checkpoint"):
            run(lol, tmp_path / "out", *more)


def test_another_evaluation_replaces_the_images_of_the_one_before(lol: Path, tmp_path: Path) -> None:
    run(lol, tmp_path / "out", "method=gamma", "save_images=true")
    run(lol, tmp_path / "out", "method=identity")
    assert not (tmp_path / "out" / "images").exists()


def test_the_tasks_of_a_slurm_job_do_not_concern_a_single_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "night")
    with pytest.raises(RuntimeError, match="ntasks"):
        pl.Trainer(devices=1, accelerator="cpu", logger=False)
    one, several = (OmegaConf.create({"devices": number, "num_nodes": 1}) for number in (1, 2))
    trainer = pl.Trainer(devices=1, accelerator="cpu", logger=False, plugins=alone(one))
    assert trainer.world_size == 1
    assert alone(several) == []
    monkeypatch.delenv("SLURM_NTASKS")
    assert alone(one) == []


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (
            {"_target_": "torch.nn.Flatten"},
            "its recipe cannot be built: it does not keep the size of an image",
        ),
        ({"_target_": "torch.nn.Identity"}, None),
        ({"_target_": "torch.nn.Linear", "in_features": 7, "out_features": 7}, "fails on"),
        ({"_target_": "torch.nn.Embedding", "num_embeddings": 2, "embedding_dim": 2}, "fails on"),
    ],
)
def test_a_checkpoint_whose_network_makes_no_image_is_named(
    net: dict[str, Any], said: str | None, lol: Path, tmp_path: Path
) -> None:
    recipe = {"_target_": "lowlight.methods.Supervised", "net": net, "loss": L1, "optimizer": None}
    method = build(recipe)
    torch.save({"state_dict": method.state_dict(), "recipe": recipe}, tmp_path / "odd.ckpt")
    if said is None:
        run(lol, tmp_path / "out", f"checkpoint={tmp_path / 'odd.ckpt'}")
        return
    with pytest.raises(ValueError, match=rf"odd\.ckpt: {said}") as caught:
        run(lol, tmp_path / "out", f"checkpoint={tmp_path / 'odd.ckpt'}")
    assert "\n" not in str(caught.value)


def test_further_metrics_are_scored_and_defined_where_they_are_named(
    lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = Metric(
        "named", "Named", lambda enhanced, high: (enhanced - high).mean((1, 2, 3)), "a new one", "", 1
    )
    monkeypatch.setattr("lowlight.metrics.OPTIONAL", (named,))
    monkeypatch.setattr("lowlight.evaluation.scoring.OPTIONAL", (named,))
    method = run(lol, tmp_path / "gamma", "method=gamma", "metrics=[named]", "save_images=true")
    assert method["definitions"]["named"] == "a new one"
    assert "named" in method["intervals"]
    named_there = [float(row["named"]) for row in rows(tmp_path / "gamma")]
    assert len(named_there) == 2
    assert sum(named_there) / 2 == pytest.approx(method["test/named"], abs=1e-6)
    saved = [f"predictions='{tmp_path}/gamma/images'", "metrics=[named]"]
    assert run(lol, tmp_path / "saved", *saved)["test/named"] == method["test/named"]


def test_further_metrics_that_cannot_be_measured_are_told_before_anything_is_written(
    lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="no optional metric 'ssimm'; did you mean ms_ssim"):
        run(lol, tmp_path / "out", "method=gamma", "metrics=[ssimm]")
    with pytest.raises(ValueError, match="metrics=lpips must be a list"):
        run(lol, tmp_path / "out", "method=gamma", "metrics=lpips")
    photos = lol / "eval15" / "low"
    with pytest.raises(ValueError, match="ms_ssim needs references"):
        run(
            lol, tmp_path / "out", "method=gamma", "metrics=[ms_ssim]", "data=unpaired", f"data.root={photos}"
        )
    monkeypatch.setattr("lowlight.packages.find_spec", lambda name: None)
    model.cache_clear()
    with pytest.raises(ValueError, match=r"lowlight\[brisque\]"):
        run(lol, tmp_path / "out", "method=gamma", "metrics=[brisque]")
    assert not (tmp_path / "out").exists()
