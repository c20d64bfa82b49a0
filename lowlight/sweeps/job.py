"""Sweeps that survive their jobs, and studies that go on after a stop."""

import logging
import math
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from lowlight.config import register_resolvers
from lowlight.files import write_json, write_text
from lowlight.runs.folder import FAILURE, OVERRIDES, REFUSAL

log = logging.getLogger(__name__)

register_resolvers()  # wherever a launcher runs a job


def run_job(task: Callable[[DictConfig], float | None], config: DictConfig) -> float | None:
    """Call a verb's function as a job of a sweep.

    Whatever it fails by, the job leaves ``failed.json`` and the sweep goes on: None is a value that every
    sweeper takes, Optuna's as a failed trial. A finished run that is in its folder stays one.
    """
    folder = Path(config.output_dir)
    try:
        _refuse_repeated_sweep(config)
        value = task(config)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        log.error("failed: %s", one_line(error))
        _record(error, config)
        return None
    (folder / FAILURE).unlink(missing_ok=True)
    if (hydras := folder / ".hydra" / OVERRIDES).exists():
        write_text(folder / OVERRIDES, hydras.read_text(encoding="utf-8"))
    return None if value is None or math.isnan(value) else value


def _record(error: Exception, config: DictConfig) -> None:
    """Write why a job failed, and tell W&B; what fails of that is told and ends nothing."""
    folder = Path(config.output_dir)
    finished = (folder / "manifest.json").exists()
    try:
        record = {"reason": one_line(error), "traceback": traceback.format_exc()}
        write_json(folder / (REFUSAL if finished else FAILURE), record)
        if config.get("logger") and not finished:
            from lowlight.loggers.base import report_failure

            report_failure(config, one_line(error))
    except Exception as another:
        log.error("the failure could not be recorded: %s", one_line(another))


def one_line(error: Exception) -> str:
    """Say what went wrong; of what is no user's mistake, its kind as well."""
    if isinstance(error, MissingMandatoryValue):
        key = error.full_key or str(error).rpartition(": ")[2]
        return f"{key} is not set; add {key}=... to the command"
    message = next(iter(str(error).strip().splitlines()), "")
    expected = isinstance(error, ValueError | OSError | OmegaConfBaseException)
    return message if expected else f"{type(error).__name__}: {message}"


def _refuse_repeated_sweep(config: DictConfig) -> None:
    """Refuse a strategy that starts its other processes by the command line: here, the whole sweep's."""
    strategy, devices = str(config.trainer.get("strategy")), config.trainer.get("devices")
    repeats = re.match(r"(ddp|fsdp|deepspeed)(?!_spawn|_fork|_notebook)", strategy)
    started_outside = "LOCAL_RANK" in os.environ or "SLURM_JOB_ID" in os.environ
    if repeats and devices != 1 and not started_outside:
        raise ValueError(
            f"trainer.strategy={strategy} starts its processes by repeating the command, here the whole "
            "sweep: set trainer=ddp_spawn, or trainer.devices=1 and a launcher that runs jobs side by side"
        )
