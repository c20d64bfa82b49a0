"""Networks in files of other runtimes: ONNX, OpenVINO and torch.export."""

import functools
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lowlight.checkpoint import first_line
from lowlight.images import check_image, pad_to_stride

METADATA = "lowlight"
"""The key under which an exported file says, as JSON, what it is."""


class Opened(NamedTuple):
    """A file in its runtime."""

    run: Callable[[Tensor], Tensor]
    """Runs the network on images of shape (B, 3, H, W), sides multiples of its stride."""
    metadata: str | None
    """JSON; None in a file that is not ours."""


class ExportedEnhancer:
    """An exported network: padding, cropping and clamping around it are those of a method.

    Args:
        run: Maps float32 images of shape (B, 3, H, W), sides multiples of the stride, to the same shape.
        about: The file's metadata; ``stride``, ``halo`` and ``method`` are used.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], about: Mapping[str, Any]) -> None:
        self.run = run
        self.about = about
        self.stride: int = about["stride"]
        self.halo: int | None = about["halo"]
        self.name = str(about["method"])

    @torch.no_grad()
    def restore(self, low: Tensor) -> Tensor:
        """Run the network on images of any size; see :meth:`lowlight.methods.Method.restore`.

        Raises:
            ValueError: If ``low`` breaks the image contract.
        """
        check_image(low, "low")
        height, width = low.shape[-2:]
        return self.run(pad_to_stride(low, self.stride)).to(low.device)[..., :height, :width]

    def enhance(self, low: Tensor) -> Tensor:
        """Enhance images of shape (B, 3, H, W) in [0, 1], of any size; the result lies where ``low`` does."""
        return self.restore(low).clamp(0, 1)


def open_exported(path: Path, device: str = "cpu") -> ExportedEnhancer:
    """Open a file that ``lowlight export`` wrote; a ``.pt2`` file of a stranger may run code meanwhile.

    Args:
        path: A file ending in ``.onnx``, ``.xml`` or ``.pt2``.
        device: Where to run: ``cpu``, for torch and ONNX ``cuda``, for OpenVINO ``gpu``; ``auto`` for a CUDA
            device that the file's runtime can use, else the CPU.

    Raises:
        ValueError: If the file is missing, broken or not ours, the device is not available, or the package
            that runs it is not installed.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    opened = OPENERS[path.suffix](path, device)
    if opened.metadata is None:
        raise ValueError(f"{path}: not written by `lowlight export` (no metadata of ours in it)")
    return ExportedEnhancer(opened.run, json.loads(opened.metadata))


def _open_onnx(path: Path, device: str) -> Opened:
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


@functools.cache
def openvino_core(openvino: ModuleType) -> Any:
    """Return this process's one ``openvino.Core``: with several, OpenVINO may end in a segmentation fault."""
    return openvino.Core()


def _open_openvino(path: Path, device: str) -> Opened:
    try:
        import openvino
    except ImportError:
        raise ValueError(f"{path}: openvino is not installed: pip install 'lowlight[openvino]'") from None
    if not path.with_suffix(".bin").is_file():
        raise ValueError(f"{path}: its weights, {path.with_suffix('.bin').name}, are not beside it")
    device = "cpu" if device == "auto" else device
    core = openvino_core(openvino)
    if device.upper() not in {name.split(".")[0] for name in core.available_devices}:
        known = ", ".join(core.available_devices).lower()
        raise ValueError(f"{path}: OpenVINO does not run on {device!r} here; there are {known}")
    # By default it computes in bfloat16 or float16 where the processor can.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    if device == "cpu":
        settings["INFERENCE_NUM_THREADS"] = str(torch.get_num_threads())
    try:
        model = core.read_model(path)
        metadata = model.get_rt_info([METADATA]).value if model.has_rt_info([METADATA]) else None
        compiled = core.compile_model(model, device.upper(), settings)
    except RuntimeError as error:
        raise ValueError(f"{path}: not an OpenVINO model that runs here ({first_line(error)})") from error

    def run(low: Tensor) -> Tensor:
        return torch.from_numpy(compiled(low.contiguous().cpu().numpy())[0])

    return Opened(run, metadata)


def _open_torch_export(path: Path, device: str) -> Opened:
    from torch.export.passes import move_to_device_pass

    device = torch_device(device)
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.endswith(f"/extra/{METADATA}.json")]
            metadata = archive.read(found[0]).decode() if found else None
        program = torch.export.load(path)
        # The guards stem from the example's size; `lowlight export` checks sizes that they would refuse.
        module = move_to_device_pass(program, device).module(check_guards=False)
    except Exception as error:  # torch raises whatever the broken bytes lead to
        raise ValueError(f"{path}: not a torch.export file that runs here ({first_line(error)})") from error

    def run(low: Tensor) -> Tensor:
        enhanced: Tensor = module(low.to(device).contiguous(memory_format=torch.channels_last))
        return enhanced

    return Opened(run, metadata)


def torch_device(device: str) -> str:
    """Return the device that ``auto`` means to torch, or what it is given."""
    return device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


OPENERS: Mapping[str, Callable[[Path, str], Opened]] = {
    ".onnx": _open_onnx,
    ".xml": _open_openvino,
    ".pt2": _open_torch_export,
}
"""What opens a file, by its suffix."""
