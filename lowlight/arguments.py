"""Settings of a config, checked against the annotations of the arguments that they become."""

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from lowlight.config import available
from lowlight.files import first_line
from lowlight.spelling import did_you_mean

_OWN: Mapping[str, Any] = {
    "trainer.precision": Literal["auto", "32-true", "bf16-mixed", "16-mixed", "32", "bf16", "16", 32, 16]
    | None,
    "seed": int,
    "resume": Literal["never", "auto", "restart"],
    "compile": bool,
    "find_lr": bool,
    "start_from": str | None,
    "objective.metric": str,
    "objective.mode": Literal["max", "min"],
    "pictures": int,
    "save_images": bool,
    "features": bool,
    "metrics": list[str],
}
"""Kinds of the settings that are no arguments of a class or function, or of which lowlight takes others.

Precisions change no weights' type, since methods and scores compute with tensors of 32 bits, too.
"""

_POSITIVE = (
    "trainer.max_epochs",
    "trainer.accumulate_grad_batches",
    "trainer.check_val_every_n_epoch",
    "trainer.limit_train_batches",
    "trainer.limit_test_batches",
    "data.batch_size",
    "data.epoch_size",
    "data.patch_size",
)
"""Settings that must be above 0, but for -1 epochs, which have no end."""

_TIME = r"\d+:\d\d:\d\d:\d\d"
"""Time limit as text."""

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", NoneType: "null"}

_WRITTEN = {"True": "true", "False": "false", "None": "null"}

_LISTS = (list, tuple, set, Sequence, Collection, Iterable)


def check_arguments(config: DictConfig) -> None:
    """Refuse values that the annotated arguments of a config's targets, or lowlight itself, cannot take.

    A whole number written as 1e4 becomes 10000 in the config. Annotations that are not made of plain values
    are taken to allow everything, and text may be given as a number. The targets are imported: check only
    configs of the user's own.

    Args:
        config: A composed config.

    Raises:
        ValueError: Naming the first such setting, and what it must be; or an unknown argument.
    """
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=False))
    for key, kind in _OWN.items():
        above, _, last = key.rpartition(".")
        section = OmegaConf.select(config, above) if above else config
        values = plain.get(above) if above else plain
        if isinstance(values, dict) and last in values:
            _check(key, values[last], kind)
            _make_whole(section, last, values[last], kind)
    for path, node in _calls(plain):
        section = OmegaConf.select(config, path)
        own = {key: value for key, value in node.items() if not _follows(section, key)}
        for key, kind in _check_call(path, own).items():
            _make_whole(section, key, own[key], kind)
    for key in _POSITIVE:
        value = OmegaConf.select(config, key)
        if isinstance(value, int | float) and value <= 0 and (key, value) != ("trainer.max_epochs", -1):
            raise ValueError(f"{key}={value} must be above 0")
    limit = OmegaConf.select(config, "trainer.max_time")
    if not (limit is None or OmegaConf.is_dict(limit) or re.fullmatch(_TIME, str(limit))):
        raise ValueError(
            f"trainer.max_time={limit} must be days:hours:minutes:seconds, such as 00:02:00:00, or null"
        )


def _make_whole(section: Any, key: str, value: Any, kind: Any) -> None:
    """Replace a value that an annotation takes as a whole number only, but that is written as another one."""
    kinds = _alternatives(kind)
    if isinstance(value, float) and int in kinds and float not in kinds:
        section[key] = int(value)


def _alternatives(kind: Any) -> list[Any]:
    """Return the annotations that a union allows, or the annotation alone."""
    if get_origin(kind) is Annotated:
        return _alternatives(get_args(kind)[0])
    if get_origin(kind) not in (Union, UnionType):
        return [kind]
    return [one for part in get_args(kind) for one in _alternatives(part)]


def _follows(section: Any, key: str) -> bool:
    """Return whether a setting has the value of another one, which is checked where it is set."""
    return isinstance(section, DictConfig) and OmegaConf.is_interpolation(section, key)


def _calls(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each mapping with a target, and its dotted key."""
    if isinstance(node, dict):
        if isinstance(node.get("_target_"), str):
            yield path, node
        for key, child in node.items():
            if path or key != "hydra":
                yield from _calls(child, f"{path}.{key}" if path else str(key))


def _check_call(path: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """Check the arguments of a call; return the annotations of those that have one."""
    try:
        target = get_object(node["_target_"])
    except Exception as error:  # whatever importing it raises
        raise ValueError(
            f"{path}._target_={node['_target_']} cannot be imported: {first_line(error).rstrip(':')}"
        ) from error
    function: Any = target.__init__ if inspect.isclass(target) else target
    try:
        parameters = inspect.signature(target).parameters
        kinds = get_type_hints(function)
    except (TypeError, ValueError, NameError, AttributeError):
        return {}
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    for key, value in node.items():
        if key.startswith("_") or (path, key) == ("method", "name") or f"{path}.{key}" in _OWN:
            continue
        if key in parameters:
            default = parameters[key].default
            _check(f"{path}.{key}", value, kinds.get(key, Any), default)
        elif not takes_any:
            meant = did_you_mean(key, parameters, f"{path}.{{}}")
            raise ValueError(f"{path}.{key}: {node['_target_']} has no argument {key!r}{meant}")
    return {key: kind for key, kind in kinds.items() if key in node and key in parameters}


def _check(key: str, value: Any, kind: Any, default: Any = inspect.Parameter.empty) -> None:
    if _fits(value, kind) or value == "???" or value is default is None:
        return
    given = f"{key}={_WRITTEN.get(repr(value), value)}"
    if key == "method.scheduler" and value in available("schedule"):
        raise ValueError(f"{given} is a choice of schedule: set schedule={value}")
    if choices := [str(one) for one in _choices(kind)]:
        unique = list(dict.fromkeys(choices))
        raise ValueError(f"{given} is none of {', '.join(unique)}{did_you_mean(str(value), unique, '{}')}")
    words = " or ".join(dict.fromkeys(_described(kind)))
    is_example = type(default) in (int, float) and _fits(default, kind)
    raise ValueError(f"{given} must be {words}" + (f", such as {default:g}" if is_example else ""))


def _fits(value: Any, kind: Any) -> bool:
    """Return whether an annotation allows a value of a config."""
    origin, parts = get_origin(kind), get_args(kind)
    if isinstance(value, dict) and "_target_" in value:
        return True  # stands for whatever it makes
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Annotated:
        return _fits(value, parts[0])
    if origin is Literal:
        return any(value == part and isinstance(value, bool) is isinstance(part, bool) for part in parts)
    if kind in (None, NoneType):
        return value is None
    if kind is bool:
        return isinstance(value, bool) or value in (0, 1)
    if kind is int:
        return type(value) is int or (isinstance(value, float) and value.is_integer())
    if kind is float:
        return type(value) in (int, float)
    if kind in (str, Path):
        return isinstance(value, str | int | float)
    if (origin or kind) in _LISTS:
        return isinstance(value, list) and _elements_fit(value, parts)
    if (origin or kind) in (dict, Mapping):
        return isinstance(value, dict)
    if (origin or kind) is Callable:
        return False  # which no plain value is, either
    return getattr(kind, "__name__", "") != "Tensor"  # nor is one; of others, nothing is known


def _elements_fit(values: Sequence[Any], parts: Sequence[Any]) -> bool:
    if len(parts) == 1 or parts[1:] == (...,):
        return all(_fits(value, parts[0]) for value in values)
    return not parts or (len(parts) == len(values) and all(map(_fits, values, parts)))


def _choices(kind: Any) -> list[Any]:
    """Return the values of an annotation that is made of literals, or none."""
    parts = get_args(kind)
    if get_origin(kind) is Literal:
        return list(parts)
    if get_origin(kind) not in (Union, UnionType):
        return []
    lists = [_choices(part) for part in parts if part is not NoneType]
    return [choice for one in lists for choice in one] if all(lists) else []


def _described(kind: Any) -> list[str]:
    """Say in words which plain values an annotation allows."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType, Annotated):
        return [word for part in parts for word in _described(part)]
    if origin is Literal:
        return [str(part) for part in parts]
    if (origin or kind) in _LISTS:
        return [f"a list of {len(parts)}" if parts[1:] and ... not in parts else "a list"]
    if (origin or kind) is Callable:
        return ["a mapping with a _target_"]
    return [_WORDS[kind]] if kind in _WORDS else ["a mapping"] if (origin or kind) in (dict, Mapping) else []
