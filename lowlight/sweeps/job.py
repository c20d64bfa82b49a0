"""One job of a sweep, whose failure is recorded and does not stop the sweep."""

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
from lowlight.files import printable, write_json, write_text
from lowlight.runs.folder import FAILURE, OVERRIDES, REFUSAL

log = logging.getLogger(__name__)

register_resolvers()  # in whatever process a launcher runs the job


def run_job(
    task: Callable[[DictConfig], float | None], config: DictConfig, *, debug: bool = False
) -> float | None:
    """Call a verb's function as a job of a sweep.

    Any failure is written to ``failed.json`` and the sweep continues: every sweeper accepts None as a value,
    Optuna's as a failed trial. A finished run already in the folder stays finished. With ``debug`` the error
    is raised too, once it is recorded.

    Returns:
        The objective; None if the job failed or did not measure it.
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
        if debug:
            raise
        return None
    (folder / FAILURE).unlink(missing_ok=True)
    if (hydras := folder / ".hydra" / OVERRIDES).exists():
        write_text(folder / OVERRIDES, hydras.read_text(encoding="utf-8"))
    return None if value is None or math.isnan(value) else value


def _record(error: Exception, config: DictConfig) -> None:
    """Write the reason of a failure and report it to the loggers; an error on the way is only logged."""
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
    """Return an error's first line, after its type where the user did not cause it."""
    if isinstance(error, MissingMandatoryValue):
        key = error.full_key or str(error).rpartition(": ")[2]
        return f"{key} is not set; add {key}=... to the command"
    message = printable(next(iter(str(error).strip().splitlines()), ""))
    expected = isinstance(error, ValueError | OSError | OmegaConfBaseException)
    return message if expected else f"{type(error).__name__}: {message}"


def _refuse_repeated_sweep(config: DictConfig) -> None:
    """Refuse strategies that launch processes by repeating the command line, which starts the sweep anew."""
    from lowlight.devices import strategy_of  # needs torch, as the job does, not the sweep

    strategy, devices = str(strategy_of(config.trainer)), config.trainer.get("devices")
    repeats = re.match(r"(ddp|fsdp|deepspeed)(?!_spawn|_fork|_notebook)", strategy)
    started_outside = "LOCAL_RANK" in os.environ or "SLURM_JOB_ID" in os.environ
    if repeats and devices != 1 and not started_outside:
        raise ValueError(
            f"trainer.strategy={strategy} starts its processes by repeating the command, here the whole "
            "sweep: set trainer=ddp_spawn, or trainer.devices=1 and a launcher that runs jobs in parallel"
        )
