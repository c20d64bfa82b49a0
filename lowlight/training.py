"""Train a method as a config says, test its best checkpoint, and leave a run folder."""

import logging
import math
import re
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch.multiprocessing.spawn import ProcessRaisedException

from lowlight import run_folder, tracking
from lowlight.callbacks import AtomicCheckpointIO, EpochSeed, MovedFolder, TestPictures
from lowlight.checkpoint import best_of, build, first_line, make, read
from lowlight.data import PairDataModule
from lowlight.evaluation import keep_profile, score
from lowlight.methods import Classical, Method, TwoStages
from lowlight.provenance import provenance
from lowlight.run_folder import BEST, LAST
from lowlight.stopwatch import Stopwatch
from lowlight.tuning import find_lr

log = logging.getLogger(__name__)

_DONE_BY_THE_METHOD = {"gradient_clip_val": None, "accumulate_grad_batches": 1}
"""What Lightning refuses to do under manual optimisation; the method reads the trainer's settings itself."""


def train(config: DictConfig) -> dict[str, Any]:
    """Run what ``lowlight train`` runs.

    Args:
        config: A composed ``train`` config; it says everything, ``output_dir`` included.

    Returns:
        The content of ``metrics.json``, and the objective's best value (such as ``val/psnr``); with
        ``find_lr``, what :func:`lowlight.tuning.find_lr` returns instead.

    Raises:
        ValueError: If the config asks for what cannot be: a bad seed, unusable data, an output folder that
            holds another run, a method that learns nothing.
    """
    _check_seed(config.seed)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    method, data = build(config.method), make(config.data)
    if isinstance(method, Classical):
        name = config.method.name
        raise ValueError(f"method={name} learns nothing: score it with `lowlight evaluate method={name}`")
    _check_fit(config, method)
    data.setup("fit")  # what is wrong with the images is said before the output folder is touched
    _check_validation(config, validates=len(data.datasets["val"]) > 0)
    if config.compile:
        _compile(method)
    if config.find_lr:
        return find_lr(config, method, data)
    rank_zero_only(run_folder.prepare)(config)  # other processes find the folder ready
    last = _newest_whole(run_folder.resumable(config))
    started = datetime.now(UTC)
    trainer = _trainer(config, method)
    try:
        with tracking.finishing(trainer.loggers):
            return _run(config, method, data, trainer, last, started)
    except SIGTERMException:
        log.warning("stopped by SIGTERM; the same command with resume=auto goes on from the last whole epoch")
        raise SystemExit(128 + signal.SIGTERM) from None


def _run(
    config: DictConfig,
    method: Method,
    data: PairDataModule,
    trainer: pl.Trainer,
    last: Path | None,
    started: datetime,
) -> dict[str, Any]:
    """Fit, test the best checkpoint and write the results."""
    folder = Path(config.output_dir)
    tracking.describe(trainer.loggers, config, method)
    log.info("training %s in %s%s", config.method.name, folder, f", from {last.name}" if last else "")
    try:
        trainer.fit(method, datamodule=data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:
        raise ValueError(str(error)) from error
    except ProcessRaisedException as error:
        _tell(error)
        raise
    if trainer.interrupted:
        raise KeyboardInterrupt
    best = read(best_of(folder))
    method.load_state_dict(best["state_dict"])
    metrics = score(method, data, _tester(config, trainer), folder)
    about = _about_training(config, folder)
    about["sittings"] = max(about["sittings"], 2 if last else 1)  # one for the test alone trains nothing
    metrics[config.objective.metric] = about.pop("objective")
    if trainer.is_global_zero:
        run_folder.write_json(folder / "metrics.json", metrics)
        manifest = provenance() | {
            "method": config.method.name,
            "seed": config.seed,
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **about,
            "best_epoch": best["epoch"] + 1,
            "parameters": sum(parameter.numel() for parameter in method.net.parameters()),
            "threads": torch.get_num_threads(),
            "accelerator": trainer.accelerator.__class__.__name__,
            "processes": trainer.world_size,
            "data": data.describe(),
        }
        run_folder.write_json(folder / "manifest.json", manifest)
        objective = config.objective.metric
        about = {objective: metrics[objective], "best_epoch": best["epoch"] + 1}
        tracking.log_best(trainer.loggers, folder / "best.ckpt", about)
    return metrics


def _tell(error: ProcessRaisedException) -> None:
    """Say in one line what ended a spawned process, where a user can mend it: its traceback's last line.

    Raises:
        ValueError: If it is such.
    """
    last = str(error).strip().splitlines()[-1]
    said = re.match(r"(?:[\w.]+\.)?(?:ValueError|OSError|MisconfigurationException): (.+)", last)
    if said:
        raise ValueError(said[1]) from error


def _newest_whole(checkpoints: Sequence[Path]) -> Path | None:
    """Return the first checkpoint that can be read, warning of those that cannot.

    Raises:
        ValueError: If there are some and none can.
    """
    for path in checkpoints:
        try:
            read(path)
        except ValueError as error:
            log.warning("passed over: %s", error)
        else:
            return path
    if checkpoints:
        raise ValueError(f"{checkpoints[0].parent}: no checkpoint in it is whole; resume=restart begins anew")
    return None


def _about_training(config: DictConfig, folder: Path) -> dict[str, Any]:
    """Say how training went, by its last checkpoint: processes of their own may have done it."""
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
        "epochs": epochs,
        "max_epochs": most,
        "stopped": stopped,
        "objective": next(iter(best), math.nan),
    }


def _trainer(config: DictConfig, method: Method) -> pl.Trainer:
    named: dict[str, Callback] = make(config.callbacks) or {}
    loggers: dict[str, Logger] = make(config.logger) or {}
    plugins: list[Any] = [AtomicCheckpointIO()]
    if SLURMEnvironment.detect():  # its own way would go on in the middle of an epoch, from another file
        plugins.append(SLURMEnvironment(auto_requeue=False))
    trainer: pl.Trainer = make(
        config.trainer,
        callbacks=[EpochSeed(config.seed), MovedFolder(), *named.values(), Stopwatch()],
        logger=list(loggers.values()),
        plugins=plugins,
        **({} if method.automatic_optimization else _DONE_BY_THE_METHOD),
        **({"reload_dataloaders_every_n_epochs": 1} if config.data.get("progressive") else {}),
    )
    keep_profile(trainer, config.output_dir)
    return trainer


def _tester(config: DictConfig, trainer: pl.Trainer) -> pl.Trainer:
    """Return what runs the test: the same processes, or this one alone if those were spawned and are gone."""
    if not isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        return trainer
    tests = [callback for callback in trainer.callbacks if isinstance(callback, TestPictures)]  # type: ignore[attr-defined]
    one = OmegaConf.merge(config.trainer, {"devices": 1, "strategy": "auto", "num_nodes": 1})
    tester: pl.Trainer = make(one, callbacks=tests, logger=trainer.loggers)
    return tester


def _check_seed(seed: Any) -> None:
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed} is not a whole number from 0 to 2^32 - 1")


def _check_fit(config: DictConfig, method: Method) -> None:
    """Say what would fail, or go worse than it looks, in words of the config.

    Raises:
        ValueError: If no best checkpoint would be kept, or gradients are to be clipped or accumulated in a
            way that nobody would.
    """
    callbacks = config.callbacks or {}
    if not any(callback.get("filename") == Path(BEST).stem for callback in callbacks.values()):
        given = ",".join(callbacks)
        raise ValueError(
            f"callbacks=[{given}] keeps no {BEST}, which is tested at the end: set "
            f"callbacks=[{','.join(['default', *callbacks])}]"
        )
    clip, accumulate = config.trainer.get("gradient_clip_val"), config.trainer.get("accumulate_grad_batches")
    if clip is not None and clip <= 0:
        raise ValueError(f"trainer.gradient_clip_val={clip} must be positive, or null to clip nothing")
    if not method.automatic_optimization:
        unread = {"gradient_clip": clip, "accumulate": None if accumulate == 1 else accumulate}
        for key, value in unread.items():
            if value is not None and not hasattr(method, key):
                raise ValueError(
                    f"method={config.method.name} optimises by hand and has no {key} of its own, so the "
                    f"trainer's setting of {value} would do nothing"
                )
    stride, patch = getattr(method.net, "stride", 1), config.data.get("patch_size")
    if isinstance(method, TwoStages):
        _check_stages(config, method)
    if isinstance(stride, int) and patch is not None and patch % stride:
        log.warning(
            "crops of %s pixels are padded to the network's stride of %s; data.patch_size=%s would not be",
            patch,
            stride,
            stride * -(-patch // stride),
        )


def _check_stages(config: DictConfig, method: TwoStages) -> None:
    """Warn where the first stage would see too little, or the second might never be trained."""
    if "early_stopping" in (config.callbacks or {}):
        log.warning(
            "callbacks=[...,early_stopping] counts validations of the first stage, too, whose scores mean "
            "little: its patience must outlast method.coarse_epochs=%s",
            method.coarse_epochs,
        )
    patch, epochs = config.data.get("patch_size"), config.trainer.get("max_epochs")
    if patch is not None:
        log.warning(
            "crops of %s pixels do not show the exposure of the whole, which method=%s learns: set "
            "data.patch_size=null",
            patch,
            config.method.name,
        )
    if epochs is not None and 0 <= epochs <= method.coarse_epochs:
        log.warning(
            "all of trainer.max_epochs=%s train the first stage, none the second: lower "
            "method.coarse_epochs=%s",
            epochs,
            method.coarse_epochs,
        )


def _check_validation(config: DictConfig, validates: bool) -> None:
    """Warn where the last epochs would never be validated, and so could not be the best.

    Raises:
        ValueError: If training is to stop by validations, and there are none.
    """
    if not validates:
        if "early_stopping" in (config.callbacks or {}):
            raise ValueError(
                "callbacks=[...,early_stopping] needs validation images: data.val_fraction holds out none"
            )
        return
    epochs, every = config.trainer.get("max_epochs"), config.trainer.get("check_val_every_n_epoch")
    if epochs is not None and epochs > 0 and every and epochs % every:
        log.warning(
            "the last %s of trainer.max_epochs=%s are not validated, and so cannot be the best: "
            "trainer.check_val_every_n_epoch=%s does not divide it",
            epochs % every,
            epochs,
            every,
        )


def _compile(method: Method) -> None:
    """Compile the image network in place, which keeps the names of its weights.

    Raises:
        ValueError: If this machine cannot compile anything.
    """
    try:
        torch.compile(lambda image: image + 1)(torch.zeros(1))
    except RuntimeError as error:
        raise ValueError(
            f"compile=true: {first_line(error)}; install a C++ compiler (g++), or train with compile=false"
        ) from error
    method.net.compile()
