"""Options of training that every learned method has, in whole runs."""

import csv
import signal
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import pytorch_lightning as pl
import torch
from torch.multiprocessing.spawn import ProcessRaisedException

from lowlight.callbacks.weight_averaging import ExponentialAverage
from lowlight.checkpoints.load import load
from lowlight.checkpoints.recipe import build, make
from lowlight.config import load_config
from lowlight.images import round_to_8_bits
from lowlight.methods import Supervised
from lowlight.metrics import psnr
from lowlight.runs.folder import prepare
from lowlight.training.checks import check_validation
from lowlight.training.train import train as training
from tests.tiny import ONE_PER_CLASS
from tests.tiny_runs import (
    Kept,
    KeptBatches,
    assert_same_training,
    checkpoint,
    manifest,
    overrides,
    run,
    run_in_two,
)


def plain_descent(name: str) -> list[str]:
    """Return overrides by which a method descends at a rate of 1, with no momentum, decay or schedule."""
    settings = load_config([f"method={name}"]).method
    optimizers = [key for key in settings if key.endswith("optimizer")]
    return [
        *(f"~method.{key}" for key in optimizers),
        *(f"+method.{key}={{_target_: torch.optim.SGD, _partial_: true, lr: 1}}" for key in optimizers),
        *(["method.scheduler=null"] if "scheduler" in settings else []),
        *(["method.coarse_decay=0"] if "coarse_decay" in settings else []),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_PER_CLASS)
def test_one_switch_clips_and_one_accumulates_for_every_method(name: str, lol: Path, tmp_path: Path) -> None:
    more = [*plain_descent(name), "trainer.gradient_clip_val=1e-3", "trainer.max_epochs=1"]
    switches = ["data.batch_size=1", "data.patch_size=64", "trainer.accumulate_grad_batches=3", *more]
    run(name, lol, tmp_path, *switches)
    parts = ["net.", "discriminator."] if "gan" in name else [""]  # with an optimizer each
    saved = checkpoint(tmp_path)
    assert saved["global_step"] == 2 * len(parts)  # four batches: three, then one

    run(name, lol, tmp_path / "one", *switches, "trainer.accumulate_grad_batches=4")
    pl.seed_everything(0, verbose=False)
    before = build(load_config(overrides(name, lol, tmp_path, *more)).method).state_dict()
    after = checkpoint(tmp_path / "one")["state_dict"]
    for part in parts:
        learnt = [key for key in before if key.startswith(part) and before[key].is_floating_point()]
        learnt = [key for key in learnt if "running" not in key]
        moved = torch.cat([(after[key] - before[key]).flatten() for key in learnt]).norm()
        assert moved.item() == pytest.approx(1e-3, rel=0.01)  # the rate is 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "after"), [*((name, False) for name in ONE_PER_CLASS), ("autoencoder", True), ("gan", True)]
)
def test_values_that_are_not_finite_stop_training_and_reach_no_checkpoint(
    name: str, after: bool, lol: Path, tmp_path: Path
) -> None:
    poison = ["+callbacks.poison._target_=tests.tiny_runs.Poison", f"+callbacks.poison.after={after}"]
    with pytest.raises(ValueError, match="training stopped in epoch 2: its ") as stop:
        run(name, lol, tmp_path, "trainer.max_epochs=3", *poison)
    message = str(stop.value)
    if after:
        assert "last step left values in net." in message
    else:
        assert "loss is nan on the images LOL/" in message
        assert message.partition("; ")[0].count("LOL/") == 2  # the batch
    assert "kept as of earlier epochs: best.ckpt, last.ckpt; try a lower method.optimizer.lr" in message
    assert "\n" not in message
    for saved in ("best", "last"):
        kept = checkpoint(tmp_path, saved)
        assert kept["epoch"] == 0
        assert all(weight.isfinite().all() for weight in kept["state_dict"].values())


def test_a_loss_that_is_infinite_at_once_says_that_nothing_is_kept(lol: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"loss is inf on .*no checkpoint was written yet"):
        run("gan", lol, tmp_path, "method.pixel_weight=1e39")
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_start_that_fails_in_its_first_step_is_no_run(lol: Path, tmp_path: Path) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with (
        patch.object(Supervised, "training_step", fail),
        pytest.raises(ZeroDivisionError),
    ):
        run("autoencoder", lol, tmp_path)
    prepare(load_config(overrides("autoencoder", lol, tmp_path, "seed=1")))


@pytest.mark.parametrize(
    ("callbacks", "remedy"), [("[ema]", "[default,ema]"), ("[early_stopping]", "[default,early_stopping]")]
)
def test_callbacks_that_would_keep_no_best_checkpoint_are_refused_before_training(
    callbacks: str, remedy: str, lol: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"keeps no best\.ckpt") as stop:
        run("autoencoder", lol, tmp_path / "run", f"callbacks={callbacks}")
    assert str(stop.value).endswith(f": set callbacks={remedy}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "kind", "told"),
    [
        ("ValueError: its loss is nan", ValueError, "its loss is nan"),
        ("a.b.MisconfigurationException: no such device", ValueError, "no such device"),
        ("torch.OutOfMemoryError: CUDA out of memory.", ValueError, "memory ran out (CUDA out of memory.): "),
        ("ZeroDivisionError: division by zero", ProcessRaisedException, "\n\n-- Process 1"),
    ],
)
def test_what_ends_a_spawned_process_is_told_as_if_it_were_this_one(
    line: str, kind: type[Exception], told: str, lol: Path, tmp_path: Path
) -> None:
    text = f"\n\n-- Process 1 terminated with the following error:\nTraceback:\n{line}\n"
    error = ProcessRaisedException(text, 1, 1)
    with patch.object(pl.Trainer, "fit", side_effect=error), pytest.raises(kind) as stop:
        run("autoencoder", lol, tmp_path)
    assert str(stop.value).startswith(told)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("MPS backend out of memory.")]
)
def test_memory_that_runs_out_is_told_with_the_settings_that_need_less(
    error: RuntimeError, lol: Path, tmp_path: Path
) -> None:
    told = rf"memory ran out \({error}\): lower data\.batch_size, with more trainer\.accumulate"
    with patch.object(pl.Trainer, "fit", side_effect=error), pytest.raises(ValueError, match=told):
        run("autoencoder", lol, tmp_path)


def test_ctrl_c_is_told_as_sigterm_is_and_is_no_failure(
    lol: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    try:
        with patch.object(Supervised, "training_step", interrupt), pytest.raises(KeyboardInterrupt):
            run("autoencoder", lol, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)  # which Lightning ignores from then on
    assert "stopped by Ctrl-C; resume=auto continues from the last complete epoch" in caplog.text


@pytest.mark.slow
def test_whatever_fails_in_the_test_leaves_the_way_to_use_what_was_trained(lol: Path, tmp_path: Path) -> None:
    told = f"trained, but not tested: ZeroDivisionError .*evaluate checkpoint={tmp_path} "
    broken = patch("lowlight.training.train.score", side_effect=ZeroDivisionError)
    with broken, pytest.raises(ValueError, match=told):
        run("autoencoder", lol, tmp_path, "trainer.max_epochs=1")


EMA = ["callbacks=[default,ema]", "callbacks.ema.decay=0.8"]
STAGES = ("{epochs: 1, patch_size: 16, batch_size: 4}", "{epochs: 2, patch_size: 24, batch_size: 3}")
PROGRESSIVE = f"data.progressive=[{', '.join(STAGES)}]"
RESUMABLE = {
    "progressive, in loader processes": ["data.num_workers=2", PROGRESSIVE],
    "mixed up, with dropout": ["data.mixup=1.2", "method.net.depth=6", "data.patch_size=64"],
    "everything": [
        *EMA,
        "schedule=warmup_cosine",
        "trainer.gradient_clip_val=0.1",
        "trainer.accumulate_grad_batches=2",
        "data.batch_size=1",
        "data.patch_size=64",
    ],
}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("autoencoder", "progressive, in loader processes", marks=pytest.mark.slow),
        pytest.param("autoencoder", "everything", marks=pytest.mark.slow),
        pytest.param("gan", "mixed up, with dropout", marks=pytest.mark.slow),
        ("gan", "everything"),
    ],
)
def test_a_resumed_run_ends_as_one_never_stopped(name: str, options: str, lol: Path, tmp_path: Path) -> None:
    more = ["trainer.max_epochs=4", *RESUMABLE[options]]
    run(name, lol, tmp_path / "straight", *more)
    run_in_two(name, lol, tmp_path / "resumed", *more)
    assert_same_training(tmp_path / "straight", tmp_path / "resumed")


@pytest.mark.slow
def test_a_run_resumed_in_a_renamed_folder_keeps_its_best_epoch(
    lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("lowlight.training.train"), "check_mode", lambda _: None)
    more = ["trainer.max_epochs=4", "objective.mode=min"]  # the first epoch's PSNR is the least
    run("autoencoder", lol, tmp_path / "straight", *more)
    run_in_two("autoencoder", lol, tmp_path / "before", *more, moved_to=tmp_path / "after")
    assert_same_training(tmp_path / "straight", tmp_path / "after")
    assert manifest(tmp_path / "after")["best_epoch"] == manifest(tmp_path / "straight")["best_epoch"] == 1
    assert not (tmp_path / "before").exists()
    states = checkpoint(tmp_path / "after")["callbacks"].values()
    assert {state["dirpath"] for state in states if "dirpath" in state} == {str(tmp_path / "after")}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["autoencoder", "gan", "coarse_to_fine"])
def test_a_checkpoint_holds_the_average_and_the_weights_and_the_average_is_scored(
    name: str, lol: Path, tmp_path: Path
) -> None:
    run(name, lol, tmp_path, *EMA, "+callbacks.kept._target_=tests.tiny_runs.Kept")
    saved = checkpoint(tmp_path)
    average = Kept.weights[0]
    for weights in Kept.weights[1:]:
        average = {key: 0.8 * average[key] + 0.2 * weight for key, weight in weights.items()}
    assert len(Kept.weights) == 4  # two epochs of two batches
    for key, weight in saved["state_dict"].items():
        if weight.is_floating_point():
            assert torch.allclose(weight, average[key], atol=1e-6), key
            assert torch.equal(saved["current_model_state"][key], Kept.weights[-1][key]), key
    data = make(load_config(overrides(name, lol, tmp_path, *EMA)).data)
    data.setup("fit")
    method, scores = load(tmp_path / "last.ckpt"), []
    for pair in data.datasets["val"]:
        enhanced = round_to_8_bits(method.restore(pair["low"][None]))
        scores.append(psnr(enhanced, pair["high"][None]).item())
    *_, row = csv.DictReader((tmp_path / "metrics.csv").open())
    assert float(row["val/psnr"]) == pytest.approx(sum(scores) / len(scores), abs=1e-3)


def test_progressive_training_begins_with_small_crops_in_large_batches(lol: Path, tmp_path: Path) -> None:
    KeptBatches.batches = []
    kept = "+callbacks.kept._target_=tests.tiny_runs.KeptBatches"
    run_in_two("autoencoder", lol, tmp_path, "trainer.max_epochs=4", PROGRESSIVE, kept)
    shapes = [(epoch, tuple(batch["low"].shape)) for epoch, batch in KeptBatches.batches]
    own = [(2, 3, 32, 32)] * 2
    assert shapes == [
        (0, (4, 3, 16, 16)),
        (1, (3, 3, 24, 24)),
        (2, (3, 3, 24, 24)),
        *((3, one) for one in own),
    ]
    assert manifest(tmp_path)["data"]["progressive"][1] == {
        "epochs": 2,
        "patch_size": 24,
        "batch_size": 3,
        "resize": None,
    }


def test_only_training_pairs_are_mixed(lol: Path, tmp_path: Path) -> None:
    kept = ["+callbacks.kept._target_=tests.tiny_runs.KeptBatches", "data.augment=false"]
    for mixup in ("null", "1.2"):
        KeptBatches.batches, KeptBatches.scored = [], []
        run("gan", lol, tmp_path / mixup, f"data.mixup={mixup}", *kept)
        if mixup == "null":
            plain, scored = KeptBatches.batches, KeptBatches.scored
    assert manifest(tmp_path / "1.2")["data"]["mixup"] == 1.2
    for (_, one), (_, two) in zip(plain, KeptBatches.batches, strict=True):
        assert one["name"] == two["name"]
        for index in range(2):  # of two, each is mixed with the other, by a weight of its own
            own, other = (
                {role: batch[role][i] for role in ("low", "high")}
                for batch, i in ((one, index), (one, 1 - index))
            )
            weight = ((two["low"][index] - other["low"]) * (own["low"] - other["low"])).sum()
            weight /= (own["low"] - other["low"]).square().sum()
            assert 0 < weight < 1
            mixed = weight * own["high"] + (1 - weight) * other["high"]
            assert torch.allclose(two["high"][index], mixed, atol=1e-4)
    for one, two in zip(scored, KeptBatches.scored, strict=True):
        assert torch.equal(one["low"], two["low"])


@pytest.mark.gpu
def test_the_average_is_kept_on_the_device_of_the_weights(lol: Path, tmp_path: Path) -> None:
    average = ExponentialAverage()
    config = load_config(overrides("autoencoder", lol, tmp_path))
    trainer = pl.Trainer(accelerator="gpu", max_epochs=1, callbacks=[average], logger=False)
    trainer.fit(build(config.method), datamodule=make(config.data))
    assert {weight.device.type for weight in average._average_model.parameters()} == {"cuda"}


@pytest.mark.slow
def test_callbacks_compose_as_a_list_and_one_alone_still_works() -> None:
    default = load_config().callbacks
    assert load_config(["callbacks=default"]).callbacks == default
    assert set(load_config(["callbacks=[default,ema]"]).callbacks) == {*default, "ema"}
    assert "ema" in load_config(["experiment=study/gan", "callbacks=[default,ema]"]).callbacks


def test_stages_that_would_see_too_little_or_nothing_are_warned_of(
    lol: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(
        "coarse_to_fine",
        lol,
        tmp_path,
        "data.patch_size=32",
        "trainer.max_epochs=1",
        "method.coarse_epochs=0",
    )
    assert "do not show the exposure of the whole, which method=coarse_to_fine learns" in caplog.text
    assert "all of trainer.max_epochs=1 train the first stage" not in caplog.text
    caplog.clear()
    more = ["data.patch_size=null", "trainer.max_epochs=1", "callbacks=[default,early_stopping]"]
    run("coarse_to_fine", lol, tmp_path / "whole", *more, "method.coarse_epochs=1")
    assert "exposure of the whole" not in caplog.text
    assert "all of trainer.max_epochs=1 train the first stage, none the second" in caplog.text
    assert "its patience must outlast method.coarse_epochs=1" in caplog.text


@pytest.mark.parametrize(("every", "told"), [(2, False), (3, True)])
def test_epochs_that_cannot_be_the_best_are_told_of(
    every: int, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_config(["trainer.max_epochs=4", f"trainer.check_val_every_n_epoch={every}"])
    check_validation(config, has_images=True, has_references=True)
    assert ("the last 1 of trainer.max_epochs=4 are not validated" in caplog.text) is told


@pytest.mark.parametrize(
    ("has_references", "told"),
    [(True, "data.val_fraction holds out none"), (False, "give none; data.layout.pairs=FOLDER does")],
)
def test_early_stopping_needs_validation_images(has_references: bool, told: str) -> None:
    config = load_config(["callbacks=[default,early_stopping]"])
    with pytest.raises(ValueError, match=told):
        check_validation(config, has_images=False, has_references=has_references)


def test_numbers_that_slow_a_cpu_down_are_zero_while_training_and_not_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small, seen = torch.tensor(1e-40), []

    def check(_: object) -> None:
        seen.append(small.mul(1).item())
        raise ValueError("stop")

    monkeypatch.setattr(import_module("lowlight.training.train"), "check_arguments", check)
    with pytest.raises(ValueError, match="stop"):
        training(load_config([]))
    assert seen == [0]
    assert small.mul(1).item() > 0
