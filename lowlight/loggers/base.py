"""What the loggers share, and what a run reports to them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from lowlight.checkpoints.recipe import make
from lowlight.methods import Method
from lowlight.runs.provenance import provenance


class Sample(NamedTuple):
    """A validation image as dark image, enhanced image and any reference, 8-bit, (3, H, W), on the CPU."""

    name: str
    low: Tensor
    enhanced: Tensor
    reference: Tensor | None = None

    @property
    def side_by_side(self) -> Tensor:
        """All of its images in one, from left to right, shape (3, H, 2 W or 3 W)."""
        return torch.cat([image for image in self[1:] if image is not None], dim=-1)


class RunLogger:
    """Mix-in for a Lightning logger that records more of a run than its curves; by default, nothing more."""

    def log_samples(self, samples: Sequence[Sample], epoch: int) -> None:
        """Show validation images.

        Args:
            samples: The images.
            epoch: Epoch after which they were enhanced, counted from 1.
        """

    def log_best(self, checkpoint: Path, about: Mapping[str, Any]) -> None:
        """Store the best checkpoint.

        Args:
            checkpoint: The run's ``best.ckpt``.
            about: Value of the objective, keyed by its name, and ``best_epoch``, counted from 1.
        """

    def log_failure(self, config: Mapping[str, Any], reason: str) -> None:
        """Record a run that failed before it began.

        Args:
            config: The config as written, unresolved.
            reason: One line.
        """

    def finish(self, failed: bool) -> None:
        """End the run.

        Args:
            failed: Whether it ended with an error.
        """


class EpochCurves(RunLogger):
    """Mix-in for a Lightning logger whose steps are to be epochs."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log curves at their epoch, and test scores at the number of trained epochs."""
        curves, scores, epoch = divide(metrics)
        if curves:
            super().log_metrics(curves, step if epoch is None else epoch + 1)  # type: ignore[misc]
        if scores:
            super().log_metrics(scores, step if epoch is None else epoch)  # type: ignore[misc]


def run_loggers(loggers: Sequence[Logger]) -> list[RunLogger]:
    """Return the loggers that record more than curves."""
    return [logger for logger in loggers if isinstance(logger, RunLogger)]


def describe(loggers: Sequence[Logger], config: DictConfig, method: Method) -> None:
    """Log what is run: the resolved config, commit, versions, machine and number of parameters."""
    about = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    about |= provenance()
    about["parameters"] = method.parameter_count
    for logger in loggers:
        logger.log_hyperparams(about)


def log_best(loggers: Sequence[Logger], checkpoint: Path, about: Mapping[str, Any]) -> None:
    """Log the best checkpoint by :meth:`RunLogger.log_best`; nothing if no epoch was validated."""
    for logger in run_loggers(loggers) if checkpoint.exists() else []:
        logger.log_best(checkpoint, about)


@contextmanager
def finishing(loggers: Sequence[Logger]) -> Iterator[None]:
    """Finish the loggers' runs at the end, as failed after an error; each job of a sweep gets its own."""
    exit_code = 1
    try:
        yield
        exit_code = 0
    finally:
        for logger in run_loggers(loggers):
            logger.finish(failed=exit_code != 0)
        # Lightning's own W&B logger, too, which a user's config may name.
        if any(isinstance(logger, WandbLogger) for logger in loggers):
            import wandb

            wandb.finish(exit_code=exit_code)


def report_failure(config: DictConfig, reason: str) -> None:
    """Report a job that failed before its run began to the loggers of its config."""
    as_written = cast(dict[str, Any], OmegaConf.to_container(config))  # resolving may be what failed
    for logger in run_loggers(list((make(config.logger) or {}).values())):
        logger.log_failure(as_written, reason)


def divide(metrics: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float], int | None]:
    """Divide what Lightning logs into curves, test scores and the epoch, counted from 0."""
    rest = dict(metrics)
    epoch = rest.pop("epoch", None)
    scores = {key: rest.pop(key) for key in list(rest) if key.startswith("test/")}
    return rest, scores, None if epoch is None else int(epoch)
