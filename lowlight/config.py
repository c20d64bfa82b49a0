"""Hydra configs: their folder, the choices per group, and composition without the command line."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
