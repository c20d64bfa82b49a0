"""Choosing what enhances, and doing one job with it."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hydra.utils import get_class
from omegaconf import OmegaConf

from lowlight.checkpoints.load import from_pretrained
from lowlight.checkpoints.pretrained import SHIPPED, shipped
from lowlight.checkpoints.recipe import build
from lowlight.config import available, config_folder, load_config
from lowlight.methods import Method
from lowlight.runtimes.enhancer import Enhancer, TorchEnhancer, load_engine, to_device

DEFAULT = "coarse_to_fine"
"""The method that enhances where none is named."""


def choose(
    checkpoint: Path | str | None = None,
    method: str | None = None,
    device: str = "auto",
    trust: Sequence[str] = (),
) -> Enhancer:
    """Return what a checkpoint or the name of a method stands for, ready to enhance.

    Args:
        checkpoint: A run's folder, a checkpoint, a pretrained folder or an exported network.
        method: One that needs no training, such as ``gamma``; :data:`DEFAULT` where neither is given.
        device: Where to work: ``cpu``, ``cuda`` or, for a GPU where there is one, ``auto``.
        trust: Packages that the checkpoint may call.

    Raises:
        ValueError: If both are given, or one is unusable.
    """
    if checkpoint is not None:
        if method is not None:
            raise ValueError("give --checkpoint or --method, not both")
        return load_engine(checkpoint, device, trust)
    return TorchEnhancer(ready(method or DEFAULT, device))


@cache
def ready(name: str, device: str = "cpu") -> Method:
    """Return a method that needs no training here, by its name; one for all who ask.

    Its weights come with lowlight, or it learns nothing and works on the CPU.

    Raises:
        ValueError: If there is none of that name, it must be trained first, or the device is not available.
    """
    if name not in ready_made():
        problem = "must be trained first" if name in available("method") else "is no method"
        raise ValueError(f"{name} {problem}: give --checkpoint, or one of {', '.join(ready_made())}")
    if name in shipped():
        return to_device(from_pretrained(SHIPPED / name), device)
    return build(load_config([f"method={name}"]).method)


def ready_made() -> list[str]:
    """Return the names of the methods that need no training here, those that have learnt first.

    They are told by their files, since composing each takes long.
    """
    folder = config_folder() / "method"
    configs = {name: OmegaConf.load(folder / f"{name}.yaml") for name in available("method")}
    targets = {name: OmegaConf.select(config, "_target_") for name, config in configs.items()}
    classes: dict[str, type[Method]] = {n: get_class(target) for n, target in targets.items() if target}
    return shipped() + [name for name, method in classes.items() if not method.learns]
