"""Enhancers on torch: methods on any of its devices."""

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlight.files import first_line
from lowlight.images import check_image
from lowlight.judging import Judgement, Judging
from lowlight.model import Model, evaluating
from lowlight.networks.fusion import FusedNetworks
from lowlight.networks.receptive_field import poolings
from lowlight.networks.two_pass import TwoPass
from lowlight.precision import AUTO, inference_dtype
from lowlight.runtimes.enhancer import Enhancer, Judge
from lowlight.runtimes.metadata import answer
from lowlight.runtimes.pass_memory import measure_bytes_per_pixel
from lowlight.runtimes.runtime import torch_device
from lowlight.runtimes.tiling import Tiling
from lowlight.runtimes.torch_tiling import sharing_both, sharing_pooled_statistics, sharing_scene

ModelT = TypeVar("ModelT", bound=Model)


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

    @property
    def judge(self) -> Judge | None:
        """What the network itself judges its input by, if it does."""
        net = self.method.net
        if not isinstance(net, Judging):
            return None

        def judge(low: NDArray[np.float32]) -> Judgement:
            with evaluating(self.method.net), self.autocast():
                return Judgement(*net.judge(torch.from_numpy(low).to(self.method.device)))

        return judge

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
        if isinstance(net, FusedNetworks) and self.halo is None:
            return self._fusing(net)
        if self.halo is None and poolings(net):
            return sharing_pooled_statistics(self.enhance_numpy, net)
        return super().tiling

    def _fusing(self, net: FusedNetworks) -> Tiling | None:
        """How the large images of a fusion are enhanced in tiles; None if a network sees the whole image."""
        first, second = (TorchEnhancer(Model(part)) for part in (net.first, net.second))
        for part in (first, second):
            part.dtype = self.dtype
        if first.tiling is None or second.tiling is None or net.fuse_halo is None:
            return None
        return sharing_both(first.tiling, second.tiling, first.enhance_numpy, net, net.fuse_halo)

    @cached_property
    def bytes_per_pixel(self) -> float:
        """Peak memory of a pass per pixel in bytes, with a reserve; fp32's is measured once per method."""
        if self.dtype is not None:
            return measure_bytes_per_pixel(self.enhance_numpy, self.stride)
        if self.method.bytes_per_pixel is None:
            self.method.bytes_per_pixel = measure_bytes_per_pixel(self.enhance_numpy, self.stride)
        return self.method.bytes_per_pixel


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
