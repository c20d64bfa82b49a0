"""Sizes from files of unknown origin, checked before memory is allocated for them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode

from lowlight.checkpoints.checkpoint import Saved
from lowlight.checkpoints.recipe import build_model, walk
from lowlight.checkpoints.weights import load_weights
from lowlight.images import LARGEST_STRIDE

_SIZED = ("torch.nn.", "lowlight.networks.", "lowlight.methods.classical.", "lowlight.methods.retinex.")
"""Targets whose integers are sizes."""

_SMALL = 2**16
"""Integers up to this are never too large a size."""

_SPARE = 2**24
"""Values that building may allocate beyond a multiple of the file's, for discriminators and buffers."""


_RANDOM = (torch.ops.aten.normal_.default, torch.ops.aten.uniform_.default)
"""Initialisers, which on the meta device have nothing to do but to import torch's compiler for it."""


class _Bound(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Raise ValueError once building allocates more values, or takes more steps, than the weights explain."""

    def __init__(self, values: int, tensors: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values = 4 * values + _SPARE
        self.steps = 20 * tensors + 2_000

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes as long as torch itself, to switch it off."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.steps -= 1
        result = args[0] if func in _RANDOM else func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not (func.is_view or func._schema.is_mutable):
            self.values -= result.numel()
        if self.values < 0 or self.steps < 0:
            raise ValueError("it is larger than the file's weights")
        return result


def check_size(saved: Saved) -> None:
    """Build a checked recipe on torch's meta device, without memory, and compare it with the weights.

    Raises:
        ValueError: If the method is larger than its weights, they do not fit, or its stride is absurd.
    """
    held = _held(saved.weights)
    for target, value in walk(saved.recipe, saved.recipe_file):
        if type(value) is int and target.startswith(_SIZED) and abs(value) > max(held, _SMALL):
            raise ValueError(f"{target} with a size of {value:.0e} is larger than the file's weights")
    with _Bound(held, len(saved.weights)), torch.device("meta"):
        method = build_model(saved.recipe)
    if method.stride > LARGEST_STRIDE:
        raise ValueError(f"its stride is larger than {LARGEST_STRIDE} pixels")
    module = method.net if saved.net_only else method
    sizes = {id(one): one.numel() for one in module.state_dict(keep_vars=True).values() if not is_lazy(one)}
    load_weights(module, saved, assign=True)
    if sum(sizes.values()) > held:
        raise ValueError(f"it needs {sum(sizes.values()):,} weights, and the file holds {held:,}")


def _held(weights: Mapping[str, Tensor]) -> int:
    """Return the number of values that a file holds, each stored one counted once."""
    storages = {}
    for weight in weights.values():
        if weight.device.type == "cpu" and weight.layout == torch.strided:
            storage = weight.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes() // weight.itemsize
    return sum(storages.values())
