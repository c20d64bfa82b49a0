"""Published files of weights, loaded into the networks of lowlight's methods."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lowlight.checkpoints.checkpoint import Saved, read_published
from lowlight.checkpoints.recipe import as_method, build, build_model, enhancing
from lowlight.checkpoints.weights import load_weights
from lowlight.config import available, load_config, read_recipe
from lowlight.files import first_line
from lowlight.model import Model
from lowlight.networks.original import Original
from lowlight.spelling import did_you_mean

if TYPE_CHECKING:
    from lowlight.methods import Method


def load_original_model(path: Path | str, kind: str) -> Model:
    """Load a published file of weights for enhancing, on the CPU, in evaluation mode.

    The file is read as data only.

    Args:
        path: A file of ``torch.save`` or safetensors; see :func:`lowlight.networks.original.unwrapped`.
        kind: Name of a method, such as ``retinexformer``; after it arguments of its network that differ from
            the method's config, such as ``nafnet width=64``.

    Raises:
        ValueError: If the file is missing or broken, holds what are no tensors, or does not fit; the message
            says what is missing or left over.
    """
    name, arguments = _parsed(kind)
    recipe = enhancing(read_recipe(name))
    if recipe is None or "function" in recipe["net"]:
        raise ValueError(f"{name} has no published weights; {_known()}")
    recipe["net"] |= arguments
    try:
        model = build_model(recipe)
    except TypeError as error:
        raise ValueError(f"{kind}: {first_line(error)}") from error
    return _loaded(model, Path(path).expanduser(), name)


def load_original_method(path: Path | str, kind: str) -> "Method":
    """As :func:`load_original_model`, but the whole method, which can be trained further."""
    name, arguments = _parsed(kind)
    more = [f"++method.net.{key}={value!r}" for key, value in arguments.items()]
    method = build(load_config([f"method={name}", *more]).method)
    return as_method(_loaded(method, Path(path).expanduser(), name))


def _parsed(kind: str) -> tuple[str, dict[str, Any]]:
    """Divide a method's name from the arguments of its network."""
    name, *settings = kind.split() or [""]
    if name not in available("method"):
        raise ValueError(f"{name!r} is no method; {_known()}{did_you_mean(name, available('method'))}")
    if bare := [setting for setting in settings if "=" not in setting]:
        raise ValueError(f"{kind!r}: {bare[0]!r} is no argument such as width=64")
    try:
        arguments = OmegaConf.to_container(OmegaConf.from_dotlist(settings))
    except (OmegaConfBaseException, ValueError) as error:
        raise ValueError(f"{kind!r}: {first_line(error)}") from error
    return name, {str(key): value for key, value in dict(arguments).items()}  # type: ignore[arg-type]


def _loaded(model: Model, path: Path, name: str) -> Model:
    if not isinstance(model.net, Original):
        raise ValueError(f"{name} has no published weights; {_known()}")
    try:
        weights = model.net.from_original(read_published(path))
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from error
    load_weights(model.net, Saved(model.recipe, path, weights, path, net_only=True))
    return model.eval()


def _known() -> str:
    """Name the methods whose network reads published weights."""
    names = []
    for name in available("method"):
        net = read_recipe(name).get("net", {})
        module, _, kind = str(net.get("_target_", "torch.nn.Module")).rpartition(".")
        if issubclass(getattr(import_module(module), kind), Original):
            names.append(name)
    return f"these have: {', '.join(names)}"
