"""All runtimes; a new one adds its file beside this one and its name here."""

from lowlight.runtimes.onnx import ONNX
from lowlight.runtimes.openvino import OPENVINO
from lowlight.runtimes.runtime import Runtime
from lowlight.runtimes.torch_export import TORCH_EXPORT

RUNTIMES: tuple[Runtime, ...] = (ONNX, OPENVINO, TORCH_EXPORT)


def runtime_named(name: str) -> Runtime:
    """Return the runtime of a name.

    Raises:
        ValueError: If there is none.
    """
    for runtime in RUNTIMES:
        if runtime.name == name:
            return runtime
    raise ValueError(f"format {name!r} is none of {', '.join(runtime.name for runtime in RUNTIMES)}")


def runtime_of(suffix: str) -> Runtime | None:
    """Return the runtime that opens files with a suffix; None if there is none."""
    return next((runtime for runtime in RUNTIMES if runtime.suffix == suffix), None)
