"""What is computed in double precision also runs where a GPU has none, as Apple's."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lowlight import precision
from lowlight.methods.retinex import lime, msrcr
from lowlight.metrics import brisque, niqe
from lowlight.metrics.brisque import Regression
from lowlight.metrics.classification import classification_scores

STAND_IN = "meta"
"""A device that every torch has: its tensors have shapes and types, but no values."""


class NoDouble(TorchDispatchMode):
    """Refuses double precision on the stand-in, as torch does on ``mps``."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            if isinstance(one, Tensor) and one.dtype == torch.float64 and one.device.type == STAND_IN:
                raise TypeError("this device has no float64")
        return out


@pytest.mark.parametrize("compute", [niqe, brisque, msrcr, partial(lime, iterations=0)])
def test_no_double_precision_is_asked_of_a_device_without(
    compute: Callable[[Tensor], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "WITHOUT_FLOAT64", {STAND_IN})
    # What these two read or ask of values is no matter of devices.
    zeros = torch.zeros(36, dtype=torch.float64)
    regression = Regression(zeros, zeros + 1, zeros[None], zeros[:1], 0.0, 1.0)
    monkeypatch.setattr(sys.modules["lowlight.metrics.brisque"], "model", lambda: regression)
    monkeypatch.setattr(sys.modules["lowlight.metrics.niqe"], "_distance", lambda features: features.mean())
    with FakeTensorMode(allow_non_fake_inputs=True), NoDouble():
        image = torch.rand(1, 3, 192, 192, device=STAND_IN)
        result = compute(image)
    assert result.device.type == STAND_IN
    assert result.dtype == torch.float32


def test_the_stand_in_refuses_double_precision() -> None:
    with NoDouble(), pytest.raises(TypeError, match="no float64"):
        torch.zeros(1, device=STAND_IN).double()


@pytest.mark.parametrize(("device", "place"), [("mps", "cpu"), ("cpu", "cpu"), ("cuda:1", "cuda:1")])
def test_only_apples_gpus_leave_double_precision_to_the_cpu(device: str, place: str) -> None:
    assert precision.in_double(torch.device(device)) == torch.device(place)


class OnGpu(Tensor):
    """Counts on a device without double precision."""

    def double(self) -> Tensor:
        raise TypeError("this device has no float64")

    def cpu(self) -> Tensor:
        return self.as_subclass(Tensor)


def test_a_confusion_matrix_is_doubled_on_the_cpu() -> None:
    counts = torch.tensor([[3, 1], [0, 4]])
    assert classification_scores(counts.as_subclass(OnGpu)) == classification_scores(counts)
