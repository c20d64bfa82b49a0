"""Choosing an enhancer by path or by name."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lowlight.config import read_recipe
from lowlight.inference.models import DEFAULT, INT8, TORCH, check_model
from lowlight.precision import AUTO
from lowlight.runtimes.enhancer import Enhancer
from lowlight.runtimes.load import load_engine
from lowlight.shipped import SHIPPED, shipped

if TYPE_CHECKING:  # an exported network enhances without torch
    from lowlight.model import Model


def choose(
    checkpoint: Path | str | None = None,
    method: str | None = None,
    device: str = "auto",
    trust: Sequence[str] = (),
    precision: str = AUTO,
    runtime: str | None = None,
    calibrate: Sequence[Path | str] = (),
    original: str | None = None,
    *,
    shared: bool = True,
) -> Enhancer:
    """Return the enhancer of a checkpoint or of a method's name.

    Args:
        checkpoint: A run folder, a checkpoint, a pretrained folder or an exported network.
        method: Name of a method that needs no training, such as ``gamma``; :data:`DEFAULT` if neither is
            given.
        device: Device to run on: ``cpu``, ``cuda``, ``mps``, ``xpu``, or ``auto`` for a CUDA device if any.
        trust: Packages beyond torch and lowlight that the checkpoint may call.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``, see :func:`lowlight.precision.inference_dtype`;
            or ``int8``, see :func:`lowlight.runtimes.accelerate.accelerate`.
        runtime: What computes the network: ``torch``, ``openvino`` or ``onnx``; by default ``torch``, and
            ``openvino`` for ``int8``.
        calibrate: Photographs, or folders of them, that ``int8`` alone is calibrated on.
        original: Method as whose published weights the checkpoint is read, such as ``retinexformer``; see
            :func:`lowlight.checkpoints.originals.load_original_model`.
        shared: Whether nobody changes the model: one of a method's name is then built once, and one of a
            checkpoint has no more than enhances, not a whole :class:`lowlight.methods.Method`.

    Raises:
        ValueError: If both are given, the one given is unusable, or the runtime has no such precision.
    """
    check_model(checkpoint, method, precision, runtime, original, calibrate)
    runtime = runtime or (TORCH if precision != INT8 else "openvino")
    published = None
    if checkpoint is not None and original is not None:
        from lowlight.checkpoints.originals import load_original_method, load_original_model

        published = (load_original_model if shared else load_original_method)(checkpoint, original)
    if runtime == TORCH:
        if published is not None:
            from lowlight.runtimes.torch_enhancer import TorchEnhancer, to_device

            return TorchEnhancer(to_device(published, device), precision)
        if checkpoint is not None:
            return load_engine(checkpoint, device, trust, precision, trainable=not shared)
        from lowlight.runtimes.torch_enhancer import TorchEnhancer

        make = ready if shared else build_ready
        return TorchEnhancer(make(method or DEFAULT, device), precision)
    from lowlight.checkpoints.load import load_model
    from lowlight.inference.calibration import calibration_photographs
    from lowlight.runtimes.accelerate import accelerate  # takes long, for torch.export

    slow = published or (ready(method or DEFAULT) if checkpoint is None else load_model(checkpoint, trust))
    photographs = calibration_photographs(calibrate) if precision == INT8 else None
    return accelerate(slow, runtime, calibrate=photographs, device=device)


def build_ready(name: str, device: str = "cpu") -> "Model":
    """Build a method that needs no training.

    Either its weights come with lowlight, or it has none and runs on the CPU.

    Raises:
        ValueError: If no method has that name, it must be trained first, or the device is unavailable.
    """
    from lowlight.checkpoints.load import load_model
    from lowlight.checkpoints.recipe import build_model, enhancing
    from lowlight.runtimes.torch_enhancer import to_device

    check_model(None, name)
    if name in shipped():
        return to_device(load_model(SHIPPED / name), device)
    recipe = read_recipe(name)
    model = build_model(enhancing(recipe) or recipe)
    if device != "auto":  # which would set up a GPU that is not used
        to_device(model, device)  # refuses what is no device here
    return to_device(model, "cpu")


ready = cache(build_ready)
"""As :func:`build_ready`, once per name and device."""
