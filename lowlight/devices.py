"""Devices that a trainer asks for, and what ``auto`` stands for in its config: precision and strategy."""

from collections.abc import Sequence
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from lowlight.precision import training_precision


def check_accelerator(trainer: DictConfig) -> None:
    """Refuse a GPU that is not there, before the data is read.

    Raises:
        ValueError: Naming the remedy.
    """
    wanted = trainer.get("accelerator")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    there["gpu"] = any(there.values())
    if not there.get(wanted, True):
        raise ValueError(
            f"trainer.accelerator={wanted}: torch finds no such device here; trainer=auto takes what there is"
        )


def resolved(trainer: DictConfig) -> DictConfig:
    """Return a trainer config that Lightning understands, with its precision and strategy settled.

    See :func:`lowlight.precision.training_precision` and :func:`strategy_of`.
    """
    settled = {"precision": training_precision(trainer).used, "strategy": strategy_of(trainer)}
    merged = OmegaConf.merge(trainer, settled)
    assert isinstance(merged, DictConfig)
    return merged


def strategy_of(trainer: DictConfig) -> Any:
    """Return a trainer's strategy, name or config; for several devices, ``auto`` is that of ``trainer=ddp``.

    Lightning's own choice, ``ddp``, fails where a step leaves parameters without gradients, as each step of a
    GAN does, and the first stage of a method of two.
    """
    strategy = trainer.get("strategy") or "auto"
    several = strategy == "auto" and (_several(trainer) or trainer.get("num_nodes", 1) > 1)
    return "ddp_find_unused_parameters_true" if several else strategy


def _several(trainer: DictConfig) -> bool:
    """Return whether a trainer gets more than one device; ``auto`` and -1 are all GPUs, or one CPU."""
    devices: Any = trainer.get("devices")
    if devices in ("auto", -1, "-1"):
        return trainer.get("accelerator") != "cpu" and torch.cuda.device_count() > 1
    if isinstance(devices, str):
        return "," in devices or (devices.isdigit() and int(devices) > 1)
    return len(devices) > 1 if isinstance(devices, Sequence) else isinstance(devices, int) and devices > 1
