"""What the Hydra verbs share: the run folder, errors in one line, missing plugins, the summary of a sweep."""

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from lowlight.cli._quiet import quieten_lightning
from lowlight.files import read_json
from lowlight.runs.folder import FAILURE, REFUSAL
from lowlight.sweeps.job import one_line, run_job

_PLUGINS = {"joblib": "launch", "submitit": "launch", "ray": "ray", "optuna": "optuna"}
"""Hydra's launchers and sweepers, and the extra that brings each."""


def run(task: Callable[[DictConfig], float | None], config: DictConfig) -> float | None:
    """Call a verb's function with the job's folder as ``output_dir``.

    What a user got wrong (a ``ValueError``, a missing setting) is told in one line on stderr with exit
    status 1; a job of a sweep is run by :func:`run_job` instead. HYDRA_FULL_ERROR=1 raises either way.
    """
    quieten_lightning()
    hydra = HydraConfig.get()
    with open_dict(config):
        config.output_dir = hydra.runtime.output_dir
        if hydra.mode == RunMode.MULTIRUN:
            _label_job(config, Path(hydra.sweep.dir).name, list(hydra.overrides.task))
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        return task(config)
    if hydra.mode == RunMode.MULTIRUN:
        return run_job(task, config)
    try:
        return task(config)
    except (ValueError, OSError, OmegaConfBaseException) as error:
        sys.exit(f"error: {one_line(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


class OutputCheck(Callback):
    """Tell of an output folder that cannot be written in one line, before Hydra does with a traceback."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Make the folder of a run, or stop."""
        _require_writable(Path(config.output_dir), "output_dir")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Make the folder of a sweep, or stop."""
        _require_writable(Path(config.hydra.sweep.dir), "hydra.sweep.dir")


def _require_writable(folder: Path, key: str) -> None:
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(65536))  # a full disk often takes an empty file
        probe.unlink()
    except OSError as error:
        sys.exit(f"error: cannot write to {key}={folder} ({error.strerror}); choose another")


def _label_job(config: DictConfig, sweep: str, overrides: list[str]) -> None:
    """Give loggers that have ``group`` and ``tags``, unset, the sweep's name and the job's overrides."""
    for logger in (config.get("logger") or {}).values():
        for key, value in {"group": sweep, "tags": overrides}.items():
            if key in logger and logger[key] is None:
                logger[key] = value


class SweepSummary(Callback):
    """Write and print what became of a sweep's jobs at its end; the exit status is 1 if one failed."""

    def __init__(self) -> None:
        self.started = 0.0

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:  # noqa: ARG002
        """Note the time: the folder may hold jobs of earlier sweeps."""
        self.started = time.time()

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Summarise."""
        from lowlight.sweeps.summary import as_text, read_sweep, write_summary

        folder = Path(config.hydra.sweep.dir)
        jobs = read_sweep(folder)
        write_summary(folder, jobs)
        print(as_text(jobs))
        print(f"The summary is {folder / 'sweep.md'}; `lowlight sweep {folder}` writes it anew.")
        refusals = [job.folder / REFUSAL for job in jobs if (job.folder / REFUSAL).exists()]
        for record in refusals:
            print(f"failed, beside the finished run in its folder: {read_json(record)['reason']}")
            record.unlink()
        failures = [job.folder / FAILURE for job in jobs if job.status == "failed"]
        if refusals or any(record.stat().st_mtime >= self.started for record in failures):
            sys.exit(1)


def require_plugins(arguments: Sequence[str]) -> None:
    """Name the extra that brings a launcher or sweeper that the command line asks for, if it is missing."""
    for argument in arguments:
        asked = re.match(r"(?:hydra/launcher|hydra/sweeper|hparams_search)=([a-z]+)", argument)
        name = asked[1].replace("slurm", "submitit") if asked else ""
        if name in _PLUGINS and not _is_installed(name):
            extra = _PLUGINS[name]
            sys.exit(f"error: {argument} needs an extra: pip install 'lowlight[{extra}]'")


def _is_installed(name: str) -> bool:
    try:
        return any(find_spec(f"hydra_plugins.hydra_{name}_{kind}") for kind in ("launcher", "sweeper"))
    except ModuleNotFoundError:  # no plugin at all
        return False
