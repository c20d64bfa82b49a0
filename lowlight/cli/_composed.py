"""Configs of the Hydra verbs as they are composed, and the choices and settings that they have."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobRuntime
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lowlight.config import config_folder, register_resolvers
from lowlight.runs.recipe import flatten


def choices_of(loader: ConfigLoader, group: str) -> list[str]:
    """Return the choices of a group, those in its folders with their path below it."""
    nested = [
        f"{folder}/{name}"
        for folder in loader.get_group_options(group, ObjectType.GROUP)
        for name in choices_of(loader, f"{group}/{folder}")
    ]
    return [name for name in loader.get_group_options(group) if not name.startswith("_")] + nested


def config_loader(options: Namespace | None = None) -> ConfigLoader:
    """Return Hydra's loader of our configs and of those in ``--config-dir``."""
    version.setbase("1.3")
    register_resolvers()
    path = create_config_search_path(f"file://{config_folder()}")
    if options is not None and options.config_dir:
        path.prepend(
            "command-line",
            f"file://{Path(options.config_dir).absolute()}",
            SearchPathQuery(provider="schema"),
        )
    return ConfigLoaderImpl(path)


def compose(name: str, overrides: Sequence[Override], loader: ConfigLoader) -> DictConfig:
    JobRuntime.instance().set("name", name)
    lines = [override.input_line or "" for override in overrides]
    return loader.load_configuration(name, lines, RunMode.RUN, from_shell=False)


def all_settings(verb: str, loader: ConfigLoader) -> list[str]:
    """Return the dotted keys and groups of a verb's config."""
    config = compose(verb, (), loader)
    return [*settings_of(config), *config.hydra.runtime.choices]


def settings_of(config: DictConfig, with_hydra: bool = False) -> list[str]:
    """Return the dotted keys of a config and of its inner nodes, without those that follow another."""
    plain = cast(dict[str, Any], OmegaConf.to_container(config))
    if not with_hydra:
        plain.pop("hydra", None)
    leaves = [key for key, value in flatten(plain).items() if not str(value).startswith("${")]
    inner = {key[:at] for key in leaves for at, letter in enumerate(key) if letter == "."}
    return [*leaves, *sorted(inner)]
