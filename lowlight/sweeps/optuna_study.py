"""Optuna studies that continue when their command is repeated."""

import logging
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from lowlight.runs.recipe import difference, recipe

if TYPE_CHECKING:
    from optuna import Study

log = logging.getLogger(__name__)

_RECIPE = "recipe"
"""User attribute of the study: the recipe that all its trials share."""

_REPEATED = "repeated"
"""User attribute of the study: numbers of the trials without a result that were queued again."""


class ContinuedStudy(Callback):
    """Continue a stored study until ``hydra.sweeper.n_trials`` trials have a result.

    Hydra's sweeper on its own would run that many trials again, propose the same first ones, and drop the
    trial it was interrupted in. Here interrupted and failed trials are repeated first, once per start, each
    in its own folder, so that ``resume=auto`` continues from its last epoch. Only one process may search a
    study at a time.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Queue trials without a result, and lower ``n_trials`` to the number of results still missing."""
        import optuna
        from optuna.trial import TrialState

        folder, sweeper = Path(config.hydra.sweep.dir), config.hydra.sweeper
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "multirun.yaml")  # as Hydra's own sweeper does; it marks a sweep
        names = {"study_name": sweeper.study_name, "storage": sweeper.storage}
        try:
            study = optuna.create_study(**names, direction=sweeper.direction, load_if_exists=True)
        except ValueError:
            _refuse(folder, f"it does not {sweeper.direction} its objective")
        _end_without_a_result(study)
        here = _recipe(config)
        if differs := difference(study.user_attrs.get(_RECIPE, here), here):
            _refuse(folder, differs)
        study.set_user_attr(_RECIPE, here)
        repeated: list[int] = study.user_attrs.get(_REPEATED, [])
        for trial in study.get_trials(states=(TrialState.RUNNING, TrialState.FAIL)):
            if trial.number in repeated:
                continue
            study.set_user_attr(_REPEATED, repeated := [*repeated, trial.number])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.enqueue_trial(trial.params)
            if trial.state == TrialState.RUNNING:
                study.tell(trial.number, state=TrialState.FAIL)
        done = len(study.get_trials(states=(TrialState.COMPLETE,)))
        log.info("study %s: %d of %d trials are done", study.study_name, done, sweeper.n_trials)
        sweeper.n_trials = max(sweeper.n_trials - done, 0)
        if sweeper.sampler.get("seed") is not None:
            sweeper.sampler.seed += len(study.trials)


def _end_without_a_result(study: "Study") -> None:
    """Make the sweeper end a study without any result by one log line, so that the summary follows.

    Unpatched, it requests the best trial and fails with a traceback.
    """
    from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
    from optuna.trial import TrialState

    sweep = OptunaSweeperImpl.sweep

    def tolerant(sweeper: OptunaSweeperImpl, arguments: list[str]) -> None:
        try:
            sweep(sweeper, arguments)
        except ValueError as error:
            if study.get_trials(states=(TrialState.COMPLETE,)) or not study.trials:
                raise
            log.error("no trial of study %s has a result (%s)", study.study_name, error)

    OptunaSweeperImpl.sweep = tolerant  # type: ignore[method-assign, assignment]


def _refuse(folder: Path, differs: str) -> NoReturn:
    sys.exit(f"error: {folder} holds a study of another recipe: {differs}; choose another hydra.sweep.dir")


def _recipe(config: DictConfig) -> dict[str, Any]:
    """Return the settings that all trials share, by dotted key, without their number and search space."""
    own = {key: value for key, value in config.items() if key != "hydra"}
    settings: Any = OmegaConf.to_container(OmegaConf.create(own), resolve=True)
    return recipe(settings)
