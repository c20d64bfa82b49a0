"""Trainers built from a config."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher

from lowlight.callbacks.checkpoint_io import AtomicCheckpointIO
from lowlight.callbacks.pictures import TestPictures
from lowlight.callbacks.progress import bar
from lowlight.callbacks.resuming import CurvesFirst, EpochSeed, MovedFolder
from lowlight.callbacks.stopwatch import Stopwatch
from lowlight.checkpoints.recipe import make
from lowlight.devices import resolved
from lowlight.evaluation.evaluate import alone
from lowlight.files import first_line
from lowlight.methods import Method
from lowlight.runs.profile import keep_profile

_DONE_BY_THE_METHOD = {"gradient_clip_val": None, "accumulate_grad_batches": 1}
"""Defaults of the settings that Lightning refuses under manual optimisation; the method applies them."""


def make_trainer(config: DictConfig, method: Method) -> pl.Trainer:
    """Build the trainer of a run, with callbacks, loggers, checkpoint writer and profiler."""
    named: dict[str, Callback] = make(config.callbacks) or {}
    loggers: dict[str, Logger] = make(config.logger) or {}
    plugins: list[Any] = [AtomicCheckpointIO()]
    if SLURMEnvironment.detect():  # Lightning's requeueing would resume within an epoch, from another file
        plugins.append(SLURMEnvironment(auto_requeue=False))
    trainer: pl.Trainer = make(
        resolved(config.trainer),
        callbacks=[
            EpochSeed(config.seed),
            MovedFolder(),
            CurvesFirst(),
            *named.values(),
            Stopwatch(),
            *bar(config.trainer, named.values()),
        ],
        logger=list(loggers.values()),
        plugins=plugins,
        **({} if method.automatic_optimization else _DONE_BY_THE_METHOD),
        **({"reload_dataloaders_every_n_epochs": 1} if config.data.get("progressive") else {}),
    )
    keep_profile(trainer, config.output_dir)
    return trainer


def make_tester(config: DictConfig, trainer: pl.Trainer) -> pl.Trainer:
    """Return the trainer of the test: the run's own, or one of this process if spawned processes ran it."""
    if not isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        return trainer
    tests: list[Callback] = [callback for callback in trainer.callbacks if isinstance(callback, TestPictures)]  # type: ignore[attr-defined]
    one: Any = OmegaConf.merge(resolved(config.trainer), {"devices": 1, "strategy": "auto", "num_nodes": 1})
    tests += bar(config.trainer)
    tester: pl.Trainer = make(one, callbacks=tests, logger=trainer.loggers, plugins=alone(one))
    return tester


def compile_network(method: Method) -> None:
    """Compile the image network in place, so that its weights keep their names.

    Raises:
        ValueError: If this machine has no working compiler.
    """
    try:
        torch.compile(lambda image: image + 1)(torch.zeros(1))
    except RuntimeError as error:
        raise ValueError(
            f"compile=true: {first_line(error)}; install a C++ compiler (g++), or train with compile=false"
        ) from error
    method.net.compile()


@contextmanager
def code_generator_errors_in_one_line(config: DictConfig) -> Iterator[None]:
    """Turn an error of the code that ``torch.compile`` generates into one line.

    torch 2.13 generates code that fails for coarse_to_fine's backward pass in bfloat16 on CPUs, for instance.

    Raises:
        ValueError: In place of any error that occurs in generated code or in its generator.
    """
    try:
        yield
    except Exception as error:
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        if not config.compile or not any("torchinductor_" in file or "_inductor" in file for file in files):
            raise
        raise ValueError(
            f"compile=true: the code that torch generates for {config.method.name} fails in "
            f"{resolved(config.trainer).get('precision') or '32-true'} ({first_line(error)}); "
            "train with compile=false, or in another trainer.precision"
        ) from error
