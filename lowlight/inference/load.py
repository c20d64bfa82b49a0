"""Choosing an enhancer by path or by name."""

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
from lowlight.precision import AUTO
from lowlight.runtimes.enhancer import Enhancer, TorchEnhancer, load_engine, to_device

DEFAULT = "coarse_to_fine"
"""Name of the default method."""


def choose(
    checkpoint: Path | str | None = None,
    method: str | None = None,
    device: str = "auto",
    trust: Sequence[str] = (),
    precision: str = AUTO,
) -> Enhancer:
    """Return the enhancer of a checkpoint or of a method's name.

    Args:
        checkpoint: A run folder, a checkpoint, a pretrained folder or an exported network.
        method: Name of a method that needs no training, such as ``gamma``; :data:`DEFAULT` if neither is
            given.
        device: Device to run on: ``cpu``, ``cuda``, ``mps``, ``xpu``, or ``auto`` for a CUDA device if any.
        trust: Packages beyond torch and lowlight that the checkpoint may call.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``; see :func:`lowlight.precision.inference_dtype`.

    Raises:
        ValueError: If both are given, or the one given is unusable.
    """
    if checkpoint is not None:
        if method is not None:
            raise ValueError("give --checkpoint or --method, not both")
        return load_engine(checkpoint, device, trust, precision)
    return TorchEnhancer(ready(method or DEFAULT, device), precision)


@cache
def ready(name: str, device: str = "cpu") -> Method:
    """Return a method that needs no training, built once per name and device.

    Either its weights come with lowlight, or it has none and runs on the CPU.

    Raises:
        ValueError: If no method has that name, it must be trained first, or the device is unavailable.
    """
    if name not in ready_made():
        problem = "must be trained first" if name in available("method") else "is no method"
        raise ValueError(f"{name} {problem}: give --checkpoint, or one of {', '.join(ready_made())}")
    if name in shipped():
        return to_device(from_pretrained(SHIPPED / name), device)
    return build(load_config([f"method={name}"]).method)


def ready_made() -> list[str]:
    """Return the names of the methods that need no training, those with pretrained weights first.

    Only the config files are read, since composing every config takes long.
    """
    folder = config_folder() / "method"
    configs = {name: OmegaConf.load(folder / f"{name}.yaml") for name in available("method")}
    targets = {name: OmegaConf.select(config, "_target_") for name, config in configs.items()}
    classes: dict[str, type[Method]] = {n: get_class(target) for n, target in targets.items() if target}
    return shipped() + [name for name, method in classes.items() if not method.learns]
