"""Training steps under a real trainer: overfitting, accumulation, clipping, precision."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import get_class
from pytorch_lightning.plugins import MixedPrecision
from torch import Tensor, nn

from lowlight import losses
from lowlight.checkpoints import build
from lowlight.data import PairDataModule
from lowlight.methods import GAN, Method, Supervised
from lowlight.perceptual import vgg_loss
from tests.tiny import LEARNT, by_class, target, tiny


def pairs(lol: Path, **options: Any) -> PairDataModule:
    return PairDataModule(lol, **({"batch_size": 2, "patch_size": 32, "val_fraction": 0.2} | options))


def fit(method: Method, data: PairDataModule, epochs: int = 1, **options: Any) -> pl.Trainer:
    trainer = pl.Trainer(
        **(
            {
                "max_epochs": epochs,
                "accelerator": "cpu",
                "logger": False,
                "enable_checkpointing": False,
                "enable_progress_bar": False,
                "enable_model_summary": False,
            }
            | options
        )
    )
    trainer.fit(method, datamodule=data)
    return trainer


class Brighten(nn.Module):
    """Multiply by one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        return low * self.weight


class Judge(nn.Module):
    """Return the image's level as its logit, times one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, low: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        return self.weight * image.mean((1, 2, 3)) + 0 * low.mean()


sgd = partial(torch.optim.SGD, lr=0.5)


class StopsEarly(pl.Callback):
    """Stop within an epoch, as ``Trainer(max_time=...)`` does."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        trainer.should_stop |= trainer.current_epoch == self.epoch


def half() -> MixedPrecision:
    """Return what ``precision="16-mixed"`` is on a GPU, for the CPU."""
    return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", by_class([name for name in LEARNT if not get_class(target(name)).unpaired]))
def test_a_method_overfits_one_pair(name: str, lol: Path) -> None:
    rate = "method.optimizer.lr=3e-3"
    exposure = [
        "method.coarse_epochs=160",
        "method.net.dropout=0",
        "method.net.coarse_channels=[16,16]",
        "method.exposure=0",
        "method.coarse_decay=0",
        "method.brighten=0",
        "method.scheduler=null",
    ]
    own_rate = ["method.optimizer.lr=0.05"]
    more = {
        "gan": ["method.net.norm=instance"],
        "coarse_to_fine": exposure,
        "llcnn": own_rate,
        "retinexnet": ["method.decomposition_epochs=120", "method.smoothness=0.1"],
        "sci": ["method.smoothness=0"],  # of an image that is not smooth itself
    }
    method = tiny(name, rate, *more.get(name, []))
    data = pairs(lol, batch_size=1, patch_size=None, augment=False, val_fraction=0)
    data.setup("fit")
    batch = data.datasets["train"][0]
    low, high = batch["low"][None], batch["high"][None]

    def error() -> float:
        if name == "sci":  # nothing in its loss says how bright an image should be
            return method.eval().loss(low, {"low": low, "high": high, "name": ["a"]}).item()
        return losses.l1(method.enhance(low), high).item()

    before = error()
    epochs = 240 if name in ("coarse_to_fine", "retinexnet") else 60
    fit(method.train(), data, epochs=epochs, overfit_batches=1)
    assert error() < before / 3


@pytest.mark.parametrize("name", by_class(LEARNT))
@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bf16-mixed"},
        pytest.param({"precision": "16-mixed", "accelerator": "gpu"}, marks=pytest.mark.gpu),
    ],
)
def test_mixed_precision_trains(name: str, options: dict[str, str], lol: Path) -> None:
    method = tiny(name)
    before = [weight.clone() for weight in method.parameters()]
    fit(method, pairs(lol), epochs=20 if "gpu" in options.values() else 2, **options)
    after = [weight.cpu() for weight in method.parameters()]
    is_trained = [weight.requires_grad for weight in method.parameters()]
    assert all(weight.isfinite().all() for weight in after)
    assert all(weight.dtype == torch.float32 for weight in after)
    assert [not torch.equal(one, two) for one, two in zip(before, after, strict=True)] == is_trained


def test_both_networks_of_the_gan_are_trained_each_by_its_own_loss(lol: Path) -> None:
    method = GAN(Brighten(), Judge(), pixel_weight=0, optimizer=sgd, discriminator_optimizer=sgd)
    fit(method, pairs(lol, batch_size=6, val_fraction=0, augment=False, patch_size=None))
    batch = next(iter(pairs_loader(lol)))
    real, fake = batch["high"].mean((1, 2, 3)), batch["low"].mean((1, 2, 3))
    judge = torch.ones(1, requires_grad=True)
    loss = (losses.vanilla(judge * real, True).mean() + losses.vanilla(judge * fake, False).mean()) / 2
    (slope,) = torch.autograd.grad(loss, judge)
    trained = 1 - 0.5 * slope
    assert method.discriminator.weight.item() == pytest.approx(trained.item(), abs=1e-5)
    weight = torch.ones(1, requires_grad=True)
    (slope,) = torch.autograd.grad(losses.vanilla(trained * weight * fake, True).mean(), weight)
    assert method.net.weight.item() == pytest.approx((1 - 0.5 * slope).item(), abs=1e-5)


def pairs_loader(lol: Path) -> Any:
    data = pairs(lol, batch_size=6, val_fraction=0, augment=False, patch_size=None)
    data.setup("fit")
    return data.train_dataloader()


def test_accumulated_gan_batches_equal_one_large_batch(lol: Path) -> None:
    def trained(**options: Any) -> list[float]:
        method = GAN(
            Brighten(),
            Judge(),
            pixel=torch.nn.functional.mse_loss,
            optimizer=sgd,
            discriminator_optimizer=sgd,
            pixel_weight=1,
            accumulate=options.pop("accumulate"),
        )
        fit(method, pairs(lol, val_fraction=0, augment=False, patch_size=None, **options))
        return [method.net.weight.item(), method.discriminator.weight.item()]

    # The discriminator steps before the generator in both, on the same six pairs.
    several, one = trained(batch_size=2, accumulate=3), trained(batch_size=6, accumulate=1)
    assert several[1] == pytest.approx(one[1], abs=1e-6)
    assert several[0] == pytest.approx(one[0], abs=2e-3)  # earlier batches met the discriminator's old weight


@pytest.mark.parametrize("precision", [None, half])
def test_gan_gradients_are_clipped_and_their_norms_logged_as_they_were(
    precision: Callable[[], MixedPrecision] | None, lol: Path
) -> None:
    """In float16, too, whose gradients are multiplied by a scale until the step."""
    options = {"optimizer": sgd, "discriminator_optimizer": sgd, "pixel_weight": 100}
    data = pairs(lol, batch_size=6, val_fraction=0, augment=False, patch_size=None)
    plugins = [] if precision is None else [precision()]
    method = GAN(Brighten(), Judge(), gradient_clip=1e-3, **options)
    clipped = fit(method, data, plugins=plugins).callback_metrics
    assert abs(method.net.weight.item() - 1) == pytest.approx(0.5e-3, rel=0.01)
    assert abs(method.discriminator.weight.item() - 1) == pytest.approx(0.5e-3, rel=0.01)
    free = GAN(Brighten(), Judge(), **options)
    fit(free, data)
    for part, net in (("generator", free.net), ("discriminator", free.discriminator)):
        norm = abs(net.weight.item() - 1) / 0.5  # one weight, one step at a rate of 0.5
        assert clipped[f"train/{part}_gradient_norm"] == pytest.approx(norm, rel=0.01)


def test_a_float16_gradient_that_overflows_is_no_step_and_not_in_the_norm(lol: Path) -> None:
    method = Supervised(Brighten(), optimizer=sgd, loss=lambda one, two: 100 * losses.l1(one, two))
    overflowing = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=3e38))
    trainer = fit(method, pairs(lol), plugins=[overflowing])
    assert "train/gradient_norm" not in trainer.callback_metrics
    assert method.net.weight.item() == 1


class Norms(pl.Callback):
    """Keep the norm of the gradients of each step."""

    def __init__(self) -> None:
        self.norms: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        gradients = [weight.grad for weight in pl_module.net.parameters()]
        self.norms.append(sum(float(one.double().square().sum()) for one in gradients) ** 0.5)


def test_the_gradient_norm_is_the_mean_over_steps_before_clipping(lol: Path) -> None:
    norms = Norms()
    options = {"callbacks": [norms], "gradient_clip_val": 1e-3, "accumulate_grad_batches": 2}
    trainer = fit(tiny("autoencoder"), pairs(lol, batch_size=1, patch_size=64), **options)
    assert len(norms.norms) == 2  # of four batches
    mean = sum(norms.norms) / 2
    assert trainer.callback_metrics["train/gradient_norm"] == pytest.approx(mean, rel=1e-5)
    assert min(norms.norms) > 1e-2


def test_gan_schedulers_step_each_epoch(lol: Path) -> None:
    schedule = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    method = GAN(Brighten(), Judge(), optimizer=sgd, discriminator_optimizer=sgd, scheduler=schedule)
    trainer = fit(method, pairs(lol), epochs=2)
    rates = [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups]
    assert rates == pytest.approx([0.005, 0.005])


@pytest.mark.parametrize("adversarial", [losses.vanilla, losses.least_squares, losses.hinge])
def test_the_discriminators_accuracy_counts_patches_told_right(adversarial: losses.AdversarialLoss) -> None:
    method = GAN(Brighten(), Judge(), adversarial=adversarial)
    real, fake = torch.tensor([2.0, -1.0, 0.9]), torch.tensor([-3.0, -0.1, 5.0])
    assert method._discriminator_accuracy(real, fake).item() == pytest.approx(4 / 6)


@pytest.mark.parametrize("bad", [{"accumulate": 0}, {"gradient_clip": 0.0}])
def test_the_gan_refuses_bad_settings(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        GAN(Brighten(), Judge(), **bad)


def three_times_as_bright(enhanced: Tensor, high: Tensor, low: Tensor) -> Tensor:
    """A loss that needs no reference."""
    return losses.l1(enhanced, 3 * low)


@pytest.mark.slow
@pytest.mark.parametrize("summed", [False, True])
def test_a_reference_free_loss_trains_by_config(summed: bool, lol: Path) -> None:
    here = "tests.methods.test_training_steps"
    loss: dict[str, Any] = {"_target_": f"{here}.three_times_as_bright", "_partial_": True}
    if summed:
        terms = {"_target_": "lowlight.losses.weighted_sum", "terms": {"own": loss}, "weights": {}}
        loss = {**terms, "_partial_": True}
    method = build(
        {
            "_target_": "lowlight.methods.Supervised",
            "net": {"_target_": f"{here}.Brighten"},
            "loss": loss,
            "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.1},
        }
    )
    fit(method, pairs(lol), epochs=40)
    assert method.net.weight.item() == pytest.approx(3, abs=0.3)  # references are four times as bright


def test_a_users_network_needs_no_config(lol: Path) -> None:
    method = Supervised(Brighten(), optimizer=sgd)
    fit(method, pairs(lol), epochs=5)
    assert method.net.weight.item() > 1.5


@pytest.mark.parametrize("stops", [None, 1])
def test_an_epoch_that_ends_early_moves_the_schedule_on(stops: int | None, lol: Path) -> None:
    halving = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    method = Supervised(Brighten(), optimizer=sgd, scheduler=halving)
    callbacks = [] if stops is None else [StopsEarly(stops)]
    trainer = fit(method, pairs(lol), epochs=3 if stops is None else 9, callbacks=callbacks)
    epochs = trainer.current_epoch
    assert epochs == (3 if stops is None else 2)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.5 * 0.5**epochs)


def test_a_test_needs_no_weights_of_a_loss(lol: Path, caplog: pytest.LogCaptureFixture) -> None:
    method = Supervised(Brighten(), loss=partial(vgg_loss, weights="nowhere.pth"))
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, barebones=False)
    (scores,) = trainer.test(method, pairs(lol), verbose=False)
    assert "test/psnr" in scores
    assert "test/loss" not in scores
    assert caplog.text.count("test/loss is left out: nowhere.pth: no such file") == 1
    with pytest.raises(ValueError, match=r"nowhere\.pth: no such file"):
        trainer.validate(method, pairs(lol), verbose=False)


def test_what_is_not_finite_is_not_scored_as_black(lol: Path) -> None:
    method = Supervised(Brighten())
    torch.nn.init.constant_(method.net.weight, float("nan"))
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    for score in (trainer.validate, trainer.test):
        with pytest.raises(ValueError, match=r"^[^:]+: enhanced to values that are not finite"):
            score(method, pairs(lol), verbose=False)
