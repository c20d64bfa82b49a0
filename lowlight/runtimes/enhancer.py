"""Enhancers: methods on torch and exported networks in other runtimes, behind one interface."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from lowlight.checkpoints.load import load_method, load_model
from lowlight.files import first_line
from lowlight.images import check_image, pad_to_stride
from lowlight.model import Model
from lowlight.networks.receptive_field import poolings
from lowlight.networks.two_pass import TwoPass
from lowlight.precision import AUTO, inference_dtype
from lowlight.runtimes.metadata import answer, read_about
from lowlight.runtimes.pass_memory import measure_bytes_per_pixel
from lowlight.runtimes.runtime import torch_device
from lowlight.runtimes.table import runtime_of
from lowlight.runtimes.tiling import Tiling, independent, sharing_pooled_statistics, sharing_scene

ModelT = TypeVar("ModelT", bound=Model)


class Enhancer(ABC):
    """Base of everything that enhances images; a subclass adds ``stride``, ``name``, ``halo``, ``enhance``.

    Attributes:
        stride: Sides are padded to multiples of this many pixels inside :meth:`enhance`.
        name: Name in messages and summaries.
        note: A sentence for the user on how its results differ from the method's; None if they do not.
    """

    stride: int
    name: str
    note: str | None = None

    @property
    @abstractmethod
    def halo(self) -> int | None:
        """Radius of the receptive field in pixels; None if outputs depend on the whole image."""

    @abstractmethod
    def enhance(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W), float32 in [0, 1], of any size from one pixel.

        Returns:
            Enhanced images of the same shape and range, on the device of ``low``.
        """

    @cached_property
    def tiling(self) -> Tiling | None:
        """How large images are enhanced in tiles; None if only the whole image gives the right result."""
        return None if self.halo is None else independent(self.enhance, self.halo)

    @cached_property
    def bytes_per_pixel(self) -> float:
        """Peak memory of a pass per pixel in bytes, with a reserve, measured once."""
        return measure_bytes_per_pixel(self.enhance, self.stride)


class TorchEnhancer(Enhancer):
    """A method on the device where its weights are.

    What is measured is kept on the method, which may be wrapped anew for every image.

    Args:
        method: Any method, or the model that is left of it for enhancing.
        precision: ``fp32``; ``bf16`` or ``fp16`` by autocast; or ``auto``; see
            :func:`lowlight.precision.inference_dtype`.

    Raises:
        ValueError: If there is no such precision.
    """

    def __init__(self, method: Model, precision: str = AUTO) -> None:
        self.method = method
        self.dtype = inference_dtype(precision, method.device.type)
        self.stride = method.stride
        self.name = method.name

    @property
    def halo(self) -> int | None:
        """Radius of the network's receptive field in pixels; None if outputs depend on the whole image."""
        return self.method.halo

    def enhance(self, low: Tensor) -> Tensor:
        """Enhance images of shape (B, 3, H, W) in [0, 1]; the result is on the device of ``low``."""
        check_image(low, "low")
        with self.autocast():
            return answer(lambda low: self.method.enhance(low.to(self.method.device)).to(low), low, self.name)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the network runs."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.method.device.type, self.dtype)

    @cached_property
    def tiling(self) -> Tiling | None:
        """How the network's large images are enhanced in tiles; None if it sees the whole image."""
        net = self.method.net
        if isinstance(net, TwoPass):
            halo = net.window_halo
            return None if halo is None else sharing_scene(self.method, net, halo, self.autocast)
        if self.halo is None and poolings(net):
            return sharing_pooled_statistics(self.enhance, net)
        return super().tiling

    @cached_property
    def bytes_per_pixel(self) -> float:
        """Peak memory of a pass per pixel in bytes, with a reserve; fp32's is measured once per method."""
        if self.dtype is not None:
            return measure_bytes_per_pixel(self.enhance, self.stride)
        if self.method.bytes_per_pixel is None:
            self.method.bytes_per_pixel = measure_bytes_per_pixel(self.enhance, self.stride)
        return self.method.bytes_per_pixel


class ExportedEnhancer(Enhancer):
    """An exported network; it is padded, cropped and clamped around as a method's is.

    Args:
        run: Maps float32 images of shape (B, 3, H, W), sides multiples of the stride, to the same shape.
        about: The file's metadata, from :func:`lowlight.runtimes.metadata.read_about`; ``stride``, ``halo``
            and ``method`` are used.
        source: The file, for messages.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], about: Mapping[str, Any], source: Path) -> None:
        self.run = run
        self.about = about
        self.source = source
        self.stride: int = about["stride"]
        self.name: str = about["method"]

    @property
    def halo(self) -> int | None:
        """Radius of the network's receptive field in pixels, from the metadata; None if unbounded."""
        halo: int | None = self.about["halo"]
        return halo

    @torch.no_grad()
    def restore(self, low: Tensor) -> Tensor:
        """Run the network on images of any size; see :meth:`lowlight.methods.Method.restore`.

        Raises:
            ValueError: If ``low`` breaks the image contract, or the network fails or returns no such image.
        """
        check_image(low, "low")
        height, width = low.shape[-2:]
        padded = pad_to_stride(low, self.stride)
        return answer(self.run, padded, self.source).to(low.device)[..., :height, :width]

    def enhance(self, low: Tensor) -> Tensor:
        """Enhance images of shape (B, 3, H, W) in [0, 1]; the result is on the device of ``low``."""
        return self.restore(low).clamp(0, 1)


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
        precision: As for :class:`TorchEnhancer`; an exported network has its own.
        trainable: Whether ``method`` is to be a :class:`lowlight.methods.Method`, which loads Lightning.

    Raises:
        ValueError: If there is no such model, it is not trusted, the device is unavailable, the package
            that runs it is not installed, or an exported network is asked for another precision.
    """
    path = Path(path)
    runtime = runtime_of(path.suffix)
    if runtime is None or path.is_dir():
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


def to_device(model: ModelT, device: str) -> ModelT:
    """Move a model to ``cpu``, ``cuda``, any other device of torch's, or the one ``auto`` stands for.

    Raises:
        ValueError: If the device is unavailable.
    """
    try:
        place = torch.device(torch_device(device))
        if place.type == "meta":
            raise RuntimeError("it computes nothing")
        return model.to(place)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise ValueError(f"device {device!r} is not available ({first_line(error)})") from error


def open_exported(path: Path, device: str = "cpu") -> ExportedEnhancer:
    """Open a file that ``lowlight export`` wrote, without asking whether it is trusted.

    Args:
        path: A file with the suffix of one of :data:`lowlight.runtimes.table.RUNTIMES`.
        device: As for :func:`load_engine`.

    Raises:
        ValueError: If the file is missing, broken or not written by lowlight, the device is unavailable, or
            the package that runs it is not installed.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    runtime = runtime_of(path.suffix)
    if runtime is None:
        raise ValueError(f"{path}: no runtime opens {path.suffix} files")
    try:
        opened = runtime.open(path, device)
    except ImportError as error:
        raise ValueError(f"{path}: {runtime.missing(error)}") from error
    return ExportedEnhancer(opened.run, read_about(opened.metadata, path), path)
