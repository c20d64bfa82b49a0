"""What enhances images: a method on torch, or an exported network in another runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from lowlight.checkpoint import load
from lowlight.methods import Method


class Enhancer(Protocol):
    """What enhances images: a method of ours on torch, or an exported network in another runtime.

    Attributes:
        stride: Sides are padded to multiples of this many pixels inside ``enhance``.
        name: What a summary calls it.
    """

    @property
    def stride(self) -> int: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102

    def enhance(self, low: Tensor) -> Tensor:
        """Map float32 images of shape (B, 3, H, W) in [0, 1], any size from one pixel, to the same shape."""
        ...


class TorchEnhancer:
    """A method on the device where its weights are.

    Args:
        method: Any method of ours.
        name: What a summary calls it; by default its recipe's name, or its class.
    """

    def __init__(self, method: Method, name: str | None = None) -> None:
        self.method = method.eval()
        self.stride = method.stride
        self.name = name or str((method.recipe or {}).get("name", type(method.net).__name__))
        weight = next(method.net.parameters(), None)
        self.device = method.device if weight is None else weight.device

    @torch.inference_mode()
    def enhance(self, low: Tensor) -> Tensor:
        """Enhance images of shape (B, 3, H, W) in [0, 1]; the result lies where ``low`` does."""
        return self.method.enhance(low.to(self.device)).to(low.device)


def load_engine(path: Path | str, device: str = "cpu", trust: Sequence[str] = ()) -> Enhancer:
    """Load a checkpoint or a run's folder; see :func:`lowlight.checkpoint.load`."""
    return TorchEnhancer(load(path, trust=trust).to(device))
