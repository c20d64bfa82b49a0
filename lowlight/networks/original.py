"""Weights of published implementations: read into our networks, and written from them."""

import inspect
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

WRAPPERS = ("params", "params_ema", "state_dict", "model_state_dict", "model")
"""Keys under which published files hold their state dict, in the order in which they are tried."""


def unwrapped(loaded: Any) -> dict[str, Tensor]:
    """Return the state dict in what a published file holds, without the prefix of ``DataParallel``.

    Args:
        loaded: A state dict, or a mapping that holds it under one of :data:`WRAPPERS`.

    Raises:
        ValueError: If there is none, or it holds anything but named tensors.
    """
    for _ in WRAPPERS:  # no more, since a mapping may hold itself
        if isinstance(loaded, Mapping):
            loaded = next((loaded[key] for key in WRAPPERS if isinstance(loaded.get(key), Mapping)), loaded)
    if not isinstance(loaded, Mapping) or not loaded:
        raise ValueError(f"it holds no state dict but a {type(loaded).__name__}")
    for name, value in loaded.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise ValueError(f"its state dict holds what is no named tensor: {name!r}"[:200])
    return {name.removeprefix("module."): value for name, value in loaded.items()}


class Original(nn.Module):
    """Base of networks that equal a published one, whose weights they read and write.

    Attributes:
        RENAMED: Mapping of our names in a state dict to the published ones: regular expressions and their
            replacements, applied in turn; empty where the names are the same.
        WRAPPER: Key under which the published files hold the state dict; empty where they hold it alone.
        TRAINING_ONLY: Prefixes of published names that are needed in training only, and are not read.
    """

    RENAMED: ClassVar[tuple[tuple[str, str], ...]] = ()
    WRAPPER: ClassVar[str] = ""
    TRAINING_ONLY: ClassVar[tuple[str, ...]] = ()

    def original_names(self, name: str) -> list[str]:
        """Return the published name of one of our entries; several where it is stored more than once."""
        for ours, published in self.RENAMED:
            name = re.sub(ours, published, name)
        return [name]

    def original_constants(self) -> dict[str, Tensor]:
        """Return what published files hold beside the weights, by its published name: fixed kernels."""
        return {}

    def load_original(self, state_dict: Mapping[str, Any]) -> None:
        """Load the weights of the published implementation.

        Args:
            state_dict: The state dict or what holds it; see :func:`unwrapped`. Constants, and the counters of
                batch normalisation, may be missing.

        Raises:
            ValueError: If keys are missing or left over, shapes or constants differ, or weights differ that
                this network shares; the network is then unchanged.
        """
        self.load_state_dict(self.from_original(state_dict))

    def from_original(self, state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return published weights under our names; see :meth:`load_original`."""
        held = unwrapped(state_dict).items()
        given = {name: value for name, value in held if not name.startswith(self.TRAINING_ONLY)}
        self._check(given, self._entries())
        ours = self.state_dict().items()
        return {name: given.get(self.original_names(name)[0], value) for name, value in ours}

    def original_state_dict(self) -> dict[str, Tensor]:
        """Return the state dict that the published implementation reads, without a wrapper."""
        weights = {name: value.detach() for value, names in self._entries() for name in names}
        return weights | self.original_constants()

    def _entries(self) -> list[tuple[Tensor, list[str]]]:
        """Return every parameter and buffer once, with all its published names."""
        entries: dict[int, tuple[Tensor, list[str]]] = {}
        for name, value in self.state_dict(keep_vars=True).items():
            entries.setdefault(id(value), (value, []))[1].extend(self.original_names(name))
        return list(entries.values())

    def _check(self, given: Mapping[str, Tensor], ours: list[tuple[Tensor, list[str]]]) -> None:
        expected = {name: value for value, names in ours for name in names}
        constants = self.original_constants()
        missing = [key for key in expected if key not in given and not key.endswith("num_batches_tracked")]
        unknown = [key for key in given if key not in expected and key not in constants]
        problems = [_listed(missing, "missing"), _listed(unknown, "unknown")]
        for key, value in given.items():
            if key in expected and value.shape != expected[key].shape:
                problems.append(f"{key} has shape {tuple(value.shape)}, not {tuple(expected[key].shape)}")
            elif key in constants and not _is_constant(value, constants[key]):
                problems.append(f"{key} is not the constant of this network")
        if not any(problems):
            problems = [
                f"{key} differs from {names[0]}, which this network shares"
                for _, names in ours
                for key in names[1:]
                if not torch.equal(given[key], given[names[0]])
            ]
        problems = [problem for problem in problems if problem]
        if problems:
            more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
            sizes = ", ".join(inspect.signature(type(self)).parameters)
            raise ValueError(
                f"the state dict does not fit this {type(self).__name__}: {'; '.join(problems[:3])}{more}; "
                f"build the network with the sizes it was trained with ({sizes})"
            )


def _listed(keys: list[str], problem: str) -> str:
    """Name the first of several keys; "" if there is none."""
    if len(keys) < 2:
        return f"{keys[0]} is {problem}" if keys else ""
    return f"{keys[0]} and {len(keys) - 1} more are {problem}"


def _is_constant(value: Tensor, constant: Tensor) -> bool:
    return value.shape == constant.shape and torch.allclose(value.float().cpu(), constant.float().cpu())
