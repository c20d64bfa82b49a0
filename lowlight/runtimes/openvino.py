"""OpenVINO: writing networks and running them."""

import functools
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lowlight.files import shortened
from lowlight.runtimes.int8 import quantise
from lowlight.runtimes.onnx import write_onnx
from lowlight.runtimes.runtime import METADATA, Opened, Runtime
from lowlight.runtimes.threads import thread_count

if TYPE_CHECKING:
    from torch.export import ExportedProgram


_BEGINNING = re.compile(rb"\s*(<\?xml[^<>]*\?>)?\s*<net\s[^<>]*\bversion=\"1[01]\"")
"""How OpenVINO's files begin: without a document type, whose entities could name other files."""


@functools.cache
def openvino_core(openvino: ModuleType) -> Any:
    """Return the process's only ``openvino.Core``: with several, OpenVINO may end in a segmentation fault."""
    return openvino.Core()


def open_openvino(path: Path, device: str) -> Opened:
    """Open an OpenVINO model, on ``cpu``, ``gpu`` or ``auto``, which is the CPU.

    Raises:
        ValueError: If the model does not run there, or the device is unavailable.
    """
    import openvino

    if not path.with_suffix(".bin").is_file():
        raise ValueError(f"{path}: its weights, {path.with_suffix('.bin').name}, are not beside it")
    with path.open("rb") as file:
        if not _BEGINNING.match(file.read(4096)):  # OpenVINO would try readers of other formats, which print
            raise ValueError(f"{path}: not an OpenVINO model (it does not begin as one)")
    device = "cpu" if device == "auto" else device
    core = openvino_core(openvino)
    if device.upper() not in {name.split(".")[0] for name in core.available_devices}:
        known = ", ".join(core.available_devices).lower()
        raise ValueError(f"{path}: OpenVINO does not run on {device!r} here; available: {known}")
    # The default is bfloat16 or float16 where the processor supports it.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    if device == "cpu":
        settings["INFERENCE_NUM_THREADS"] = str(thread_count())
    try:
        model = core.read_model(path)
        metadata = model.get_rt_info([METADATA]).value if model.has_rt_info([METADATA]) else None
        compiled = core.compile_model(model, device.upper(), settings)
    except Exception as error:  # broken bytes raise errors of many types
        last = str(error).strip().rpartition("\n")[2]  # above it stand lines of OpenVINO's source
        reason = shortened(last) or type(error).__name__
        raise ValueError(f"{path}: not an OpenVINO model that runs here ({reason})") from error

    def run(low: NDArray[np.float32]) -> NDArray[np.float32]:
        enhanced: NDArray[np.float32] = compiled(np.ascontiguousarray(low))[0]
        return enhanced

    return Opened(run, metadata)


def write_openvino(
    program: "ExportedProgram", path: Path, metadata: str, inputs: Sequence[NDArray[Any]] | None = None
) -> None:
    """Write a traced network by way of ONNX: OpenVINO's own converter of torch programs sends telemetry.

    With ``inputs`` on a few photographs its convolutions compute in 8-bit integers; see :func:`.quantise`.
    """
    import openvino

    core = openvino_core(openvino)
    with tempfile.TemporaryDirectory() as folder:
        onnx_path = Path(folder) / "net.onnx"
        write_onnx(program, onnx_path, metadata)
        model = core.read_model(onnx_path)
        if inputs is not None:
            quantise(core, model, inputs)
        model.set_rt_info(metadata, [METADATA])
        openvino.save_model(model, path, compress_to_fp16=False)


OPENVINO = Runtime(
    "openvino",
    ".xml",
    open_openvino,
    write_openvino,
    extra="openvino",
    companion=".bin",
    write_int8=write_openvino,
)
