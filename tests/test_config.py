import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from lowlight.checkpoints.recipe import make
from lowlight.config import available, config_folder, load_config
from lowlight.data import PairDataModule

EXPERIMENTS = available("experiment")
GROUPS = [
    f"{group}={name}" for group in ("data", "trainer", "callbacks", "logger") for name in available(group)
]


def test_the_config_folder_is_the_registry() -> None:
    assert (config_folder() / "train.yaml").is_file()
    assert {"mirnet", "autoencoder", "gan"} <= set(available("method"))
    with pytest.raises(ValueError, match="no config group 'methods'; there are callbacks, data"):
        available("methods")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_resolves(experiment: str) -> None:
    config = load_config([f"experiment={experiment}", *(["data.root=LOL"] if "lol" in experiment else [])])
    assert OmegaConf.to_container(config, resolve=True, throw_on_missing=True)["method"]["name"] in experiment


@pytest.mark.parametrize("choice", GROUPS)
def test_every_other_yaml_composes_and_resolves(choice: str) -> None:
    config = load_config(
        [choice, *(["data.root=LOL"] if choice.startswith("data=") and choice != "data=synthetic" else [])]
    )
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)


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
