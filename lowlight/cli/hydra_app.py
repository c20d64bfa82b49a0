"""What the Hydra verbs share: the run folder, and errors told in one line."""

import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException


def run(task: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """Call a verb's function with the job's folder as ``output_dir``.

    What a user got wrong (a ``ValueError``, a missing setting) is told in one line on stderr with exit
    status 1. A sweep's job raises it instead, and so does HYDRA_FULL_ERROR=1.
    """
    _quieten_lightning()
    hydra = HydraConfig.get()
    with open_dict(config):
        config.output_dir = hydra.runtime.output_dir
    if hydra.mode == RunMode.MULTIRUN or os.environ.get("HYDRA_FULL_ERROR") == "1":
        return task(config)
    try:
        return task(config)
    except MissingMandatoryValue as error:
        key = error.full_key or str(error).rpartition(": ")[2]
        sys.exit(f"error: {key} is not set; add {key}=... to the command")
    except (ValueError, OSError, OmegaConfBaseException) as error:
        sys.exit("error: " + str(error).strip().splitlines()[0])
    except KeyboardInterrupt:
        sys.exit(130)


class OutputCheck(Callback):
    """Tell of an output folder that cannot be made in one line, before Hydra makes it with a traceback."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Make the folder, or stop."""
        folder = Path(config.output_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            sys.exit(f"error: cannot write to output_dir={folder} ({error.strerror}); choose another")


def _quieten_lightning() -> None:
    """Keep Lightning's advertisements, and warnings of what is so on purpose, out of the log."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    # Before the first validation of a run that validates every few epochs; later it is an error.
    warnings.filterwarnings("ignore", message=".*could not find the monitored key.*")
