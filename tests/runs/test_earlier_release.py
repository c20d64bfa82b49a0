"""Runs made by release 0.1.0, before the package was moved into folders, are still of use.

``golden/runs_0.1.0/finished`` is a tiny autoencoder of four epochs with averaged weights and early stopping;
``stopped`` is the same run, ended in its third epoch. Both were trained on the pairs of the ``lol`` fixture.
"""

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

import lowlight
from lowlight.checkpoints import load, load_method
from lowlight.config import load_config
from lowlight.evaluation import evaluate
from lowlight.files import read_json
from lowlight.images import read_image
from lowlight.renamed import RENAMED
from lowlight.report import compare
from lowlight.training import train
from tests.tiny_runs import checkpoint

GOLDEN = Path(__file__).parents[1] / "golden" / "runs_0.1.0"
CALLBACKS = "callbacks=[default,ema,early_stopping]"


def run_folder(name: str, lol: Path, tmp_path: Path) -> Path:
    """Copy a run to where it would lie if it had been trained here."""
    folder = tmp_path / name
    shutil.copytree(GOLDEN / name, folder)
    config = folder / "config.yaml"
    text = config.read_text().replace("/srv/runs/LOL", str(lol)).replace(f"/srv/runs/{name}", str(folder))
    config.write_text(text)
    return folder


def command(folder: Path, lol: Path, *more: str) -> list[str]:
    method = ["method=autoencoder", "method.net.channels=[4,4,4,4,4]"]
    data = [
        "data=lol",
        f"data.root='{lol}'",
        "data.patch_size=32",
        "data.batch_size=2",
        "data.val_fraction=0.3",
    ]
    trainer = ["trainer=cpu", "trainer.max_epochs=4", "trainer.enable_progress_bar=false", "data.cache=false"]
    callbacks = [CALLBACKS, "callbacks.ema.decay=0.8", "callbacks.test_pictures.count=1"]
    return [*method, *data, *trainer, *callbacks, f"output_dir='{folder}'", "resume=auto", *more]


def test_a_finished_run_is_loaded_and_enhances_as_it_did_then(lol: Path, tmp_path: Path) -> None:
    folder = run_folder("finished", lol, tmp_path)
    low, then = (
        read_image(folder / "pictures" / "test" / "LOL__7" / f"{name}.png")[None]
        for name in ("low", "enhanced")
    )
    enhanced = load_method(folder).enhance(low)
    assert (enhanced - then).abs().max() < 1.5 / 255
    assert torch.equal(enhanced, load(folder / "best.ckpt").enhance(low))
    assert torch.allclose(lowlight.enhance(low, lowlight.load(folder)), enhanced, atol=1e-6)


@pytest.mark.slow
def test_it_scores_what_it_scored_then(lol: Path, tmp_path: Path) -> None:
    folder = run_folder("finished", lol, tmp_path)
    data = [
        "data=lol",
        f"data.root='{lol}'",
        "data.cache=false",
        "trainer=cpu",
        "trainer.enable_progress_bar=false",
    ]
    out = f"output_dir='{tmp_path / 'again'}'"
    now = evaluate(load_config([f"checkpoint='{folder}'", *data, out], "evaluate"))
    then = read_json(folder / "metrics.json")
    then["definitions"].pop("loe")  # rounds since
    assert now["definitions"].items() >= then["definitions"].items()  # metrics may have been added since
    for key in (key for key in then if key.startswith("test/") and key != "test/loe"):
        assert now[key] == pytest.approx(float(then[key]), rel=1e-4, abs=1e-4, nan_ok=True), key
    page = compare([folder, tmp_path / "again"], tmp_path / "report")
    assert "autoencoder" in page.read_text()


def test_the_same_command_finds_it_finished(lol: Path, tmp_path: Path) -> None:
    finished = import_module("lowlight.runs.folder").finished
    folder = run_folder("finished", lol, tmp_path)
    assert finished(load_config(command(folder, lol))) == read_json(folder / "metrics.json")
    with pytest.raises(ValueError, match=r"callbacks\.ema\.decay is 0\.8 there and 0\.9 here"):
        finished(load_config(command(folder, lol, "callbacks.ema.decay=0.9")))


def test_a_stopped_run_is_resumed_and_ends_as_if_never_stopped(lol: Path, tmp_path: Path) -> None:
    folder = run_folder("stopped", lol, tmp_path)
    metrics = train(load_config(command(folder, lol)))
    never_stopped = torch.load(GOLDEN / "finished" / "best.ckpt", weights_only=True)
    assert never_stopped["epoch"] == checkpoint(folder)["epoch"] == 3
    for key, weight in checkpoint(folder)["state_dict"].items():
        assert torch.allclose(weight, never_stopped["state_dict"][key], rtol=1e-3, atol=1e-4), key
    then = read_json(GOLDEN / "finished" / "metrics.json")
    assert metrics["test/psnr"] == pytest.approx(then["test/psnr"], abs=1e-3)
    rows = [len((place / "metrics.csv").read_text().splitlines()) for place in (folder, GOLDEN / "finished")]
    assert rows[0] == rows[1] == 5


def resolve(name: str) -> object:
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


@pytest.mark.parametrize("earlier", sorted(RENAMED))
def test_names_that_have_moved_are_those_of_today(earlier: str) -> None:
    assert resolve(earlier) is resolve(RENAMED[earlier])


OF_THE_RELEASE = """
averaging.ExponentialAverage callbacks.CurveLogger callbacks.ProgressPictures callbacks.TestPictures
checkpoint.load cli.hydra_app.OutputCheck cli.multirun.SweepSummary cli.study.ContinuedStudy
data.DarkenedPhotographs data.PairDataModule data.PairedFolder losses.charbonnier losses.hinge losses.l1
losses.ssim_loss losses.vanilla losses.weighted_sum methods.Classical methods.GAN methods.Supervised
methods.TwoStages methods.classical.bilateral methods.classical.clahe methods.classical.gamma
methods.classical.histogram methods.classical.identity methods.retinex.lime methods.retinex.msrcr
networks.Autoencoder networks.CoarseToFine networks.MIRNet networks.PatchGAN networks.UNet
schedules.WarmupCosine stopping.StaysStopped tracking.LearningRate tracking.Samples
tracking.TensorBoardCurves tracking.WandbCurves
"""


@pytest.mark.parametrize("name", OF_THE_RELEASE.split())
def test_every_public_name_of_the_configs_and_readme_of_the_release_is_found(name: str) -> None:
    assert callable(resolve(f"lowlight.{name}"))


def test_an_earlier_module_is_imported_as_any_other() -> None:
    code = "import lowlight.checkpoint; from importlib.util import find_spec; find_spec('lowlight.tracking')"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_never_was_is_missing() -> None:
    with pytest.raises(AttributeError, match=r"lowlight\.tracking.* has no attribute 'Nothing'"):
        getattr(import_module("lowlight.tracking"), "Nothing")  # noqa: B009
