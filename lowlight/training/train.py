"""Training a method by a config, testing its best checkpoint and writing the run folder."""

import logging
import math
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch.multiprocessing.spawn import ProcessRaisedException

from lowlight.arguments import check_arguments
from lowlight.callbacks.stopwatch import Stopwatch
from lowlight.checkpoints.checkpoint import read
from lowlight.checkpoints.load import start_from
from lowlight.checkpoints.recipe import build, make
from lowlight.config import setting
from lowlight.data import PairDataModule
from lowlight.devices import check_accelerator
from lowlight.evaluation.scoring import interruptible, score
from lowlight.files import first_line, reason, write_json
from lowlight.loggers.base import describe, finishing, log_best
from lowlight.memory import ran_out
from lowlight.methods import Method
from lowlight.precision import Precision, report, training_precision
from lowlight.runs.folder import BEST, LAST, best_of, prepare, resumable
from lowlight.runs.lock import alone_in
from lowlight.runs.provenance import provenance
from lowlight.training.checks import (
    check_bright,
    check_fit,
    check_mode,
    check_objective,
    check_references,
    check_seed,
    check_start,
    check_validation,
)
from lowlight.training.learning_rate_finder import find_lr
from lowlight.training.trainer import (
    code_generator_errors_in_one_line,
    compile_network,
    make_tester,
    make_trainer,
)

log = logging.getLogger(__name__)

_NEED_LESS = (
    "memory ran out ({}): "
    "lower data.batch_size, with more trainer.accumulate_grad_batches, or data.patch_size"
)

_STOPPED = "stopped by %s; resume=auto continues from the last complete epoch"


@contextmanager
def _subnormals_are_zero() -> Iterator[None]:
    """Take numbers below 1.2e-38 for 0, in this thread and in those that torch starts meanwhile.

    The weights of unused channels decay into them, and a CPU then computes up to eight times as slowly.
    """
    were_zero = torch.tensor(1e-40).mul(1).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(were_zero)


@_subnormals_are_zero()
def train(config: DictConfig) -> dict[str, Any]:
    """Train a method and test its best checkpoint; ``lowlight train`` as a function.

    Args:
        config: A composed ``train`` config.

    Returns:
        The content of ``metrics.json`` and the best value of the objective (such as ``val/psnr``); with
        ``find_lr``, the result of :func:`lowlight.training.learning_rate_finder.find_lr`.

    Raises:
        ValueError: If a setting has a value of the wrong type, the data is unusable, the output folder holds
            another run, another process writes there, the method learns nothing, training stops on values
            that are not finite, or the test fails, for whatever reason.
    """
    check_arguments(config)
    check_seed(config.seed)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    method, data = build(config.method), make(config.data)
    if not method.learns:
        name = config.method.name
        raise ValueError(f"method={name} learns nothing: score it with `lowlight evaluate method={name}`")
    if config.start_from is not None and (config.find_lr or not resumable(config)):
        check_start(config)
        start_from(method, str(config.start_from))
    check_accelerator(config.trainer)
    check_fit(config, method)
    check_objective(config, method, data.sets)
    check_mode(config)
    check_bright(config, method)
    report(precision := training_precision(config.trainer))
    if method.unpaired:
        data.unpair()
    data.setup("fit")  # reports bad images before the output folder is touched
    has_references = data.datasets["train"].has_references
    check_references(config, method, has_references)
    check_validation(config, len(data.datasets["val"]) > 0, has_references)
    if config.compile:
        compile_network(method)
    if config.find_lr:
        return find_lr(config, method, data)
    with alone_in(config.output_dir, needed=rank_zero_only.rank == 0):  # type: ignore[attr-defined]
        rank_zero_only(prepare)(config)  # other processes use the prepared folder
        last = _newest_whole(resumable(config))
        started = datetime.now(UTC)
        trainer = make_trainer(config, method)
        try:
            with finishing(trainer.loggers):
                return _run(config, method, data, trainer, last, started, precision)
        except SIGTERMException:
            log.warning(_STOPPED, "SIGTERM")
            raise SystemExit(128 + signal.SIGTERM) from None
        except KeyboardInterrupt:
            log.warning(_STOPPED, "Ctrl-C")
            raise


def _run(
    config: DictConfig,
    method: Method,
    data: PairDataModule,
    trainer: pl.Trainer,
    last: Path | None,
    started: datetime,
    precision: Precision,
) -> dict[str, Any]:
    """Fit, test the best checkpoint and write the results."""
    folder = Path(config.output_dir)
    describe(trainer.loggers, config, method)
    log.info("training %s in %s%s", config.method.name, folder, f", from {last.name}" if last else "")
    try:
        with interruptible(), code_generator_errors_in_one_line(config):
            trainer.fit(method, datamodule=data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:
        raise ValueError(str(error)) from error
    except ProcessRaisedException as error:
        _raise_readable(error)
        raise
    except Exception as error:
        if ran_out(error):
            raise ValueError(_NEED_LESS.format(first_line(error))) from error
        raise
    try:
        data.setup("test")
        best = read(best_of(folder))
        method.load_state_dict(best["state_dict"])
        metrics = score(method, data, make_tester(config, trainer), folder)
    except Exception as error:  # whatever it is, the training was not in vain
        raise ValueError(
            f"trained, but not tested: {reason(error)} (or score it elsewhere: lowlight evaluate "
            f"{setting('checkpoint', folder)} data=...); {best_of(folder).name} enhances: "
            f"lowlight enhance dark.jpg --out bright --checkpoint {shlex.quote(str(folder))}"
        ) from error
    about = _about_training(config, folder)
    if about["stopped"] == "max_time" and (about["max_epochs"] or -1) > 0 and trainer.is_global_zero:
        log.warning(
            "stopped by trainer.max_time=%s after %s of %s epochs; trainer.max_time=null resume=auto goes on",
            about["max_time"],
            about["epochs"],
            about["max_epochs"],
        )
    precisions = about.pop("precisions") or [trainer.precision]
    about["sittings"] = max(about["sittings"], 2 if last else 1)  # a resumed run that only tests counts, too
    metrics[config.objective.metric] = about.pop("objective")
    if trainer.is_global_zero:
        write_json(folder / "metrics.json", metrics)
        manifest = provenance() | {
            "method": config.method.name,
            "seed": config.seed,
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **about,
            "precision": {"asked": precision.asked, "used": precisions, "why": precision.why},
            "best_epoch": best["epoch"] + 1,
            "parameters": method.parameter_count,
            "threads": torch.get_num_threads(),
            "accelerator": trainer.accelerator.__class__.__name__,
            "processes": trainer.world_size,
            "data": about_data(config, data),
        }
        write_json(folder / "manifest.json", manifest)
        objective = config.objective.metric
        about = {objective: metrics[objective], "best_epoch": best["epoch"] + 1}
        log_best(trainer.loggers, folder / BEST, about)
    return metrics


def _raise_readable(error: ProcessRaisedException) -> None:
    """Raise an error that a user can fix from a spawned process again, in one line.

    Raises:
        ValueError: With the last line of its traceback, if that is such an error.
    """
    last = str(error).strip().splitlines()[-1]
    kind, _, message = last.partition(": ")
    if kind.rpartition(".")[2] in ("ValueError", "OSError", "MisconfigurationException"):
        raise ValueError(message) from error
    if ran_out(error):
        raise ValueError(_NEED_LESS.format(message)) from error


def _newest_whole(checkpoints: Sequence[Path]) -> Path | None:
    """Return the first readable checkpoint, or None if there are none; warn of unreadable ones.

    Raises:
        ValueError: If all are unreadable.
    """
    for path in checkpoints:
        try:
            read(path)
        except ValueError as error:
            log.warning("skipped: %s", error)
        else:
            return path
    if checkpoints:
        raise ValueError(
            f"{checkpoints[0].parent}: no readable checkpoint; set resume=restart to begin again"
        )
    return None


def about_data(config: DictConfig, data: PairDataModule) -> dict[str, Any]:
    """Describe the images; that no test scene was seen is not known of weights to start from."""
    about = data.describe()
    if config.start_from is not None:
        if not about.get("leak", {}).get("in_training_scenes"):
            about.pop("leak", None)
        about["start_from"] = str(config.start_from)
    return about


def _about_training(config: DictConfig, folder: Path) -> dict[str, Any]:
    """Return how training went, from its last checkpoint, since spawned processes may have run it."""
    checkpoint = read(folder / LAST if (folder / LAST).exists() else best_of(folder))
    states: dict[str, dict[str, Any]] = checkpoint["callbacks"]
    stopwatch = states[Stopwatch.__name__]
    best = [
        float(state["best_model_score"])
        for state in states.values()
        if state.get("monitor") == config.objective.metric and state.get("best_model_score") is not None
    ]
    running = EarlyStoppingReason.NOT_STOPPED.value
    epochs, most = checkpoint["epoch"] + 1, config.trainer.max_epochs
    if most is not None and 0 <= most <= epochs:
        stopped = "finished"
    elif any(state.get("stopping_reason", running) != running for state in states.values()):
        stopped = "early_stopping"
    else:
        stopped = "max_time"
    return {
        "train_minutes": round(stopwatch["seconds"] / 60, 3),
        "waiting_share": round(stopwatch.get("waiting", 0) / stopwatch["seconds"], 4),
        "validation_share": round(stopwatch.get("validating", 0) / stopwatch["seconds"], 4),
        "sittings": stopwatch["sittings"],
        "precisions": stopwatch.get("precisions"),
        "epochs": epochs,
        "max_epochs": most,
        "max_time": config.trainer.max_time,
        "stopped": stopped,
        "objective": next(iter(best), math.nan),
    }
