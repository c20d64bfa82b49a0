"""Shared parts of the Hydra verbs: output folders, errors in one line, missing plugins, sweep summaries."""

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from lowlight.cli._quiet import quieten_lightning
from lowlight.config import quoted
from lowlight.files import printable, read_json
from lowlight.runs.folder import REFUSAL
from lowlight.sweeps.job import one_line, run_job

_PLUGINS = {"joblib": "launch", "submitit": "launch", "ray": "ray", "optuna": "optuna"}
"""Hydra's launchers and sweepers, each with the extra that installs it."""


def run(task: Callable[[DictConfig], float | None], config: DictConfig) -> float | None:
    """Call a verb's function with the job's folder as ``output_dir``.

    An error that the user can remedy (a ``ValueError``, a missing setting) becomes one line on stderr and
    exit status 1; jobs of a sweep go through :func:`run_job`. HYDRA_FULL_ERROR=1 raises in both cases, after
    the same records were written.
    """
    quieten_lightning()
    hydra = HydraConfig.get()
    with open_dict(config):
        config.output_dir = hydra.runtime.output_dir
        if hydra.mode == RunMode.MULTIRUN:
            _label_job(config, Path(hydra.sweep.dir).name, list(hydra.overrides.task))
    debug = os.environ.get("HYDRA_FULL_ERROR") == "1"
    if hydra.mode == RunMode.MULTIRUN:
        return run_job(task, config, debug=debug)
    if debug:
        return task(config)
    try:
        return task(config)
    except (ValueError, OSError, MemoryError, OmegaConfBaseException) as error:
        sys.exit(f"error: {one_line(error)}")


@contextmanager
def ending_at_ctrl_c() -> Iterator[None]:
    """End with exit status 130 and no traceback at Ctrl-C, before a verb's function begins, too."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)


class OutputCheck(Callback):
    """Refuse an output folder that cannot be written in one line, before Hydra fails with a traceback."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Create the folder of a run, or exit."""
        _require_writable(Path(config.output_dir), "output_dir")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Create the folder of a sweep, or exit."""
        _require_writable(Path(config.hydra.sweep.dir), "hydra.sweep.dir")


def _require_writable(folder: Path, key: str) -> None:
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(65536))  # a full disk often accepts an empty file
        probe.unlink()
    except OSError as error:
        sys.exit(f"error: cannot write to {key}={folder} ({error.strerror}); choose another")


def _label_job(config: DictConfig, sweep: str, overrides: list[str]) -> None:
    """Set the unset ``group`` and ``tags`` of loggers to the sweep's name and the job's overrides."""
    for logger in (config.get("logger") or {}).values():
        for key, value in {"group": sweep, "tags": overrides}.items():
            if key in logger and logger[key] is None:
                logger[key] = value


class SweepSummary(Callback):
    """Write and print the summary of a sweep at its end; the exit status is 1 if a job failed."""

    def __init__(self) -> None:
        self.started = 0.0

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:  # noqa: ARG002
        """Note the time, as the folder may hold jobs of earlier sweeps."""
        self.started = time.time()

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Summarise the jobs in the sweep's folder."""
        from lowlight.sweeps.summary import any_failed

        folder = Path(config.hydra.sweep.dir)
        failed = any_failed(folder, self.started)
        try:
            _summarise(folder)
        except (ValueError, OSError) as error:  # of which Hydra would only warn
            sys.exit(f"error: no summary: {one_line(error)}")
        if failed:
            sys.exit(1)


def _summarise(folder: Path) -> None:
    from lowlight.cli.sweep import print_jobs
    from lowlight.sweeps.summary import read_sweep, write_summary

    jobs = read_sweep(folder)
    write_summary(folder, jobs)
    print_jobs(jobs)
    print(f"The summary is {folder / 'sweep.md'}; `lowlight sweep {shlex.quote(str(folder))}` updates it.")
    for record in [job.folder / REFUSAL for job in jobs if (job.folder / REFUSAL).exists()]:
        reason = printable(str(read_json(record)["reason"]))
        print(f"failed, beside the finished run in its folder: {reason}")
        record.unlink()


def with_home(arguments: Sequence[str]) -> list[str]:
    """Replace the ``~`` of output folders, which shells leave in ``output_dir=~``, by the home folder."""

    def expanded(argument: str) -> str:
        found = re.fullmatch(r"(output_dir|hydra\.(?:run|sweep)\.dir)=(['\"]?)(~(?:/.*)?)\2", argument)
        return f"{found[1]}={quoted(str(Path(found[3]).expanduser()))}" if found else argument

    return [expanded(argument) for argument in arguments]


def require_plugins(arguments: Sequence[str]) -> None:
    """Exit with the name of the extra that installs a requested launcher or sweeper, if it is missing."""
    for argument in arguments:
        plugin = re.match(r"(?:hydra/launcher|hydra/sweeper|hparams_search)=([a-z]+)", argument)
        name = plugin[1].replace("slurm", "submitit") if plugin else ""
        if name in _PLUGINS and not _is_installed(name):
            extra = _PLUGINS[name]
            sys.exit(f"error: {argument} needs an extra: pip install 'lowlight[{extra}]'")


def _is_installed(name: str) -> bool:
    try:
        return any(find_spec(f"hydra_plugins.hydra_{name}_{kind}") for kind in ("launcher", "sweeper"))
    except ModuleNotFoundError:  # no hydra_plugins package at all
        return False
