import inspect
import shlex
from typing import Any, cast

import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from lowlight.checkpoints.recipe import make
from lowlight.config import available, config_folder, load_config, setting
from lowlight.data import PairDataModule
from lowlight.runs.recipe import recipe

EXPERIMENTS = available("experiment")
ROOTS = {
    "mixed": [f"data.sets.{name}.root={name}" for name in ("lol", "exposures", "bright")],
    "plates": [],
    "plates_gpu": [],
    "study": [],
    "synthetic": [],
}
"""Overrides that say where data is, other than ``data.root=LOL``, by data set or folder of presets."""

GROUPS = [
    f"{group}={name}"
    for group in ("data", "trainer", "check", "callbacks", "logger")
    for name in available(group)
]


def test_the_config_folder_is_the_registry() -> None:
    assert (config_folder() / "train.yaml").is_file()
    assert {"mirnet", "autoencoder", "gan"} <= set(available("method"))
    with pytest.raises(ValueError, match="no config group 'methods'; there are callbacks, check"):
        available("methods")


def test_what_configs_share_is_no_choice() -> None:
    assert (config_folder() / "data" / "_base.yaml").is_file()
    assert {"lol", "pairs", "sice"} <= set(available("data"))
    assert "_base" not in available("data")


@pytest.mark.parametrize("name", [name for name in available("data") if name not in ("mixed", "plates")])
def test_every_data_set_is_prepared_as_the_data_module_does_by_default(name: str) -> None:
    config = load_config([f"data={name}"]).data
    shared = {
        key: parameter.default
        for key, parameter in inspect.signature(PairDataModule).parameters.items()
        if key not in ("root", "sets", "layout")
    }
    assert {key: config[key] for key in shared} == shared | {"progressive": []}
    assert set(config) - set(shared) <= {"_target_", "_convert_", "root", "sets", "layout"}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_resolves(experiment: str) -> None:
    roots = ROOTS.get(experiment.partition("/")[0], ["data.root=LOL"])
    assert resolved([f"experiment={experiment}", *roots])["method"]["name"] == experiment.rpartition("/")[2]


@pytest.mark.parametrize("choice", GROUPS)
def test_every_other_yaml_composes_and_resolves(choice: str) -> None:
    group, _, name = choice.partition("=")
    resolved([choice, *(ROOTS.get(name, ["data.root=LOL"]) if group == "data" else [])])


def resolved(overrides: list[str]) -> dict[str, Any]:
    """Return a config that resolves and has a recipe, by which a run is recognised when it goes on."""
    container = OmegaConf.to_container(load_config(overrides), resolve=True, throw_on_missing=True)
    settings = cast(dict[str, Any], container)
    assert {"seed", "method._target_", "data._target_"} <= recipe(settings).keys()
    return settings


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_trainers_callbacks_and_loggers_can_be_made(name: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    config = load_config([f"trainer={name}", f"output_dir='{tmp_path}'"])
    callbacks, loggers = make(config.callbacks), make(config.logger)
    trainer = make(config.trainer, callbacks=list(callbacks.values()), logger=list(loggers.values()))
    assert trainer.max_epochs == config.trainer.max_epochs


def test_the_default_data_is_embedded() -> None:
    assert isinstance(make(load_config().data), PairDataModule)


def test_composing_leaves_hydras_global_state_alone() -> None:
    before = GlobalHydra.instance().hydra
    load_config(["method=gan"])
    assert GlobalHydra.instance().hydra is before


@pytest.mark.parametrize("preset", ["grid", "optuna"])
@pytest.mark.parametrize(
    ("objective", "floor"), [([], 5.0), (["objective.mode=min"], None), (["objective.metric=val/loss"], None)]
)
def test_a_search_ends_trials_at_a_psnr_only_where_one_is_maximised(
    preset: str, objective: list[str], floor: float | None
) -> None:
    config = load_config([f"hparams_search={preset}", *objective])
    assert config.callbacks.early_stopping.divergence_threshold == floor


@pytest.mark.parametrize("preset", ["grid", "optuna"])
@pytest.mark.parametrize("experiment", ["study/autoencoder", "lol_cpu/coarse_to_fine"])
def test_a_search_keeps_the_callbacks_of_its_experiment(preset: str, experiment: str) -> None:
    alone = load_config([f"experiment={experiment}"]).callbacks
    searched = load_config([f"experiment={experiment}", f"hparams_search={preset}"]).callbacks
    assert set(searched) == {*alone, "early_stopping"}
    assert searched.ema == alone.ema


@pytest.mark.parametrize("value", ["/data/LOL", "my run", "it's", "a,b (2)", "$HOME/x!", "é"])
def test_a_printed_setting_can_be_pasted(value: str) -> None:
    (argument,) = shlex.split(setting("output_dir", value))
    assert load_config([argument]).output_dir == value
