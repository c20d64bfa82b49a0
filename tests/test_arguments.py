"""A value of the wrong type is told by its setting, before anything is done with it."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from omegaconf import OmegaConf
from torch import Tensor

from lowlight.arguments import check_arguments
from lowlight.config import available, load_config


class Takes:
    """Arguments of every kind of annotation that a config can be checked against."""

    def __init__(
        self,
        rate: float | Tensor = 1e-3,
        sizes: tuple[int, int] = (1, 2),
        names: list[str] | None = None,
        mode: Literal["max", "min"] = "max",
        folder: Path | str = ".",
        share: Annotated[float, "of one"] = 0.5,
        table: dict[str, int] | None = None,
        other: Any = None,
        careless: int = None,  # type: ignore[assignment]  # noqa: RUF013
        untold=None,  # type: ignore[no-untyped-def]
    ) -> None:
        pass


def check(**arguments: Any) -> None:
    check_arguments(OmegaConf.create({"a": {"_target_": "tests.test_arguments.Takes", **arguments}}))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"rate": "abc"}, "a.rate=abc must be a number, such as 0.001"),
        ({"rate": True}, "a.rate=true must be a number"),
        ({"rate": None}, "a.rate=null must be a number"),
        ({"sizes": [1]}, r"a.sizes=\[1\] must be a list of 2"),
        ({"sizes": [1, "b"]}, "a.sizes=.* must be a list of 2"),
        ({"names": "x"}, "a.names=x must be a list or null"),
        ({"mode": "mix"}, "a.mode=mix is none of max, min; did you mean max or min?"),
        ({"folder": ["x"]}, "a.folder=.* must be text"),
        ({"share": "half"}, "a.share=half must be a number, such as 0.5"),
        ({"table": [1]}, "a.table=.* must be a mapping or null"),
        ({"raet": 1}, "a.raet: tests.test_arguments.Takes has no argument 'raet'; did you mean a.rate?"),
    ],
)
def test_a_value_that_an_argument_cannot_take_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check(**arguments)


def test_what_an_argument_takes_or_what_is_not_known_passes() -> None:
    check(rate=1, sizes=[3, 4.0], names=["x", 2], mode="min", folder="x", share=0, table={"x": 1})
    check(
        careless=None,
        other="anything",
        untold=[1],
        rate={"_target_": "torch.tensor", "data": 1},
        names=None,
        share="???",
    )


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("method.optimizer.lr=abc", "method.optimizer.lr=abc must be a number, such as 0.001"),
        ("trainer.max_epochs=abc", "trainer.max_epochs=abc must be a whole number or null"),
        (
            "trainer.precision=bf16-mxed",
            "trainer.precision=bf16-mxed is none of .*; did you mean bf16-mixed?",
        ),
        ("trainer.precision=64-true", "trainer.precision=64-true is none of auto, 32-true, bf16-mixed, 16"),
        ("trainer.precision=bf16-true", "trainer.precision=bf16-true is none of .*; did you mean bf16"),
        ("trainer.precision=64", "trainer.precision=64 is none of"),
        ("trainer.limit_test_batches=0", "trainer.limit_test_batches=0 must be above 0"),
        ("trainer.limit_train_batches=0", "trainer.limit_train_batches=0 must be above 0"),
        ("trainer.max_epochs=0", "trainer.max_epochs=0 must be above 0"),
        ("trainer.accumulate_grad_batches=0", "trainer.accumulate_grad_batches=0 must be above 0"),
        ("trainer.check_val_every_n_epoch=0", "trainer.check_val_every_n_epoch=0 must be above 0"),
        ("data.patch_size=0", "data.patch_size=0 must be above 0"),
        ("trainer.max_time=60", "trainer.max_time=60 must be days:hours:minutes:seconds, such as 00:02:"),
        ("seed=x", "seed=x must be a whole number"),
        ("method.scheduler=cosine", "method.scheduler=cosine is a choice of schedule: set schedule=cosine"),
        ("method.scheduler=fast", "method.scheduler=fast must be a mapping with a _target_ or null"),
        ("trainer.enable_progress_bar=no", "trainer.enable_progress_bar=no must be true or false"),
        ("data.batch_size=abc", "data.batch_size=abc must be a whole number, such as 16"),
        ("data.patch_size=1.5", "data.patch_size=1.5 must be a whole number or null"),
        ("callbacks.samples.count=abc", "callbacks.samples.count=abc must be a whole number"),
        ("compile=maybe", "compile=maybe must be true or false"),
        ("objective.mode=maxi", "objective.mode=maxi is none of max, min; did you mean max?"),
        ("resume=rstart", "resume=rstart is none of never, auto, restart; did you mean restart?"),
        ("+method.net.chanels=3", "has no argument 'chanels'; did you mean method.net.channels?"),
        ("method.net._target_=lowlight.networks.Nothing", "method.net._target_=.* cannot be imported"),
    ],
)
def test_a_setting_of_the_wrong_type_is_named(override: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as stop:
        check_arguments(load_config([override]))
    assert "\n" not in str(stop.value)


def test_whole_numbers_written_as_others_become_whole() -> None:
    given = ["trainer.max_epochs=1e1", "data.epoch_size=1e1", "data.patch_size=3.2e1", "seed=1e0"]
    config = load_config([*given, "data.batch_size=2.0", "trainer.limit_val_batches=1.0"])
    check_arguments(config)
    values = [config.trainer.max_epochs, config.method.scheduler.epochs, config.data.epoch_size]
    values += [config.data.patch_size, config.data.batch_size, config.seed]
    assert [repr(value) for value in values] == ["10", "10", "10", "32", "2", "1"]
    assert repr(config.trainer.limit_val_batches) == "1.0"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "name"),
    [(group, "train") for group in ("method", "data", "trainer", "logger", "schedule", "experiment")]
    + [("method", "evaluate"), ("data", "evaluate")],
)
def test_every_config_of_ours_passes(group: str, name: str) -> None:
    for choice in available(group):
        check_arguments(load_config([f"{group}={choice}"], name))


def test_values_that_the_pages_show_pass() -> None:
    precision = ["trainer.precision=auto", "trainer.max_time=00:02:00:00", "trainer.devices=[0,1]"]
    stages = ["data.progressive=[{epochs: 20, patch_size: 64, batch_size: 32}]", "data.mixup=1.2"]
    callbacks = ["callbacks=[default,ema,early_stopping]", "trainer.limit_train_batches=2", "data.cache=1"]
    check_arguments(load_config([*precision, *stages, *callbacks, "method.optimizer.lr=1"]))
