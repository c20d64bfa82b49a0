"""Train a method as a config says, test its best checkpoint, and leave a run folder."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from lowlight import run_folder
from lowlight.callbacks import AtomicCheckpointIO, EpochSeed, Stopwatch
from lowlight.checkpoint import best_of, build, make, read
from lowlight.data import PairDataModule
from lowlight.evaluation import score
from lowlight.methods import Classical, Method

log = logging.getLogger(__name__)

_DONE_BY_THE_METHOD = {"gradient_clip_val": None, "accumulate_grad_batches": 1}
"""What Lightning refuses to do under manual optimisation; the method reads the trainer's settings itself."""


def train(config: DictConfig) -> dict[str, Any]:
    """Run what ``lowlight train`` runs.

    Args:
        config: A composed ``train`` config; it says everything, ``output_dir`` included.

    Returns:
        The content of ``metrics.json``, and the objective's best value (such as ``val/psnr``).

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
    if "early_stopping" in (config.callbacks or {}) and not data.datasets["val"].items:
        raise ValueError(
            "callbacks=[...,early_stopping] needs validation images: data.val_fraction holds out none"
        )
    rank_zero_only(run_folder.prepare)(config)  # other processes find the folder ready
    started = datetime.now(UTC)
    stopwatch = Stopwatch()
    trainer = _trainer(config, method, stopwatch)
    try:
        return _run(config, method, data, trainer, run_folder.continues_from(config), started, stopwatch)
    finally:
        _close(trainer.loggers)


def _run(
    config: DictConfig,
    method: Method,
    data: PairDataModule,
    trainer: pl.Trainer,
    last: Path | None,
    started: datetime,
    stopwatch: Stopwatch,
) -> dict[str, Any]:
    """Fit, test the best checkpoint and write the results."""
    folder = Path(config.output_dir)
    for logger in trainer.loggers:
        logger.log_hyperparams(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]
    log.info("training %s in %s%s", config.method.name, folder, f", from {last.name}" if last else "")
    try:
        trainer.fit(method, datamodule=data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:
        raise ValueError(str(error)) from error
    if trainer.interrupted:
        raise KeyboardInterrupt
    stopped, epochs = _why_stopped(trainer), trainer.current_epoch
    best = read(best_of(folder))
    method.load_state_dict(best["state_dict"])
    metrics = score(method, data, trainer, folder)
    metrics[config.objective.metric] = _objective(trainer)
    if trainer.is_global_zero:
        run_folder.write_json(folder / "metrics.json", metrics)
        manifest = run_folder.provenance() | {
            "method": config.method.name,
            "seed": config.seed,
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "train_minutes": round(stopwatch.seconds / 60, 3),
            "epochs": epochs,
            "max_epochs": trainer.max_epochs,
            "best_epoch": best["epoch"] + 1,
            "stopped": stopped,
            "parameters": sum(parameter.numel() for parameter in method.net.parameters()),
            "threads": torch.get_num_threads(),
            "accelerator": trainer.accelerator.__class__.__name__,
            "data": data.describe(),
        }
        run_folder.write_json(folder / "manifest.json", manifest)
    return metrics


def _trainer(config: DictConfig, method: Method, stopwatch: Stopwatch) -> pl.Trainer:
    named: dict[str, Callback] = make(config.callbacks) or {}
    loggers: dict[str, Logger] = make(config.logger) or {}
    trainer: pl.Trainer = make(
        config.trainer,
        callbacks=[EpochSeed(config.seed), stopwatch, *named.values()],
        logger=list(loggers.values()),
        plugins=[AtomicCheckpointIO()],
        **({} if method.automatic_optimization else _DONE_BY_THE_METHOD),
        **({"reload_dataloaders_every_n_epochs": 1} if config.data.get("progressive") else {}),
    )
    return trainer


def _objective(trainer: pl.Trainer) -> float:
    """Return the objective's value at the best epoch, NaN where it was never measured."""
    savers = [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
    scores = [saver.best_model_score for saver in savers if saver.monitor]
    return next((float(score) for score in scores if score is not None), float("nan"))


def _why_stopped(trainer: pl.Trainer) -> str:
    if trainer.max_epochs is not None and trainer.current_epoch >= trainer.max_epochs:
        return "finished"
    reasons = [stopper.stopping_reason for stopper in trainer.early_stopping_callbacks]
    return "max_time" if all(one == EarlyStoppingReason.NOT_STOPPED for one in reasons) else "early_stopping"


def _check_seed(seed: Any) -> None:
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed} is not a whole number from 0 to 2^32 - 1")


def _check_fit(config: DictConfig, method: Method) -> None:
    """Say what would fail, or go worse than it looks, in words of the config.

    Raises:
        ValueError: If gradients are to be clipped or accumulated in a way that nobody would.
    """
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
    if isinstance(stride, int) and patch is not None and patch % stride:
        log.warning(
            "crops of %s pixels are padded to the network's stride of %s; data.patch_size=%s would not be",
            patch,
            stride,
            stride * -(-patch // stride),
        )


def _close(loggers: list[Logger]) -> None:
    """End the W&B run, also after a failure: the next job of a sweep must get its own."""
    if any(isinstance(logger, WandbLogger) for logger in loggers):
        import wandb

        wandb.finish()
