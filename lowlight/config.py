"""Hydra configs: their folder, the choices per group, and composition without the command line."""

import hashlib
import re
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowlight.files import read_yaml

if TYPE_CHECKING:
    from omegaconf import DictConfig


def config_folder() -> Path:
    """Return the absolute path of ``conf/``: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    shipped = package / "conf"
    return shipped if shipped.is_dir() else package.parent / "conf"


def available(group: str = "method") -> list[str]:
    """Return the sorted choices of a config group.

    Files whose names begin with an underscore are parts that others share, not choices.

    Args:
        group: Folder of ``conf/``, such as ``method`` or ``data``.

    Raises:
        ValueError: If there is no such group.
    """
    folder = config_folder() / group
    if not folder.is_dir():
        groups = sorted(path.name for path in config_folder().iterdir() if path.is_dir())
        raise ValueError(f"no config group {group!r}; there are {', '.join(groups)}")
    files = [path for path in folder.rglob("*.yaml") if not path.name.startswith("_")]
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in files)


def method_file(name: str) -> Path:
    """Return the config file of a method."""
    return config_folder() / "method" / f"{name}.yaml"


def read_recipe(name: str) -> dict[str, Any]:
    """Read the config file of a method, without the parts that it shares with others."""
    return read_yaml(method_file(name))


@cache
def is_function(name: str) -> bool:
    """Return whether there is a method of that name that is a function; its config is read once."""
    return name in available("method") and "function" in read_recipe(name)


def quoted(value: str) -> str:
    """Return a value in Hydra's quotes, in which only quotes and the backslashes before them are special."""
    return "'" + re.sub(r"(\\+)$", r"\1\1", re.sub(r"(\\*)'", r"\1\1\\'", value)) + "'"


def setting(key: str, value: object) -> str:
    """Return a setting as it is typed in a shell, quoted for Hydra and the shell where its value needs it.

    Example:
        >>> print(setting("data.root", "/data/LOL"), setting("output_dir", "my run"))
        data.root=/data/LOL "output_dir='my run'"
    """
    text = str(value)
    if re.fullmatch(r"[\w./+-]+", text, re.ASCII):
        return f"{key}={text}"
    return in_shell(f"{key}={quoted(text)}")


def in_shell(argument: str) -> str:
    """Return an argument in the shell's quotes: double ones, as it holds single ones, where they suffice."""
    return shlex.quote(argument) if "!" in argument else '"' + re.sub(r'(["$`\\])', r"\\\1", argument) + '"'


def register_resolvers() -> None:
    """Register the OmegaConf resolvers that the configs use.

    ``digest`` hashes a job's overrides into the name of its folder, as a continued study counts its jobs from
    0 again; ``psnr_floor`` is its argument if the objective is to maximise ``val/psnr``, otherwise None.
    """
    from omegaconf import OmegaConf

    def psnr_floor(floor: float, _root_: Any) -> float | None:
        objective = _root_.objective
        return floor if (objective.metric, objective.mode) == ("val/psnr", "max") else None

    def digest(text: Any) -> str:
        return hashlib.sha256(str(text).encode()).hexdigest()[:8]

    OmegaConf.register_new_resolver("digest", digest, replace=True)
    OmegaConf.register_new_resolver("psnr_floor", psnr_floor, replace=True)


def load_config(overrides: Sequence[str] = (), name: str = "train") -> "DictConfig":
    """Compose a config as the command line would, leaving Hydra's global state as it was.

    Args:
        overrides: Hydra overrides, such as ``["method=gan", "data.batch_size=4"]``.
        name: The primary config, ``train`` or ``evaluate``.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register_resolvers()
    instance = GlobalHydra.instance()
    before = instance.hydra
    instance.clear()
    try:
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            return compose(name, overrides=list(overrides))
    finally:
        instance.hydra = before
