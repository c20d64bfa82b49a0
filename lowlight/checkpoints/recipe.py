"""Methods built from their recipes, and recipes checked before anything in them is called."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lowlight import methods
from lowlight.checkpoints.checkpoint import Saved
from lowlight.checkpoints.construct import construct
from lowlight.checkpoints.reading import read_any
from lowlight.checkpoints.weights import load_weights, of_network
from lowlight.config import is_function, method_file, read_recipe
from lowlight.files import first_line, shortened
from lowlight.model import Model

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lowlight.methods import Method

ALLOWED: Mapping[str, type | None] = {
    "torch.nn": nn.Module,
    "torch.optim": Optimizer,
    "torch.optim.lr_scheduler": LRScheduler,
    "lowlight.losses": None,
    "lowlight.model": Model,
    "lowlight.methods": Model,
    "lowlight.methods.classical": None,
    "lowlight.methods.retinex": None,
    "lowlight.networks": nn.Module,
    "lowlight.perceptual": None,
    "lowlight.schedules": LRScheduler,
}
"""Public modules whose names a recipe may call: classes of that kind, or functions (None).

The modules inside ``lowlight.networks`` and ``lowlight.methods`` count as well.
"""

_HYDRA_KEYS = {"_target_": str, "_partial_": bool, "_recursive_": bool, "_convert_": str, "_args_": list}
"""Types of the keys that Hydra interprets."""

_CONVERSIONS = ("none", "partial", "object", "all")

_DEEPEST = 32
"""Largest depth of a recipe; those of ``conf/method`` are at most 5 deep."""

_MOST_VALUES = 10_000
"""Most values in a recipe; those of ``conf/method`` have about 30."""


def build(recipe: "DictConfig | Mapping[str, Any]", trust: Sequence[str] = ()) -> "Method":
    """Make a method from its config, the ``method`` node, which it then carries into its checkpoints.

    The config's targets are called: build only what you trust, and read checkpoints by :func:`load`.

    Args:
        recipe: The config.
        trust: Packages beyond torch and lowlight that checkpoints may call which the config names.

    Raises:
        ValueError: If an argument is refused; the message is the one of the class that refused it.
    """
    from omegaconf import DictConfig, OmegaConf

    plain = OmegaConf.to_container(recipe, resolve=True) if isinstance(recipe, DictConfig) else dict(recipe)
    config = Path("method")
    saved = assembled(Saved(plain, config, {}, config, is_config=True), trust)
    method = as_method(_carrying(saved.recipe, make))
    if not saved.is_config:
        load_weights(method.net, saved)
    return method


def trained_parts(recipe: Any) -> dict[str, str]:
    """Return which networks inside a config's ``net`` come from checkpoints.

    Such a network is written as ``first: {checkpoint: first}``, where the value is the config's setting that
    says which checkpoint.

    Returns:
        Settings by the argument of ``net``.
    """
    net = recipe.get("net") if isinstance(recipe, Mapping) else None
    arguments = net.items() if isinstance(net, Mapping) else ()
    return {
        str(name): str(node["checkpoint"])
        for name, node in arguments
        if isinstance(node, Mapping) and set(node) == {"checkpoint"}
    }


def assembled(saved: Saved, trust: Sequence[str] = (), above: frozenset[Path] = frozenset()) -> Saved:
    """Replace the checkpoints that a config names by the networks in them, with their weights.

    The result stands by itself: it names no path, and can be stored.

    Args:
        saved: What was read; returned as it is if it is no config, or names no checkpoint.
        trust: Packages beyond torch and lowlight that the checkpoints may call.
        above: Files that lead to this config.

    Raises:
        ValueError: If a checkpoint is missing, broken, not trusted, or leads back to the config.
    """
    parts = trained_parts(saved.recipe) if saved.is_config else {}
    if not parts:
        return saved
    recipe = {key: value for key, value in saved.recipe.items() if key not in parts.values()}
    net, weights = dict(recipe["net"]), dict(saved.weights)
    for name, key in parts.items():
        part = _part(saved.recipe.get(key), key, trust, above | {saved.recipe_file.resolve()})
        net[name] = part.recipe
        weights |= {f"{name}.{inner}": weight for inner, weight in part.weights.items()}
    return saved._replace(recipe=recipe | {"net": net}, weights=weights, net_only=True, is_config=False)


def _part(path: Any, key: str, trust: Sequence[str], above: frozenset[Path]) -> Saved:
    """Read the network, as its node, and the weights of a checkpoint or of a method without training."""
    if not isinstance(path, str) or path == "???":
        raise ValueError(f"method.{key}={path}: give a run folder, a checkpoint or a method without training")
    saved = _without_training(path) or read_any(Path(path).expanduser())
    if saved.recipe_file.resolve() in above:
        raise ValueError(f"method.{key}={path} leads back to {saved.recipe_file}")
    saved = assembled(saved, trust, above)
    recipe = saved.recipe if isinstance(saved.recipe, Mapping) else {}
    net = (enhancing(recipe) or recipe).get("net")
    if net is None:
        raise ValueError(f"method.{key}={path}: holds no recipe of a network, so it cannot be a part")
    check_recipe(net, saved.recipe_file, trust)
    return saved._replace(recipe=net, weights=of_network(saved))


def _without_training(name: str) -> Saved | None:
    """Return the recipe of a method that is a function, by its name; None if there is no such method."""
    if Path(name).exists() or not is_function(name):
        return None
    return Saved(read_recipe(name), method_file(name), {}, method_file(name))


def build_model(recipe: dict[str, Any]) -> Model:
    """Make a method from a recipe of plain containers, or the model that :func:`enhancing` leaves of it.

    Raises:
        Exception: Whatever the recipe's targets raise.
    """
    return _carrying(recipe, construct)


def _carrying(recipe: dict[str, Any], maker: Callable[[dict[str, Any]], Any]) -> Model:
    arguments = {key: value for key, value in recipe.items() if key != "name"}
    model = maker(arguments)
    if not isinstance(model, Model):
        raise ValueError(f"method._target_={arguments.get('_target_')} is no lowlight.methods.Method")
    model.recipe = recipe
    return model


def as_method(model: Model) -> "Method":
    """Return a model that can be trained.

    Raises:
        ValueError: If it only enhances.
    """
    from lowlight.methods import Method

    if not isinstance(model, Method):
        raise ValueError(f"{type(model).__name__} is no lowlight.methods.Method")
    return model


def enhancing(recipe: Mapping[str, Any]) -> dict[str, Any] | None:
    """Reduce a method's recipe to that of a plain model, which enhances the same and needs no Lightning.

    Returns:
        The recipe; None unless the method is one of :mod:`lowlight.methods`, which all enhance by their
        ``net``, or by their ``function``.
    """
    package, _, name = str(recipe.get("_target_")).rpartition(".")
    if package != methods.__name__ or name not in methods.__all__:
        return None
    net = recipe.get("net", {"_target_": "lowlight.networks.function.Function", **_only(recipe, "function")})
    return {"_target_": "lowlight.model.Model", "net": net, **_only(recipe, "name")}


def _only(recipe: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {key: recipe[key]} if key in recipe else {}


def make(node: Any, **arguments: Any) -> Any:
    """Instantiate a config node as Hydra does, but say what a class refused as a ``ValueError``.

    Raises:
        ValueError: If an argument is refused or unknown.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        from lightning_fabric.utilities.exceptions import MisconfigurationException

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
    if type(recipe) is not dict:
        raise ValueError(f"{source}: its recipe is a {type(recipe).__name__}, not a mapping")
    for _, node in walk(recipe, source):
        target = node.get("_target_") if type(node) is dict else None
        if target is not None and not (_is_of(target, trust) or _is_allowed(target)):
            package = target.split(".")[0]
            raise ValueError(
                f"{source}: its recipe calls {target}, which is not trusted; if you trust its author, "
                f'load(path, trust=["{package}"])'
            )


def walk(recipe: Any, source: Path) -> Iterator[tuple[str, Any]]:
    """Yield each value of a recipe with the target of the node that it is an argument of, or "".

    Raises:
        ValueError: If it is nested too deeply or too large, as one that contains itself is, or holds what is
            no plain data, or what Hydra would turn into a call later.
    """
    values: list[tuple[str, Any, int]] = [("", recipe, 0)]
    for _ in range(_MOST_VALUES):
        if not values:
            return
        target, node, depth = values.pop()
        if depth > _DEEPEST:
            raise ValueError(f"{source}: its recipe is nested more than {_DEEPEST} levels deep")
        if type(node) is dict:
            target = _check_keys(node, source) or target
            values += [(target, child, depth + 1) for child in reversed(node.values())]
        elif type(node) is list:
            values += [(target, child, depth + 1) for child in reversed(node)]
        else:
            _check_value(node, source)
        yield target, node
    raise ValueError(f"{source}: its recipe holds more than {_MOST_VALUES:,} values")


def _check_keys(node: Mapping[Any, Any], source: Path) -> str:
    """Refuse keys that are no text and odd values of Hydra's own keys; return the node's target, or ""."""
    for key, value in node.items():
        if type(key) is not str:
            raise ValueError(f"{source}: its recipe has a key that is no text: {key!r}")
        _check_value(key, source)
        kind = _HYDRA_KEYS.get(key, type(value))
        if type(value) is not kind or (key == "_convert_" and value not in _CONVERSIONS):
            problem = "calls what is no name" if key == "_target_" else f"has a bad {key}"
            raise ValueError(f"{source}: its recipe {problem}: {shortened(repr(value))}")
    return str(node.get("_target_", ""))


def _check_value(value: Any, source: Path) -> None:
    if value is not None and type(value) not in (str, int, float, bool):
        kind = type(value).__name__
        raise ValueError(f"{source}: its recipe holds a {kind}; plain containers are allowed only")
    if isinstance(value, str) and "${" in value:
        raise ValueError(f"{source}: its recipe holds an interpolation, {value}; recipes are stored resolved")
    if value == "???":
        raise ValueError(f"{source}: its recipe leaves a value open (???)")


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
