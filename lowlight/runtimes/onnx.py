"""ONNX: writing networks and running them in ONNX Runtime."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lowlight.files import first_line
from lowlight.runtimes.runtime import METADATA, Opened, Runtime
from lowlight.runtimes.threads import thread_count

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def open_onnx(path: Path, device: str) -> Opened:
    """Open an ONNX file in ONNX Runtime, on ``cpu``, ``cuda`` or ``auto``.

    Raises:
        ValueError: If the file does not run there, or the device is unavailable.
    """
    import onnxruntime

    providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    available = onnxruntime.get_available_providers()
    if device == "auto":
        device = "cuda" if providers["cuda"] in available else "cpu"
    provider = providers.get(device)
    if provider not in available:
        raise ValueError(f"{path}: this onnxruntime does not run on {device!r}; try cpu, or onnxruntime-gpu")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # failures are raised anyway
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        metadata = session.get_modelmeta().custom_metadata_map.get(METADATA)
    except Exception as error:  # its exceptions share no base class
        raise ValueError(f"{path}: not an ONNX file that runs here ({first_line(error)})") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        counts = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise ValueError(f"{path}: a network of {counts}, not from one image to one image")
    name = inputs[0].name

    def run(low: NDArray[np.float32]) -> NDArray[np.float32]:
        enhanced: NDArray[np.float32] = session.run(None, {name: np.ascontiguousarray(low)})[0]
        return enhanced

    return Opened(run, metadata)


def write_onnx(program: "ExportedProgram", path: Path, metadata: str) -> None:
    """Write a traced network as an ONNX file with named dynamic axes.

    It is not optimised here: onnxscript takes constants up to 1e-8 for 0 and drops what they are added to,
    so that a divisor kept from 0 no longer is. The runtimes optimise what they open, and are as fast.
    """
    import onnx
    import torch

    converted = torch.onnx.export(
        program,
        input_names=["low"],
        output_names=["enhanced"],
        dynamo=True,
        optimize=False,
        verbose=False,
    )
    model: Any = converted.model_proto  # type: ignore[union-attr]
    for image in (*model.graph.input, *model.graph.output):
        for axis, name in {0: "batch", 2: "height", 3: "width"}.items():
            image.type.tensor_type.shape.dim[axis].dim_param = name
    del model.graph.value_info[:]  # intermediate shapes, which refer to the replaced names
    onnx.helper.set_model_props(model, {METADATA: metadata})
    onnx.checker.check_model(model)
    onnx.save(model, path)


ONNX = Runtime("onnx", ".onnx", open_onnx, write_onnx, extra="export")
