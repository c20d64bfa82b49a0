"""Recipes of plain containers, turned into what they describe without Hydra, whose import takes long."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

_UNDERSTOOD = ("_target_", "_partial_")


def construct(node: Any) -> Any:
    """Make what a checked recipe describes, as Hydra would with plain containers.

    Hydra itself makes the node where one has its rarer keys, such as ``_args_``.

    Raises:
        Exception: Whatever a target raises.
    """
    if type(node) is list:
        return [construct(child) for child in node]
    if type(node) is not dict:
        return node
    if any(key.startswith("_") and key.endswith("_") and key not in _UNDERSTOOD for key in node):
        from hydra.utils import instantiate

        return instantiate(node, _convert_="all")
    arguments = {key: construct(child) for key, child in node.items() if key not in _UNDERSTOOD}
    if "_target_" not in node:
        return arguments
    target = _found(node["_target_"])
    return partial(target, **arguments) if node.get("_partial_") else target(**arguments)


def _found(name: str) -> Callable[..., Any]:
    """Return what a dotted name stands for; Hydra finds members of classes, too."""
    module, _, attribute = name.rpartition(".")
    try:
        target: Callable[..., Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError):
        from hydra.utils import get_object

        return get_object(name)  # type: ignore[no-any-return]
    return target
