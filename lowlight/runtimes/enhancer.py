"""Enhancers: methods on torch and exported networks in other runtimes, behind one interface.

Imports no torch, which exported networks do without.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lowlight.images import check_image, pad_to_stride
from lowlight.judging import Judgement
from lowlight.lazy import importer
from lowlight.runtimes.metadata import answer, read_about
from lowlight.runtimes.pass_memory import measure_bytes_per_pixel
from lowlight.runtimes.table import runtime_of
from lowlight.runtimes.tiling import Tiling, independent

if TYPE_CHECKING:
    from torch import Tensor


Judge = Callable[[NDArray[np.float32]], Judgement]
"""Judges an image of shape (1, 3, H, W) in [0, 1]; see :class:`lowlight.judging.Judging`."""

UNDECIDED = (
    "the exported network does not decide what needs work, as its checkpoint does: it processes every image"
)
"""Note of an exported network whose classifiers were left behind."""


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
    def judge(self) -> Judge | None:
        """Judges an image before it is enhanced; None where only whether it is dark matters."""
        return None

    @property
    @abstractmethod
    def halo(self) -> int | None:
        """Radius of the receptive field in pixels; None if outputs depend on the whole image."""

    @abstractmethod
    def enhance(self, low: "Tensor") -> "Tensor":
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W), float32 in [0, 1], of any size from one pixel.

        Returns:
            Enhanced images of the same shape and range, on the device of ``low``.
        """

    def enhance_numpy(self, low: NDArray[np.float32]) -> NDArray[np.float32]:
        """Enhance images as arrays; by default they are handed to :meth:`enhance`.

        Args:
            low: Images of shape (B, 3, H, W), float32 in [0, 1], of any size from one pixel.

        Returns:
            Enhanced images of the same shape and range.
        """
        from lowlight.runtimes.tensors import on_arrays

        return on_arrays(self.enhance, low)

    @cached_property
    def tiling(self) -> Tiling | None:
        """How large images are enhanced in tiles; None if only the whole image gives the right result."""
        return None if self.halo is None else independent(self.enhance_numpy, self.halo)

    @cached_property
    def bytes_per_pixel(self) -> float:
        """Peak memory of a pass per pixel in bytes, with a reserve, measured once."""
        return measure_bytes_per_pixel(self.enhance_numpy, self.stride)


class ExportedEnhancer(Enhancer):
    """An exported network; it is padded, cropped and clamped around as a method's is.

    Args:
        run: Maps float32 arrays of shape (B, 3, H, W), sides multiples of the stride, to the same shape.
        about: The file's metadata, from :func:`lowlight.runtimes.metadata.read_about`; ``stride``, ``halo``
            and ``method`` are used.
        source: The file, for messages.
    """

    def __init__(
        self,
        run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        about: Mapping[str, Any],
        source: Path,
    ) -> None:
        self.run = run
        self.about = about
        self.source = source
        self.stride: int = about["stride"]
        self.name: str = about["method"]
        self.note = UNDECIDED if about.get("judges") else None

    @property
    def judge(self) -> Judge | None:
        """Lets every image pass where the method would have judged it; the classifiers are not exported."""
        return (lambda _: Judgement(None)) if self.about.get("judges") else None

    @property
    def halo(self) -> int | None:
        """Radius of the network's receptive field in pixels, from the metadata; None if unbounded."""
        halo: int | None = self.about["halo"]
        return halo

    def restore_numpy(self, low: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network on images of any size; see :meth:`lowlight.model.Model.restore`.

        Raises:
            ValueError: If ``low`` breaks the image contract, or the network fails or returns no such image.
        """
        check_image(low, "low")
        height, width = low.shape[-2:]
        return answer(self.run, pad_to_stride(low, self.stride), self.source)[..., :height, :width]

    def enhance_numpy(self, low: NDArray[np.float32]) -> NDArray[np.float32]:
        """Enhance images of shape (B, 3, H, W), float32 in [0, 1], without torch."""
        return self.restore_numpy(low).clip(0, 1)

    def restore(self, low: "Tensor") -> "Tensor":
        """Run the network on a tensor; see :meth:`restore_numpy`."""
        from lowlight.runtimes.tensors import on_tensors

        return on_tensors(self.restore_numpy, low)

    def enhance(self, low: "Tensor") -> "Tensor":
        """Enhance images of shape (B, 3, H, W) in [0, 1]; the result is on the device of ``low``."""
        from lowlight.runtimes.tensors import on_tensors

        return on_tensors(self.enhance_numpy, low)


def open_exported(path: Path, device: str = "cpu") -> ExportedEnhancer:
    """Open a file that ``lowlight export`` wrote, without asking whether it is trusted.

    Args:
        path: A file with the suffix of one of :data:`lowlight.runtimes.table.RUNTIMES`.
        device: As for :func:`lowlight.runtimes.load.load_engine`.

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


__getattr__ = importer(
    __name__,
    {  # whose home this was in 0.1.0
        "TorchEnhancer": "lowlight.runtimes.torch_enhancer",
        "to_device": "lowlight.runtimes.torch_enhancer",
        "load_engine": "lowlight.runtimes.load",
    },
)
