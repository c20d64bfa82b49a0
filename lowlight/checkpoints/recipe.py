"""Methods built from their recipes, and recipes checked before anything in them is called."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lowlight.files import first_line
from lowlight.methods import Method

ALLOWED: Mapping[str, type | None] = {
    "torch.nn": nn.Module,
    "torch.optim": Optimizer,
    "torch.optim.lr_scheduler": LRScheduler,
    "lowlight.losses": None,
    "lowlight.methods": Method,
    "lowlight.methods.classical": None,
    "lowlight.methods.retinex": None,
    "lowlight.networks": nn.Module,
    "lowlight.schedules": LRScheduler,
}
"""Public modules whose names a recipe may call: classes of that kind, or functions (None).

The modules inside ``lowlight.networks`` and ``lowlight.methods`` count as well.
"""


def build(recipe: DictConfig | Mapping[str, Any]) -> Method:
    """Make a method from its config, the ``method`` node, which it then carries into its checkpoints.

    The config's targets are called: build only what you trust, and read checkpoints by :func:`load`.

    Raises:
        ValueError: If an argument is refused; the message is the one of the class that refused it.
    """
    plain = OmegaConf.to_container(recipe, resolve=True) if isinstance(recipe, DictConfig) else dict(recipe)
    arguments = {key: value for key, value in plain.items() if key != "name"}  # type: ignore[union-attr]
    method = make(arguments)
    if not isinstance(method, Method):
        raise ValueError(f"method._target_={arguments.get('_target_')} is no lowlight.methods.Method")
    method.recipe = plain  # type: ignore[assignment]
    return method


def make(node: Any, **arguments: Any) -> Any:
    """Instantiate a config node as Hydra does, but say what a class refused as a ``ValueError``.

    Raises:
        ValueError: If an argument is refused or unknown.
    """
    try:
        return instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        cause: BaseException | None = error
        while isinstance(cause, InstantiationException):
            cause = cause.__cause__
        if isinstance(cause, ValueError):
            raise cause from error
        if isinstance(cause, TypeError | MisconfigurationException):
            raise ValueError(f"{first_line(cause)} ({_last_line(error)})") from error
        raise


def check_recipe(recipe: Any, source: Path, trust: Sequence[str] = ()) -> None:
    """Refuse a recipe that calls anything but networks, methods, optimizers, schedulers and our losses.

    Args:
        recipe: Plain containers.
        source: Where it comes from, for the message.
        trust: Further packages, such as ``["mypackage"]``.

    Raises:
        ValueError: Naming the first target that is not allowed, or what is no plain container.
    """
    for target in _targets(recipe, source):
        if not (_is_of(target, trust) or _is_allowed(target)):
            package = target.split(".")[0]
            raise ValueError(
                f"{source}: its recipe calls {target}, which is not trusted; if you trust its author, "
                f'load(path, trust=["{package}"])'
            )


def _targets(node: Any, source: Path) -> Iterator[str]:
    """Yield every target of a recipe, refusing whatever Hydra might turn into one later."""
    if isinstance(node, str) and "${" in node:
        raise ValueError(f"{source}: its recipe holds an interpolation, {node}; recipes are stored resolved")
    if type(node) is dict:
        if "_target_" in node:
            if type(node["_target_"]) is not str:
                raise ValueError(f"{source}: its recipe calls what is no name: {node['_target_']!r}")
            yield node["_target_"]
        for key, child in node.items():
            yield from _targets(key, source)
            yield from _targets(child, source)
    elif type(node) is list:
        for child in node:
            yield from _targets(child, source)
    elif node is not None and type(node) not in (str, int, float, bool):
        raise ValueError(
            f"{source}: its recipe holds a {type(node).__name__}; plain containers are allowed only"
        )


def _is_of(target: str, packages: Sequence[str]) -> bool:
    names = [packages] if isinstance(packages, str) else packages
    return any(target.startswith(name.rstrip(".") + ".") for name in names)


def _is_allowed(target: str) -> bool:
    """Decide by the dotted name; only a module on the list is imported, to see what the name stands for."""
    module, _, name = target.rpartition(".")
    folder = module.rpartition(".")[0]
    inside = folder in ("lowlight.networks", "lowlight.methods") and "._" not in module
    if name.startswith("_") or not (module in ALLOWED or inside):
        return False
    kind = ALLOWED[module] if module in ALLOWED else ALLOWED[folder]
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        return False
    if kind is not None:
        return isinstance(found, type) and issubclass(found, kind)
    return isinstance(found, FunctionType) and found.__module__.startswith("lowlight.")


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1]
