"""What the Hydra verbs share: the run folder, and errors told in one line."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from lowlight.cli.multirun import one_line, run_job
from lowlight.cli.quiet import quieten_lightning


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
