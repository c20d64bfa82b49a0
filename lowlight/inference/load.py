"""Choosing an enhancer by path or by name."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lowlight.checkpoints.load import load_model
from lowlight.checkpoints.recipe import build_model, enhancing
from lowlight.inference.models import DEFAULT, check_model, read_recipe
from lowlight.model import Model
from lowlight.precision import AUTO
from lowlight.runtimes.enhancer import Enhancer, TorchEnhancer, load_engine, to_device
from lowlight.shipped import SHIPPED, shipped


def choose(
    checkpoint: Path | str | None = None,
    method: str | None = None,
    device: str = "auto",
    trust: Sequence[str] = (),
    precision: str = AUTO,
    *,
    trainable: bool = False,
) -> Enhancer:
    """Return the enhancer of a checkpoint or of a method's name.

    Args:
        checkpoint: A run folder, a checkpoint, a pretrained folder or an exported network.
        method: Name of a method that needs no training, such as ``gamma``; :data:`DEFAULT` if neither is
            given.
        device: Device to run on: ``cpu``, ``cuda``, ``mps``, ``xpu``, or ``auto`` for a CUDA device if any.
        trust: Packages beyond torch and lowlight that the checkpoint may call.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``; see :func:`lowlight.precision.inference_dtype`.
        trainable: Whether a checkpoint's ``method`` is to be a :class:`lowlight.methods.Method`.

    Raises:
        ValueError: If both are given, or the one given is unusable.
    """
    check_model(checkpoint, method, precision)
    if checkpoint is not None:
        return load_engine(checkpoint, device, trust, precision, trainable=trainable)
    return TorchEnhancer(ready(method or DEFAULT, device), precision)


@cache
def ready(name: str, device: str = "cpu") -> Model:
    """Return a method that needs no training, built once per name and device.

    Either its weights come with lowlight, or it has none and runs on the CPU.

    Raises:
        ValueError: If no method has that name, it must be trained first, or the device is unavailable.
    """
    check_model(None, name)
    if name in shipped():
        return to_device(load_model(SHIPPED / name), device)
    recipe = read_recipe(name)
    return build_model(enhancing(recipe) or recipe)
