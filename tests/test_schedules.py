import pytest
import torch
from hydra.utils import instantiate
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from lowlight.checkpoints.recipe import build, check_recipe
from lowlight.config import available, load_config
from lowlight.schedules import LinearDecay, StepDecay, WarmupCosine
from tests.tiny import ONE_PER_CLASS, TINY


def optimizer(*rates: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates])


def curve(schedule: LRScheduler, epochs: int) -> list[float]:
    rates = []
    for _ in range(epochs):
        rates.append(float(schedule.get_last_lr()[0]))
        schedule.optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize("epochs", [1, 2, 7, 40, 100])
def test_without_warm_up_it_is_torchs_cosine(epochs: int) -> None:
    ours = WarmupCosine(optimizer(2e-4), epochs, floor=1e-6)
    theirs = CosineAnnealingLR(optimizer(2e-4), epochs, eta_min=1e-6)
    assert curve(ours, epochs + 1) == pytest.approx(curve(theirs, epochs + 1), rel=1e-9)


def test_the_rate_rises_in_equal_steps_then_falls_to_the_floor_and_stays_there() -> None:
    rates = curve(WarmupCosine(optimizer(1.0), epochs=11, warmup=3, floor=0.2), 20)
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[7] == pytest.approx(0.6)  # half way
    assert rates[3:12] == sorted(rates[3:12], reverse=True)
    assert rates[11:] == pytest.approx([0.2] * 9)


def test_a_restart_makes_two_trainings_of_one() -> None:
    rates = curve(WarmupCosine(optimizer(1.0), epochs=10, warmup=1, floor=0.1, restart=4), 11)
    first = curve(WarmupCosine(optimizer(1.0), epochs=4, warmup=1, floor=0.1), 4)
    second = curve(WarmupCosine(optimizer(1.0), epochs=6, warmup=1, floor=0.1), 7)
    assert rates == pytest.approx(first + second)


def test_a_training_that_ends_within_the_warm_up_only_rises() -> None:
    assert curve(WarmupCosine(optimizer(1.0), epochs=1, warmup=4), 3) == pytest.approx([0.2, 0.4, 0.6])


def test_each_group_has_its_own_rate_and_the_floor_raises_none() -> None:
    schedule = WarmupCosine(optimizer(1e-3, 1e-7, 0.0), epochs=1)
    schedule.optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([1e-6, 1e-7, 0.0])


def test_a_schedule_taken_up_from_its_state_goes_on_alike() -> None:
    first, second = (WarmupCosine(optimizer(1.0), epochs=9, warmup=2) for _ in range(2))
    curve(first, 4)
    second.load_state_dict(first.state_dict())
    assert curve(second, 6)[1:] == curve(first, 6)[1:]


def test_a_rate_drops_once_and_again_after_a_restart() -> None:
    rates = curve(StepDecay(optimizer(2.0), epochs=2, factor=0.5, restart=4), 8)
    assert rates == pytest.approx([2, 2, 1, 1, 2, 2, 1, 1])
    assert curve(StepDecay(optimizer(2.0), epochs=2), 4) == pytest.approx([2, 2, 0.2, 0.2])
    with pytest.raises(ValueError, match="factor=-1 cannot be negative"):
        StepDecay(optimizer(1.0), epochs=2, factor=-1)


@pytest.mark.parametrize("bad", [{"epochs": -1}, {"epochs": 5, "warmup": -1}, {"epochs": 5, "floor": -1e-6}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="schedule"):
        WarmupCosine(optimizer(1.0), **bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("schedule", available("schedule"))
@pytest.mark.parametrize("name", ONE_PER_CLASS)
def test_every_schedule_works_for_every_method(name: str, schedule: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    chosen = [f"method={name}", *TINY[name], f"schedule={schedule}", "method.scheduler.warmup=2"]
    method = build(load_config([*chosen, "trainer.max_epochs=12"]).method)
    made = method.configure_optimizers()
    schedules = [made["lr_scheduler"]] if isinstance(made, dict) else made[1]
    assert [(type(one), one.epochs, one.warmup) for one in schedules] == [(WarmupCosine, 12, 2)] * len(
        schedules
    )
    check_recipe(method.recipe, tmp_path)  # a checkpoint may call it


FOLDERS = {name.partition("/")[0]: name for name in available("experiment")}.values()
OTHERS = [
    *("lol_cpu/llcnn", "lol_cpu/retinexnet"),
    *("published/enlighten_gan", "published/llcnn", "published/retinexnet"),
]
"""Experiments whose schedules are of other kinds than those of the last of each folder."""


@pytest.mark.parametrize("name", [*FOLDERS, *OTHERS])
def test_an_experiments_schedule_can_be_replaced(name: str) -> None:
    config = load_config([f"experiment={name}", "schedule=warmup_cosine", "trainer.max_epochs=9000"])
    made = instantiate(config.method.scheduler)(optimizer(1.0))
    assert (type(made), made.epochs, made.warmup) == (WarmupCosine, 9000, 5)
    stages = [value for key, value in config.method.items() if key.endswith("_epochs")]
    assert made.restart == (stages[0] if stages else 0)


def test_a_papers_steps_are_its_presets() -> None:
    def rates(name: str, epochs: int) -> list[float]:
        return curve(
            instantiate(load_config([f"experiment=published/{name}"]).method.scheduler)(optimizer(1.0)),
            epochs,
        )

    assert rates("llcnn", 502)[498:] == pytest.approx([1, 1, 0.1, 0.1])
    assert rates("retinexnet", 122)[18:22] == pytest.approx([1, 1, 0.1, 0.1])
    assert rates("retinexnet", 122)[98:102] == pytest.approx([0.1, 0.1, 1, 1])
    assert rates("retinexnet", 122)[118:] == pytest.approx([1, 1, 0.1, 0.1])


@pytest.mark.parametrize("name", ["mirnet", "autoencoder", "gan"])
def test_an_experiments_schedule_can_be_changed_or_left_out(name: str) -> None:
    own = load_config([f"experiment=study/{name}"])
    assert (own.method.scheduler.warmup, own.method.scheduler.epochs) == (0, own.trainer.max_epochs)
    assert load_config([f"experiment=study/{name}", "schedule=warmup_cosine"]).method.scheduler.warmup == 5
    assert load_config([f"experiment=study/{name}", "method.scheduler=null"]).method.scheduler is None


def test_a_linear_decay_is_constant_for_its_first_half_and_ends_one_step_above_zero() -> None:
    rates = curve(LinearDecay(optimizer(1e-4), epochs=200), 202)
    assert rates[:101] == pytest.approx([1e-4] * 101)
    assert rates[101:200] == pytest.approx([1e-6 * left for left in range(99, 0, -1)])
    assert rates[200:] == [0, 0]
    assert curve(LinearDecay(optimizer(1.0), epochs=4, share=1), 4) == pytest.approx([1, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("settings", [{"epochs": -1}, {"epochs": 4, "share": 0}, {"epochs": 4, "share": 1.5}])
def test_a_linear_decay_without_an_end_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"has no end: share must be in \(0, 1\]; set trainer.max_epochs"):
        LinearDecay(optimizer(1.0), **settings)  # type: ignore[arg-type]
