"""What enhances images: a method on torch, or an exported network in another runtime."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

from torch import Tensor

from lowlight.checkpoints.load import load_method
from lowlight.files import first_line
from lowlight.methods import Method
from lowlight.methods.base import halo_of
from lowlight.runtimes.exported import ExportedEnhancer, Opened, torch_device
from lowlight.runtimes.onnx import open_onnx
from lowlight.runtimes.openvino import open_openvino
from lowlight.runtimes.torch_export import open_torch_export


class Enhancer(Protocol):
    """What enhances images: a method of ours on torch, or an exported network in another runtime."""

    @property
    def stride(self) -> int:
        """Sides are padded to multiples of this many pixels inside :meth:`enhance`."""

    @property
    def halo(self) -> int | None:
        """Radius of the receptive field in pixels; None when every output depends on the whole image."""

    @property
    def name(self) -> str:
        """What a summary calls it."""

    def enhance(self, low: Tensor) -> Tensor:
        """Map float32 images of shape (B, 3, H, W) in [0, 1], any size from one pixel, to the same shape."""


class TorchEnhancer:
    """A method on the device where its weights are.

    Args:
        method: Any method of ours.
    """

    def __init__(self, method: Method) -> None:
        self.method = method
        self.stride = method.stride
        self.name = method.name

    @cached_property
    def halo(self) -> int | None:
        """Radius of the network's receptive field in pixels; None when it sees the whole image."""
        return halo_of(self.method)

    def enhance(self, low: Tensor) -> Tensor:
        """Enhance images of shape (B, 3, H, W) in [0, 1]; the result lies where ``low`` does."""
        return self.method.enhance(low.to(self.method.device)).to(low.device)


def load_engine(path: Path | str, device: str = "cpu", trust: Sequence[str] = ()) -> Enhancer:
    """Load whatever of ours can enhance images.

    Args:
        path: A checkpoint, a run folder, a folder of :func:`lowlight.save_pretrained`, or an
            exported file: ``.onnx``, ``.xml`` (OpenVINO, its ``.bin`` beside it), ``.pt2`` (torch.export).
        device: Where to run: ``cpu``, for torch and ONNX ``cuda``, for OpenVINO ``gpu``; ``auto`` for a CUDA
            device that the runtime can use, else the CPU.
        trust: Packages beyond torch and lowlight that a recipe may call, such as ``["mypackage"]``. A
            ``.pt2`` file can run code when it is opened, so it needs ``["torch.export"]``.

    Raises:
        ValueError: If nothing of ours is there, it is not trusted, the device is not available, or the
            package that runs it is not installed.
    """
    path = Path(path)
    if path.suffix not in OPENERS or path.is_dir():
        return TorchEnhancer(to_device(load_method(path, trust), device))
    if path.suffix == ".pt2" and "torch.export" not in trust:
        raise ValueError(
            f"{path}: a torch.export file can run code when it is opened; if you trust its author, "
            'trust=["torch.export"] (--trust torch.export); ONNX files cannot'
        )
    return open_exported(path, device)


def to_device(method: Method, device: str) -> Method:
    """Move a method to ``cpu``, ``cuda`` or whatever ``auto`` finds.

    Raises:
        ValueError: If there is no such device.
    """
    try:
        return method.to(torch_device(device))
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise ValueError(f"device {device!r} is not available ({first_line(error)})") from error


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


OPENERS: Mapping[str, Callable[[Path, str], Opened]] = {
    ".onnx": open_onnx,
    ".xml": open_openvino,
    ".pt2": open_torch_export,
}
"""What opens a file, by its suffix."""
