"""ONNX: writing networks and running them in ONNX Runtime."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from lowlight.files import first_line
from lowlight.runtimes.exported import METADATA, Opened


def open_onnx(path: Path, device: str) -> Opened:
    """Open an ONNX file in ONNX Runtime.

    Raises:
        ValueError: If the file does not run there, the device is unavailable or ONNX Runtime is missing.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ValueError(f"{path}: onnxruntime is not installed: pip install 'lowlight[export]'") from None
    providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    there = onnxruntime.get_available_providers()
    if device == "auto":
        device = "cuda" if providers["cuda"] in there else "cpu"
    provider = providers.get(device)
    if provider not in there:
        raise ValueError(f"{path}: this onnxruntime does not run on {device!r}; try cpu, or onnxruntime-gpu")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what fails is raised anyway
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:  # its exceptions share no base
        raise ValueError(f"{path}: not an ONNX file that runs here ({first_line(error)})") from error
    name = session.get_inputs()[0].name

    def run(low: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {name: low.contiguous().cpu().numpy()})[0])

    return Opened(run, session.get_modelmeta().custom_metadata_map.get(METADATA))


def write_onnx(program: ExportedProgram, path: Path, metadata: str) -> None:
    """Write a traced network as an ONNX file with named dynamic axes."""
    import onnx

    converted = torch.onnx.export(
        program, input_names=["low"], output_names=["enhanced"], dynamo=True, verbose=False
    )
    model: Any = converted.model_proto  # type: ignore[union-attr]
    for image in (*model.graph.input, *model.graph.output):
        for axis, name in {0: "batch", 2: "height", 3: "width"}.items():
            image.type.tensor_type.shape.dim[axis].dim_param = name
    del model.graph.value_info[:]  # shapes in between, under the names that were replaced
    onnx.helper.set_model_props(model, {METADATA: metadata})
    onnx.checker.check_model(model)
    onnx.save(model, path)
