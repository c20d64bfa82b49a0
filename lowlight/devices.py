"""Devices that a training asks for, and the strategy by which several share it."""

from collections.abc import Sequence
from typing import Any

import torch
from omegaconf import DictConfig


def check_accelerator(trainer: DictConfig) -> None:
    """Refuse to train on a GPU that is not there, before the data is read.

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


def strategy_of(trainer: DictConfig) -> str:
    """Return a trainer's strategy; for several devices, ``auto`` is that of ``trainer=ddp``.

    Lightning's own choice, ``ddp``, fails where a step leaves parameters without gradients, as each step of a
    GAN does, and the first stage of a method of two.
    """
    strategy = str(trainer.get("strategy") or "auto")
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
