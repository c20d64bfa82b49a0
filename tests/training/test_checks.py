"""What is refused, or warned of, before a training begins."""

import pytest
import torch

from lowlight.config import load_config
from lowlight.methods import GAN
from lowlight.metrics.classification import classification_scores
from lowlight.training.checks import check_bright, check_fit, check_mode, check_objective, check_validation
from tests.tiny import tiny


@pytest.mark.parametrize(
    ("setting", "own"),
    [("trainer.gradient_clip_val=1.0", "gradient_clip"), ("trainer.accumulate_grad_batches=2", "accumulate")],
)
def test_a_setting_of_the_trainer_that_a_manual_optimisation_would_not_apply_is_refused(
    setting: str, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, method = load_config(["method=gan", setting]), tiny("gan")
    check_fit(config, method)
    monkeypatch.setattr(GAN, "manual_settings", GAN.manual_settings - {own})
    with pytest.raises(ValueError, match=f"method=gan .* {own}"):
        check_fit(config, method)
    check_fit(load_config(["method=gan"]), method)


def test_a_way_of_clipping_that_a_manual_optimisation_does_not_have_is_refused() -> None:
    ways = [
        load_config(["method=gan", f"+trainer.gradient_clip_algorithm={way}"]) for way in ("norm", "value")
    ]
    check_fit(ways[0], tiny("gan"))
    with pytest.raises(
        ValueError, match="without gradient_clip_algorithm, so the trainer's setting of value"
    ):
        check_fit(ways[1], tiny("gan"))
    check_fit(ways[1], tiny("autoencoder"))


@pytest.mark.parametrize(("side", "told"), [(64, False), (65, True)])
def test_crops_that_the_networks_stride_does_not_divide_are_warned_of(
    side: int, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    check_fit(load_config(["method=autoencoder", f"data.patch_size={side}"]), tiny("autoencoder"))
    assert ("data.patch_size=96" in caplog.text) is told


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "callbacks.best.save_top_k=3",
            r"callbacks\.best\.save_top_k=3 must be 1 for .*; for other",
        ),
        ("callbacks.best.save_top_k=0", r"callbacks\.best\.save_top_k=0 must be 1"),
        (
            "callbacks.best.filename=top",
            r"callbacks\.best\.filename=top must be best for best\.ckpt, .*; for ",
        ),
        ("callbacks.best=null", r"no callbacks\.best keeps best\.ckpt, .*: leave it in; for other"),
        ("~callbacks.best", r"no callbacks\.best keeps best\.ckpt, "),
        ("callbacks=[ema]", r"callbacks=\[ema\] keeps no best\.ckpt, .*: set callbacks=\[default,ema\]"),
    ],
)
def test_what_would_not_test_the_best_checkpoint_is_refused_by_its_setting(override: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_fit(load_config([override]), tiny("autoencoder"))


def test_a_second_checkpoint_keeps_others_beside_the_best() -> None:
    top = "filename: top, monitor: val/psnr, mode: max, save_top_k: 3}"
    ours = f"+callbacks.top={{_target_: lowlight.callbacks.FurtherCheckpoint, {top}"
    check_fit(load_config([ours]), tiny("autoencoder"))
    theirs = f"+callbacks.top={{_target_: pytorch_lightning.callbacks.ModelCheckpoint, {top}"
    told = (
        r"callbacks\.top and callbacks\.best monitor .* callbacks\.top\._target_=lowlight\.callbacks\.Further"
    )
    with pytest.raises(ValueError, match=told):
        check_fit(load_config([theirs]), tiny("autoencoder"))
    check_fit(load_config([theirs, "callbacks.top.monitor=val/ssim"]), tiny("autoencoder"))


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["+trainer.max_steps=24"], r"trainer\.max_steps=24 cannot be resumed: set trainer\.max_epochs"),
        (
            ["trainer=ddp_spawn", "compile=true"],
            r"compile=true has no effect .*strategy=ddp_spawn.*: set trainer=ddp",
        ),
    ],
)
def test_what_would_go_wrong_silently_is_refused(overrides: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_fit(load_config(overrides), tiny("autoencoder"))
    check_fit(load_config(["+trainer.max_steps=-1", "trainer=ddp", "compile=true"]), tiny("autoencoder"))


def test_an_objective_that_nothing_logs_is_refused_before_an_epoch_is_spent() -> None:
    method = tiny("autoencoder")
    for metric in ("val/psnr", "val/exposure/f1", "val/loss", "train/psnr"):
        check_objective(load_config([f"objective.metric={metric}"]), method)
    own = ["+callbacks.mine._target_=mine.Logs", "objective.metric=val/mine"]
    check_objective(load_config(own), method)
    with pytest.raises(ValueError, match=r"val/pnsr is none of .*; did you mean val/psnr\?"):
        check_objective(load_config(["objective.metric=val/pnsr"]), method)


@pytest.mark.parametrize(
    ("metric", "right"),
    [("val/loss", "min"), ("val/delta_e", "min"), ("val/lol/delta_e", "min"), ("val/psnr", "max"),
     ("val/exposure/f1", "max"), ("val/lol/ssim", "max"), ("train/loss", "min")],
)  # fmt: skip
def test_an_objective_that_would_keep_the_worst_epoch_is_refused(metric: str, right: str) -> None:
    check_mode(load_config([f"objective.metric={metric}", f"objective.mode={right}"]))
    wrong = {"min": "max", "max": "min"}[right]
    with pytest.raises(ValueError, match=f"the worst {metric}: set objective.mode={right}"):
        check_mode(load_config([f"objective.metric={metric}", f"objective.mode={wrong}"]))
    check_mode(load_config(["objective.metric=val/mine", "objective.mode=min"]))


@pytest.mark.parametrize(
    "more",
    [["callbacks.samples=null"], ["experiment=study/autoencoder", "callbacks=[default,early_stopping]"]],
)
def test_a_callback_without_a_class_is_refused_by_name(more: list[str]) -> None:
    name = "samples" if len(more) == 1 else "ema"
    with pytest.raises(ValueError, match=rf"callbacks\.{name} has no class: add {name} to callbacks="):
        check_objective(load_config(more), tiny("autoencoder"))


def test_the_objective_may_be_a_score_of_the_method_alone() -> None:
    config, method = load_config(["objective.metric=val/problem_f1"]), tiny("plate_gan")
    check_objective(config, method)
    with pytest.raises(ValueError, match="val/problem_f1 is none of"):
        check_objective(config, tiny("gan"))
    logged = {one.rpartition("_")[2] for one in method.further_val_scores}
    assert logged == classification_scores(torch.eye(2)).keys()


def test_validation_that_is_skipped_stops_no_training_early() -> None:
    config = load_config(["callbacks=[default,early_stopping]", "trainer.limit_val_batches=0"])
    with pytest.raises(ValueError, match=r"needs validation images: trainer\.limit_val_batches=0 skips them"):
        check_validation(config, has_images=True, has_references=True)


def test_the_objective_may_be_the_score_of_one_of_several_sets() -> None:
    config, method = load_config(["objective.metric=val/lol/psnr"]), tiny("autoencoder")
    check_objective(config, method, ["lol", "sice"])
    for sets in (["lol"], ["lsrw", "sice"]):
        with pytest.raises(ValueError, match="is none of val/loss, val/psnr"):
            check_objective(config, method, sets)


def test_bright_photographs_that_a_method_would_not_see_are_refused() -> None:
    folder = "data.bright=bright"
    check_bright(load_config(["method=enlighten_gan", folder]), tiny("enlighten_gan"))
    check_bright(load_config(["method=zero_dce"]), tiny("zero_dce"))
    with pytest.raises(ValueError, match=r"data\.bright has no effect: method=zero_dce does not learn"):
        check_bright(load_config(["method=zero_dce", folder]), tiny("zero_dce"))
