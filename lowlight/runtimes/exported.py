"""Networks in files of other runtimes: ONNX, OpenVINO and torch.export."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

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


def torch_device(device: str) -> str:
    """Return the device that ``auto`` means to torch, or what it is given."""
    return device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
