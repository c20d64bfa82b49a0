"""Weights from files of unknown origin, checked and loaded."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lowlight.checkpoints.checkpoint import Saved
from lowlight.files import shortened


def of_network(saved: Saved) -> Mapping[str, Tensor]:
    """Return the weights of the image network, by their names in it."""
    if saved.net_only:
        return saved.weights
    prefix = "net."
    nets = ((name, weight) for name, weight in saved.weights.items() if name.startswith(prefix))
    return {name.removeprefix(prefix): weight for name, weight in nets}


def load_weights(module: nn.Module, saved: Saved, *, assign: bool = False) -> None:
    """Load weights into a method or network, once they are known to be finite and of its types.

    Subnormal numbers (below 1.2e-38), into which the weights of unused channels decay, become 0: CPUs compute
    up to eight times as slowly with them.

    Args:
        module: On the CPU, or on the meta device.
        saved: Holds the weights.
        assign: As for :meth:`torch.nn.Module.load_state_dict`.

    Raises:
        ValueError: Naming the first tensor that is refused, or what does not fit.
    """
    whose = "network" if saved.recipe is None else "recipe"
    expected = module.state_dict()
    for name, weight in saved.weights.items():
        if name in expected and (problem := _problem(weight, expected[name])):
            raise ValueError(f"{saved.weights_file}: refused, {shortened(name)} {problem}")
    try:
        module.load_state_dict(saved.weights, assign=assign)
    except RuntimeError as error:
        problem = shortened(str(error).partition(":\n")[2] or str(error))
        raise ValueError(f"{saved.weights_file}: weights do not fit the {whose}: {problem}") from error
    for parameter in module.parameters():
        subnormal = parameter.detach().abs() < torch.finfo().tiny
        if not parameter.is_meta and subnormal.any():
            parameter.data = parameter.detach().masked_fill(subnormal, 0)


def _problem(weight: Tensor, expected: Tensor) -> str:
    """Return why a tensor is refused as a weight in place of another; "" if it is not.

    One of another shape is not looked at further, for few stored values may stand for very many: loading
    names it.
    """
    if (
        weight.device.type != "cpu"
        or weight.layout != torch.strided
        or weight.is_quantized
        or weight.is_nested
    ):
        return "is no plain tensor"
    if weight.dtype != expected.dtype and not (weight.is_floating_point() and expected.is_floating_point()):
        return f"is of type {weight.dtype}, not {expected.dtype}".replace("torch.", "")
    if not is_lazy(expected) and weight.shape != expected.shape:
        return ""
    if weight.is_floating_point() and not weight.to(expected.dtype).isfinite().all():
        return "holds values that are not finite"
    return ""
