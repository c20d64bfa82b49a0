"""Choosing an enhancer by path or by name."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hydra.utils import get_class
from omegaconf import OmegaConf

from lowlight.checkpoints.load import from_pretrained, load_method
from lowlight.checkpoints.pretrained import SHIPPED, shipped
from lowlight.checkpoints.recipe import build
from lowlight.config import available, config_folder, load_config
from lowlight.inference.calibration import calibration_photographs
from lowlight.methods import Method
from lowlight.precision import AUTO
from lowlight.runtimes.accelerate import accelerate
from lowlight.runtimes.enhancer import Enhancer, TorchEnhancer, load_engine, to_device
from lowlight.runtimes.table import RUNTIMES, runtime_of

DEFAULT = "coarse_to_fine"
"""Name of the default method."""

TORCH = "torch"
INT8 = "int8"


def choose(
    checkpoint: Path | str | None = None,
    method: str | None = None,
    device: str = "auto",
    trust: Sequence[str] = (),
    precision: str = AUTO,
    runtime: str | None = None,
    calibrate: Sequence[Path | str] = (),
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
        calibrate: Photographs, or folders of them, that ``int8`` is calibrated on.

    Raises:
        ValueError: If both are given, the one given is unusable, or the runtime has no such precision.
    """
    if checkpoint is not None and method is not None:
        raise ValueError("give --checkpoint or --method, not both")
    runtime = runtime or (TORCH if precision != INT8 else "openvino")
    if runtime == TORCH:
        if precision == INT8:
            raise ValueError("torch computes in no 8-bit integers here: --runtime openvino does")
        if checkpoint is not None:
            return load_engine(checkpoint, device, trust, precision)
        return TorchEnhancer(ready(method or DEFAULT, device), precision)
    known = [one.name for one in RUNTIMES]
    if runtime not in known:
        raise ValueError(f"runtime {runtime!r} is none of {', '.join([TORCH, *known])}")
    if precision not in (AUTO, "fp32", INT8):
        raise ValueError(f"{precision} is a precision of torch; {runtime} computes in fp32 or {INT8}")
    if checkpoint is None:
        slow = ready(method or DEFAULT)
    elif runtime_of(Path(checkpoint).suffix) is not None and not Path(checkpoint).is_dir():
        raise ValueError(f"{checkpoint}: an exported network has a runtime and a precision of its own")
    else:
        slow = load_method(checkpoint, trust)
    photographs = calibration_photographs(calibrate) if precision == INT8 else None
    return accelerate(slow, runtime, calibrate=photographs, device=device)


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
