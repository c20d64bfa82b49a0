"""What goes to W&B and TensorBoard is read back from the disk and compared with the run folder's files."""

import csv
import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from PIL import Image
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from lowlight.callbacks.learning_rate import LearningRate
from lowlight.callbacks.samples import Samples
from lowlight.checkpoints.load import load
from lowlight.config import load_config
from lowlight.images import read_image, to_uint8
from lowlight.loggers.base import finishing
from lowlight.loggers.tensorboard import TensorBoardCurves
from lowlight.loggers.wandb import WandbCurves
from lowlight.training import train
from tests.loggers import wandb_file
from tests.tiny import TINY

pytestmark = pytest.mark.xdist_group("wandb")
HALVING = "method.scheduler={_target_:torch.optim.lr_scheduler.StepLR,_partial_:true,step_size:1,gamma:0.5}"
QUICK = ["trainer=cpu", "trainer.max_epochs=3", "trainer.enable_progress_bar=false", "data.patch_size=32"]
FEW = ["data=lol", "data.batch_size=2", "data.val_fraction=0.3"]
GAN = ["method=gan", *TINY["gan"], *QUICK, *FEW, HALVING]
AUTOENCODER = ["method=autoencoder", *TINY["autoencoder"], *QUICK, *FEW]


@pytest.fixture(scope="module", autouse=True)
def _no_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep W&B in a folder of its own, without an API key."""
    home = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_RUN_ID", "WANDB_IDENTITY_TOKEN_FILE"):
            patch.delenv(name, raising=False)
        patch.setenv("NETRC", str(home / "netrc"))
        patch.setenv("WANDB_SILENT", "true")
        for name in ("DATA", "CACHE", "CONFIG", "ARTIFACT"):
            patch.setenv(f"WANDB_{name}_DIR", str(home))
        yield
        import wandb

        wandb.teardown()


@pytest.fixture(scope="module")
def jobs(lol: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the run folders of a sweep of two jobs in this process, logged to W&B and TensorBoard."""
    sweep = tmp_path_factory.mktemp("sweeps") / "grid"
    overrides = [*GAN, f"data.root={lol}", "logger=all", "seed=0,1", f"hydra.sweep.dir={sweep}"]
    quiet = ["hydra/job_logging=none", "hydra/hydra_logging=none"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(sweep.parent)
        patch.setattr(sys, "argv", ["lowlight-train", "-m", *overrides, *quiet])
        import_module("lowlight.cli.train").main()
    return [sweep / "gan-0", sweep / "gan-1"]


def sittings(run: Path) -> list[Path]:
    return sorted(run.glob("wandb/offline-run-*"), key=lambda folder: folder.stat().st_ctime_ns)


def of(run: Path) -> Path:
    (folder,) = sittings(run)
    return folder


def curves(run: Path) -> dict[int, dict[str, float]]:
    with (run / "metrics.csv").open() as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    return {int(row.pop("epoch")): row for row in rows}


def logged(folders: list[Path]) -> dict[int, dict[str, float]]:
    """Return the curves as W&B has them: what one epoch's rows say, together."""
    epochs: dict[int, dict[str, float]] = {}
    for row in (row for folder in folders for row in wandb_file.history(folder)):
        row.pop("samples", None)
        epochs.setdefault(row.pop("epoch"), {}).update(row)
    return epochs


def results(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    metrics, manifest = (json.loads((run / f"{name}.json").read_text()) for name in ("metrics", "manifest"))
    return metrics, manifest


def scores_of(run: Path) -> dict[str, float]:
    return {key: float(value) for key, value in results(run)[0].items() if key.startswith("test/")}


def events(run: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(run / "tensorboard"), {"images": 0, "scalars": 0, "tensors": 0}).Reload()


@pytest.mark.slow
def test_each_job_of_a_sweep_is_a_run_of_its_own_named_after_the_sweep(jobs: list[Path]) -> None:
    runs = [wandb_file.of_kind(of(job), "run")[0] for job in jobs]
    assert runs[0].run_id != runs[1].run_id
    for seed, (job, run) in enumerate(zip(jobs, runs, strict=True)):
        assert (job / "wandb_id.txt").read_text().strip() == run.run_id
        assert (run.project, run.display_name, run.run_group) == ("lowlight", "gan", "grid")
        assert {"method=gan", "data.patch_size=32", f"seed={seed}"} <= set(run.tags)
        assert all(len(tag) <= 64 for tag in run.tags)
        assert [record.exit_code for record in wandb_file.of_kind(of(job), "exit")] == [0]


@pytest.mark.slow
def test_wandb_gets_the_curves_value_for_value_and_epoch_for_epoch(jobs: list[Path]) -> None:
    for job in jobs:
        assert len(curves(job)) == 3
        assert logged([of(job)]) == curves(job)
    steps = {metric.glob_name: metric.step_metric for metric in wandb_file.of_kind(of(jobs[0]), "metric")}
    assert steps["*"] == "epoch"


@pytest.mark.slow
def test_tensorboard_gets_the_same_curves_and_the_scores_of(jobs: list[Path]) -> None:
    seen: dict[int, dict[str, float]] = {}
    scores: dict[str, float] = {}
    accumulator = events(jobs[0])
    for key in accumulator.Tags()["scalars"]:
        for event in accumulator.Scalars(key):
            if key.startswith("test/"):
                scores[key] = event.value
            else:
                seen.setdefault(event.step, {})[key] = event.value
    assert seen == {
        epoch: {key: float(np.float32(value)) for key, value in row.items()}
        for epoch, row in curves(jobs[0]).items()
    }
    assert scores == pytest.approx(scores_of(jobs[0]), rel=1e-12, nan_ok=True)
    (text,) = accumulator.Tensors("config/text_summary")
    assert b"patch_size: 32" in text.tensor_proto.string_val[0]


@pytest.mark.slow
def test_the_learning_rate_of_each_network_is_a_curve(jobs: list[Path]) -> None:
    for key in ("train/lr", "train/discriminator_lr"):
        assert [row[key] for row in curves(jobs[0]).values()] == [2e-4, 1e-4, 5e-5]


@pytest.mark.slow
def test_the_summary_holds_the_test_scores_and_the_best_epoch(jobs: list[Path]) -> None:
    metrics, manifest = results(jobs[0])
    summary = wandb_file.summary(of(jobs[0]))
    scores = scores_of(jobs[0])
    kept = {key: float("nan") if summary[key] is None else summary[key] for key in scores}  # W&B's NaN
    assert kept == pytest.approx(scores, rel=1e-12, nan_ok=True)
    assert (
        summary["val/psnr"] == metrics["val/psnr"] == max(row["val/psnr"] for row in curves(jobs[0]).values())
    )
    assert summary["best_epoch"] == manifest["best_epoch"]


@pytest.mark.slow
def test_the_config_says_what_was_run_and_where(jobs: list[Path]) -> None:
    config = wandb_file.config(of(jobs[1]))
    manifest = json.loads((jobs[1] / "manifest.json").read_text())
    assert (config["seed"], config["method"]["net"]["channels"], config["data"]["seed"]) == (1, 8, 1)
    for key in ("commit", "dirty", "versions", "machine", "parameters"):
        assert config[key] == manifest[key]


@pytest.mark.slow
def test_the_best_checkpoint_is_the_one_model_kept(jobs: list[Path]) -> None:
    metrics, manifest = results(jobs[0])
    (model,) = (one for one in wandb_file.of_kind(of(jobs[0]), "artifact") if one.type == "model")
    (entry,) = model.manifest.contents
    assert (entry.path, Path(entry.local_path)) == ("best.ckpt", jobs[0] / "best.ckpt")
    assert json.loads(model.metadata) == {
        "val/psnr": metrics["val/psnr"],
        "best_epoch": manifest["best_epoch"],
    }


def shown(job: Path, lol: Path) -> dict[str, list[Tensor]]:
    """Return what must be seen of each validation image at the end: low, enhanced and reference, 8-bit."""
    method = load(job / "last.ckpt")
    data = load_config(["data=lol", f"data.root={lol}", "data.val_fraction=0.3"]).data
    from lowlight.checkpoints.recipe import make

    module = make(data)
    module.setup("fit")
    names = [item.name for item in module.datasets["val"].items]
    files = {name: [lol / "our485" / role / f"{name[4:]}.png" for role in ("low", "high")] for name in names}
    images = {name: [read_image(path) for path in pair] for name, pair in files.items()}
    return {
        name: [to_uint8(low), to_uint8(method.enhance(low[None])[0]), to_uint8(high)]
        for name, (low, high) in images.items()
    }


@pytest.mark.slow
def test_wandb_shows_low_enhanced_and_reference_in_a_table(jobs: list[Path], lol: Path) -> None:
    tables = [one for one in wandb_file.of_kind(of(jobs[0]), "artifact") if one.type == "run_table"]
    epochs = [row["epoch"] for row in wandb_file.history(of(jobs[0])) if "samples" in row]
    assert epochs == [1, 3]
    files = {entry.path: Path(entry.local_path) for entry in tables[-1].manifest.contents}
    table = json.loads(files["samples.table.json"].read_text())
    assert table["columns"] == ["name", "low", "enhanced", "reference"]
    expected = shown(jobs[0], lol)
    assert [row[0] for row in table["data"]] == list(expected)
    for name, *cells in table["data"]:
        for cell, image in zip(cells, expected[name], strict=True):
            assert np.array_equal(np.asarray(Image.open(files[cell["path"]])), image.movedim(0, -1).numpy())


@pytest.mark.slow
def test_tensorboard_shows_them_side_by_side(jobs: list[Path], lol: Path) -> None:
    accumulator = events(jobs[0])
    expected = shown(jobs[0], lol)
    assert accumulator.Tags()["images"] == [f"samples/{name}" for name in expected]
    for name, images in expected.items():
        first, last = accumulator.Images(f"samples/{name}")
        assert (first.step, last.step) == (1, 3)
        picture = Image.open(io.BytesIO(last.encoded_image_string))
        assert np.array_equal(np.asarray(picture), torch.cat(images, dim=-1).movedim(0, -1).numpy())


@pytest.mark.slow
def test_a_failed_run_ends_as_failed_and_goes_on_under_its_id(
    lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    run = tmp_path / "run"
    overrides = [*AUTOENCODER, f"data.root={lol}", "logger=all", f"output_dir={run}"]

    def fail(self: object, trainer: pl.Trainer, *_: object) -> None:
        if trainer.current_epoch == 1:
            raise RuntimeError("a fault of its own")

    with monkeypatch.context() as patch:
        patch.setattr(LearningRate, "on_train_epoch_end", fail)
        with pytest.raises(RuntimeError, match="a fault of its own"):
            train(load_config([*overrides, "resume=auto"]))
    assert wandb.run is None
    train(load_config([*overrides, "resume=auto"]))
    assert wandb.run is None

    first, second = sittings(run)
    exits = [[record.exit_code for record in wandb_file.of_kind(one, "exit")] for one in (first, second)]
    assert exits == [[1], [0]]
    one, two = (wandb_file.of_kind(folder, "run")[0] for folder in (first, second))
    assert one.run_id == two.run_id
    assert logged([first, second]) == curves(run)
    assert sorted({row["epoch"] for row in wandb_file.history(second)}) == [2, 3]

    train(load_config([*overrides, "resume=restart", "trainer.max_epochs=1"]))
    third = sittings(run)[-1]
    assert wandb_file.of_kind(third, "run")[0].run_id != one.run_id
    assert [event.step for event in events(run).Scalars("train/loss")] == [1]


@pytest.mark.slow
def test_a_job_that_fails_before_its_run_began_is_a_failed_run_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    quiet = ["hydra/job_logging=none", "hydra/hydra_logging=none"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["lowlight-train", "-m", *AUTOENCODER, "logger=wandb", "seed=-1", *quiet]
    )
    with pytest.raises(SystemExit):
        import_module("lowlight.cli.train").main()
    assert wandb.run is None
    folder = of(tmp_path / "multirun" / "autoencoder-0")
    assert wandb_file.summary(folder)["failed"] == "seed=-1 is not a whole number from 0 to 2^32 - 1"
    assert wandb_file.config(folder)["seed"] == -1
    assert [record.exit_code for record in wandb_file.of_kind(folder, "exit")] == [1]
    assert not (tmp_path / "multirun" / "autoencoder-0" / "wandb_id.txt").exists()


@pytest.mark.parametrize(
    ("offline", "environment", "has_key", "mode"),
    [
        (None, None, False, "offline"),
        (None, None, True, None),
        (None, "online", True, "online"),
        (None, "offline", True, "offline"),
        (None, "disabled", True, "disabled"),
        (True, None, True, "offline"),
        (True, "online", True, "offline"),
        (False, None, True, "online"),
    ],
)
def test_wandb_is_offline_without_a_key_or_where_told_so(
    offline: bool | None,
    environment: str | None,
    has_key: bool,
    mode: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    import wandb

    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setattr(wandb, "login", lambda *, prompt, verify: has_key and not prompt and not verify)
    if environment is not None:
        monkeypatch.setenv("WANDB_MODE", environment)
    with caplog.at_level(logging.INFO, logger="lowlight"):
        logger = WandbCurves(tmp_path, offline=offline)
    assert logger._wandb_init["mode"] == mode
    told = [record.getMessage() for record in caplog.records]
    assert told == (
        []
        if has_key
        else [f"W&B has no API key and stays offline; to upload: wandb sync {tmp_path}/wandb/offline-run-*"]
    )


@pytest.mark.parametrize(("offline", "environment"), [(False, ""), (None, "online")])
def test_online_without_a_key_is_refused(
    offline: bool | None, environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if environment:
        monkeypatch.setenv("WANDB_MODE", environment)
    with pytest.raises(ValueError, match="it has no API key: run `wandb login`"):
        WandbCurves(tmp_path, offline=offline)


def test_an_agents_run_id_goes_before_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wandb_id.txt").write_text("ours\n")
    assert WandbCurves(tmp_path, offline=True)._wandb_init["id"] == "ours"
    monkeypatch.setenv("WANDB_RUN_ID", "theirs")
    assert WandbCurves(tmp_path, offline=True)._wandb_init["id"] is None
    assert WandbCurves(tmp_path, offline=True, id="mine")._wandb_init["id"] == "mine"


@pytest.mark.slow
def test_an_agents_command_trains_and_keeps_to_the_agents_run(
    lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args
    from wandb.sdk.lib.config_util import save_config_file_from_dict

    sweep = yaml.safe_load((Path(__file__).parents[2] / "experiments" / "wandb_sweep.yaml").read_text())
    chosen = {key: {"value": node["values"][1]} for key, node in sweep["parameters"].items()}
    filled = {"program": [sweep["program"]], **create_sweep_command_args({"args": chosen})}
    command = [
        part for word in create_sweep_command(sweep["command"]) for part in filled.get(word[2:-1], [word])
    ]
    save_config_file_from_dict(str(tmp_path / "chosen.yaml"), chosen)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_RUN_ID", "trial7")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(tmp_path / "chosen.yaml"))
    wandb.teardown()  # it reads the environment once a process, and an agent starts a process a trial
    quiet = ["hydra/job_logging=none", "hydra/hydra_logging=none"]
    tiny = [*AUTOENCODER[1:], f"data.root={lol}", "trainer.max_epochs=1"]
    monkeypatch.setattr(sys, "argv", [*command, *tiny, *quiet])
    assert command == [
        "lowlight-train",
        "method=autoencoder",
        "logger=wandb",
        "output_dir=outputs/wandb-sweep/${oc.env:WANDB_RUN_ID}",
        "method.optimizer.lr=0.001",
    ]
    import_module("lowlight.cli.train").main()
    wandb.teardown()
    run = tmp_path / "outputs" / "wandb-sweep" / "trial7"
    record = wandb_file.of_kind(of(run), "run")[0]
    assert (record.run_id, record.sweep_id) == ("trial7", "sweep1")
    assert wandb_file.config(of(run))["method"]["optimizer"]["lr"] == 0.001
    assert wandb_file.summary(of(run))[sweep["metric"]["name"]] == results(run)[0]["val/psnr"]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_the_run_of_a_plain_wandb_logger_is_finished_too(error: type[BaseException] | None) -> None:
    logger = WandbLogger(offline=True)
    ends = pytest.raises(error) if error else nullcontext()
    with patch("wandb.finish") as finish, ends, finishing([logger]):
        if error:
            raise error
    finish.assert_called_once_with(exit_code=int(error is not None))


def test_tags_are_shortened_to_what_wandb_allows(tmp_path: Path) -> None:
    logger = WandbCurves(tmp_path, offline=True, tags=["seed=1", "data.root=" + "x" * 70 + "/LOL"])
    kept, cut = logger._wandb_init["tags"]
    assert (kept, len(cut), cut[:10], cut[-4:]) == ("seed=1", 64, "data.root=", "/LOL")


def test_without_tensorboard_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning_fabric.loggers import tensorboard

    monkeypatch.setattr(tensorboard, "_TENSORBOARD_AVAILABLE", False)
    monkeypatch.setattr(tensorboard, "_TENSORBOARDX_AVAILABLE", False)
    with pytest.raises(ValueError, match=r"pip install 'lowlight\[tensorboard\]'"):
        TensorBoardCurves(tmp_path)


@pytest.mark.parametrize(
    ("epochs", "interval", "every", "due"),
    [(7, 1, 3, [1, 3, 6, 7]), (12, 4, 5, [4, 8, 12]), (9, 2, 100, [2, 8]), (1, 1, 10, [1])],
)
def test_samples_are_shown_first_last_and_every_so_many_epochs(
    epochs: int, interval: int, every: int, due: list[int], tmp_path: Path
) -> None:
    seen: list[int] = []

    class Recorder(TensorBoardCurves):
        def log_samples(self, samples: Any, epoch: int) -> None:
            seen.append(epoch)

    for logger in (Recorder(tmp_path), False):  # the latter: nothing is kept where nothing is shown
        trainer = pl.Trainer(
            max_epochs=epochs, check_val_every_n_epoch=interval, accelerator="cpu", logger=logger
        )
        trainer.fit_loop.epoch_loop.val_loop._max_batches = [1]
        callback = Samples(every_n_epochs=every)
        batch = {"low": torch.rand(1, 3, 4, 4), "high": torch.rand(1, 3, 4, 4), "name": ["a"]}
        for epoch in range(interval, epochs + 1, interval):
            trainer.fit_loop.epoch_progress.current.processed = epoch - 1
            trainer.fit_loop.epoch_progress.current.completed = epoch - 1
            callback.on_validation_batch_end(trainer, pl.LightningModule(), batch["low"], batch, 0)
            assert logger or not callback._samples
            callback.on_validation_epoch_end(trainer, pl.LightningModule())
    assert seen == due


@pytest.mark.parametrize(
    ("project", "told"),
    [
        (
            "team/lowlight",
            "team/lowlight cannot contain /: give logger.wandb.entity=team logger.wandb.project=lowl",
        ),
        ("low:light", "low:light cannot contain :: give another name"),
    ],
)
def test_what_is_no_projects_name_is_told_by_its_setting(project: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"logger\.wandb\.project={told}"):
        WandbCurves(tmp_path, offline=True, project=project)


def test_an_unknown_mode_of_wandb_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "ofline")
    with pytest.raises(ValueError, match=r"WANDB_MODE=ofline is none of online, .*; did you mean offline"):
        WandbCurves(tmp_path)


def test_names_that_are_numbers_are_texts_to_wandb(tmp_path: Path) -> None:
    logger = WandbCurves(tmp_path, offline=True, group=5, name=1.5, tags=[3])  # type: ignore[list-item]
    told = logger._wandb_init
    assert (told["group"], told["name"], told["tags"]) == ("5", "1.5", ["3"])
