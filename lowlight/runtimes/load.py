"""Loading what enhances: a method, or an exported network without importing torch."""

from collections.abc import Sequence
from pathlib import Path

from lowlight.precision import AUTO
from lowlight.runtimes.enhancer import Enhancer, open_exported
from lowlight.runtimes.table import runtime_of


def load_engine(
    path: Path | str,
    device: str = "cpu",
    trust: Sequence[str] = (),
    precision: str = AUTO,
    *,
    trainable: bool = False,
) -> Enhancer:
    """Load a method or an exported network.

    Args:
        path: A checkpoint, a run folder, a folder of :func:`lowlight.save_pretrained`, or an exported file:
            ``.onnx``, ``.xml`` (OpenVINO, with its ``.bin`` beside it) or ``.pt2`` (torch.export).
        device: Device to run on: ``cpu``; ``cuda`` for torch and ONNX, ``mps`` or ``xpu`` for torch, ``gpu``
            for OpenVINO; ``auto`` for a CUDA device if the runtime can use one, else the CPU.
        trust: Packages beyond torch and lowlight that a recipe may call, such as ``["mypackage"]``. A
            ``.pt2`` file can run code when it is opened, so it needs ``["torch.export"]``.
        precision: As for :class:`lowlight.runtimes.torch_enhancer.TorchEnhancer`; an exported network
            has its own.
        trainable: Whether ``method`` is to be a :class:`lowlight.methods.Method`, which loads Lightning.

    Raises:
        ValueError: If there is no such model, it is not trusted, the device is unavailable, the package
            that runs it is not installed, or an exported network is asked for another precision.
    """
    path = Path(path)
    runtime = runtime_of(path.suffix)
    if runtime is None or path.is_dir():
        from lowlight.checkpoints.load import load_method, load_model
        from lowlight.runtimes.torch_enhancer import TorchEnhancer, to_device

        model = load_method(path, trust) if trainable else load_model(path, trust)
        return TorchEnhancer(to_device(model, device), precision)
    if precision not in (AUTO, "fp32"):
        raise ValueError(
            f"{path}: an exported network has a precision of its own; {precision} needs the checkpoint"
        )
    if runtime.trust is not None and runtime.trust not in trust:
        raise ValueError(
            f"{path}: a {runtime.trust} file can run code when it is opened; if you trust its author, "
            f'trust=["{runtime.trust}"] (--trust {runtime.trust}); ONNX files cannot'
        )
    return open_exported(path, device)
