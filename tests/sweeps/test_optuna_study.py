"""An Optuna study continues when its command is repeated."""

from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from lowlight.sweeps.optuna_study import ContinuedStudy
from lowlight.sweeps.summary import read_sweep
from tests.cli.commands import AUTOENCODER, in_process, lowlight, on


def study_config(folder: Path, trials: int, method: str = "gan", mode: str = "max") -> DictConfig:
    sweeper = {
        "storage": f"sqlite:///{folder}/new/study.db",
        "study_name": "s",
        "direction": "${objective.mode}imize",
        "n_trials": trials,
        "sampler": {"seed": 7},
    }
    hydra = {"sweep": {"dir": f"{folder}/new"}, "sweeper": sweeper}
    return OmegaConf.create({"method": method, "objective": {"mode": mode}, "hydra": hydra})


def start(config: DictConfig) -> int:
    """Return how many trials the sweeper would run."""
    ContinuedStudy().on_multirun_start(config)
    return int(config.hydra.sweeper.n_trials)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_a_study_goes_on_to_its_number_of_trials_and_repeats_those_without_a_result(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    assert start(study_config(tmp_path, 5)) == 5  # nothing there yet
    assert (tmp_path / "new" / "multirun.yaml").exists()
    storage = study_config(tmp_path, 5).hydra.sweeper.storage
    study = optuna.load_study(storage=storage, study_name="s")
    distribution = {"lr": optuna.distributions.LogUniformDistribution(1e-5, 1e-2)}
    done, failed, stopped = (study.ask(distribution) for _ in range(3))
    study.tell(done, 1.0)
    study.tell(failed, state=optuna.trial.TrialState.FAIL)

    for _ in range(2):  # stopped again before the repetition began
        second = study_config(tmp_path, 5)
        assert start(second) == 4
    assert second.hydra.sweeper.sampler.seed > 7
    repeated = [study.ask(distribution) for _ in range(3)]
    assert [trial.params for trial in repeated[:2]] == [failed.params, stopped.params]
    assert repeated[2].params not in (failed.params, stopped.params)  # each is repeated once a start
    for trial in repeated:
        study.tell(trial, 2.0)
    assert start(study_config(tmp_path, 5)) == 1
    assert start(study_config(tmp_path, 3)) == 0


@pytest.mark.filterwarnings("ignore")
def test_a_study_of_another_recipe_or_objective_is_refused_in_one_line(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    first = study_config(tmp_path, 2, mode="min")
    start(first)
    study = optuna.load_study(storage=first.hydra.sweeper.storage, study_name="s")
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    start(study_config(tmp_path, 9, mode="min"))
    for other, said in (
        (study_config(tmp_path, 2, "mirnet", "min"), "method is gan there and mirnet here"),
        (study_config(tmp_path, 2), "it does not maximize its objective"),
    ):
        with pytest.raises(SystemExit) as stop:
            start(other)
        place = f"error: {tmp_path}/new holds a study of another recipe"
        assert stop.value.code == f"{place}: {said}; choose another hydra.sweep.dir"


@pytest.mark.filterwarnings("ignore")
def test_a_study_without_a_result_ends_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    optuna = pytest.importorskip("optuna")
    from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl

    def sweep(sweeper: object, arguments: list[str]) -> None:  # as it ends
        optuna.load_study(storage=config.hydra.sweeper.storage, study_name="s").best_trial  # noqa: B018

    monkeypatch.setattr(OptunaSweeperImpl, "sweep", sweep)
    config = study_config(tmp_path, 2)
    start(config)
    study = optuna.load_study(storage=config.hydra.sweeper.storage, study_name="s")
    with pytest.raises(ValueError, match="Record does not exist"):
        OptunaSweeperImpl.sweep(None, [])  # no trial at all: what is wrong is another thing
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    OptunaSweeperImpl.sweep(None, [])
    assert "no trial of study s has a result" in caplog.text


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_an_optuna_study_is_continued(lol: Path, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    arguments = ["hparams_search=optuna", *AUTOENCODER, *on(lol), "trainer.max_epochs=1"]
    done = lowlight("train", *arguments, "hydra.sweeper.n_trials=1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for _ in range(2):
        in_process("train", *arguments, "hydra.sweeper.n_trials=3", folder=tmp_path)
    study = optuna.load_study(study_name="lowlight", storage=f"sqlite:///{tmp_path}/multirun/optuna/study.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert len({trial.params["method.optimizer.lr"] for trial in study.trials}) == 3
    jobs = read_sweep(tmp_path / "multirun" / "optuna")
    assert len(jobs) == 3
    assert jobs[0].objective == pytest.approx(study.best_value, abs=1e-6)
