"""An Optuna study that the same command goes on with after a stop."""

import logging
import warnings
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

log = logging.getLogger(__name__)

_STOPPED = "stopped"
"""The study's attribute that lists the trials whose process ended before they did."""


class ContinuedStudy(Callback):
    """Take up a stored study where it was stopped, until it has ``hydra.sweeper.n_trials`` trials in all.

    Hydra's sweeper by itself would add as many trials again, propose the same first ones, and forget the one
    it was stopped in; that one is repeated first, in its own folder, so that ``resume=auto`` takes up its
    last epoch. One process may search a study at a time.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Count what the study has, before the sweeper reads how much is wanted."""
        import optuna
        from optuna.trial import TrialState

        Path(config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        sweeper = config.hydra.sweeper
        names = {known.study_name for known in optuna.get_all_study_summaries(sweeper.storage)}
        if sweeper.study_name not in names:
            return
        study = optuna.load_study(study_name=sweeper.study_name, storage=sweeper.storage)
        stopped: list[int] = study.user_attrs.get(_STOPPED, [])
        for trial in study.get_trials(states=(TrialState.RUNNING,)):
            study.set_user_attr(_STOPPED, stopped := [*stopped, trial.number])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.enqueue_trial(trial.params)
            study.tell(trial.number, state=TrialState.FAIL)
        ended = study.get_trials(states=(TrialState.COMPLETE, TrialState.FAIL))
        done = sum(trial.number not in stopped for trial in ended)
        log.info("study %s: %d of %d trials are done", study.study_name, done, sweeper.n_trials)
        sweeper.n_trials = max(sweeper.n_trials - done, 0)
        if sweeper.sampler.get("seed") is not None:
            sweeper.sampler.seed += len(study.trials)
