"""Overrides that Hydra cannot parse or compose, each told in one line with the one that it can."""

import os
import re
import shlex
import sys
from argparse import ArgumentError, Namespace
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError  # type: ignore[import-untyped]  # comes with omegaconf

from lowlight.cli._composed import all_settings, choices_of, compose, config_loader, settings_of
from lowlight.config import in_shell, quoted
from lowlight.files import first_line
from lowlight.spelling import did_you_mean, nearest


def check_overrides(verb: str, arguments: Sequence[str]) -> None:
    """Exit with one line on the first argument that Hydra would refuse, and with what was meant.

    HYDRA_FULL_ERROR=1 leaves everything to Hydra, for its traceback; so does what is not understood here.

    Args:
        verb: ``train`` or ``evaluate``, the name of the primary config.
        arguments: The command line after the verb.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        return
    options = _options(verb, arguments)
    if options is None or options.config_path or options.experimental_rerun:
        return
    if options.config_dir and not Path(options.config_dir).is_dir():
        return
    loader = config_loader(options)
    overrides = [_parsed(verb, argument, options.multirun, loader) for argument in options.overrides]
    for composed in _variants(overrides, loader):
        if problem := _problem(options.config_name or verb, composed, loader):
            sys.exit(f"error: {problem}")


def _options(verb: str, arguments: Sequence[str]) -> Namespace | None:
    """Parse Hydra's own options, refusing others; None if Hydra is to say what is wrong."""
    parser = get_args_parser()
    parser.exit_on_error = False
    known = list(parser._option_string_actions)
    try:
        options, unknown = parser.parse_known_args(list(arguments))
    except ArgumentError:
        unknown = [one for one in arguments if re.match(r"-\w\w", one) and one not in known]
        options = None
    for given in unknown:
        if given.startswith("-"):
            after = [*arguments, ""][arguments.index(given) + 1] if given in arguments else ""
            sys.exit(f"error: {_about_option(verb, given, after, known)}")
    if unknown:
        sys.exit(f"error: {unknown[0]} stands behind an option: put -m and other options before all settings")
    return options


def _about_option(verb: str, given: str, after: str, options: Sequence[str]) -> str:
    """Say what was meant by an option that Hydra does not have.

    Args:
        verb: The verb.
        given: The option, perhaps with its value: ``--method`` or ``--method=mirnet``.
        after: The argument after it.
        options: Hydra's options.
    """
    option, _, value = given.partition("=")
    if not value and not after.startswith("-") and "=" not in after:
        value = after
    word = option.lstrip("-").replace("-", "_")
    settings = nearest(word, settings_of(compose(verb, (), config_loader())))
    if word not in {part for name in settings for part in (name, name.rpartition(".")[2])}:
        owners = [other for other in _other_verbs(verb) if option in _options_of(other)]
        if owners:
            return (
                f"{option} is an option of lowlight {', '.join(owners)}; settings of {verb} are written as "
                f"name=value (lowlight {verb} --cfg job lists them)"
            )
        if meant := did_you_mean(option, options):
            return f"no option {option}{meant}"
    works = " or ".join(f"{name}={value or '...'}" for name in settings) or "name=value"
    return f"{given} is no option: settings are written without dashes, {works}"


def _other_verbs(verb: str) -> list[str]:
    from lowlight.cli import HYDRA_VERBS, VERBS

    return [other for other in VERBS if other != verb and other not in HYDRA_VERBS]


def _options_of(verb: str) -> set[str]:
    """Return the options of a verb that is a Typer app, its subcommands' too."""
    from typer.main import get_command

    command = get_command(import_module(f"lowlight.cli.{verb}").app)
    commands = [command, *getattr(command, "commands", {}).values()]
    return {option for one in commands for parameter in one.params for option in parameter.opts}


def _parsed(verb: str, argument: str, is_sweep: bool, loader: ConfigLoader) -> Override:
    """Parse an override, or exit with the argument that works.

    Values are paths above all: parentheses, equals signs, quotes and letters beyond ASCII are no part of
    unquoted ones, and a comma separates the values of a sweep.
    """
    key, equals, value = argument.partition("=")
    try:
        override = OverridesParser.create().parse_override(argument)
        override.config_loader = loader  # which lists the choices of a glob
    except HydraException as error:
        if not equals:
            sys.exit(f"error: {_about_word(verb, argument)}")
        lines = [str(error).strip()]
    else:
        if value == "null" and choices_of(loader, key.lstrip("+")):
            sys.exit(f"error: {_about_null(key.lstrip('+'))}")
        if is_sweep or not override.is_sweep_override():
            return override
        command = f"lowlight {verb} -m {shlex.quote(argument)} ..."
        lines = [f"{argument} lists values; to run one job per value: {command}"]
    if not loader.get_group_options(key.lstrip("+~")):  # whose choices are no texts
        if value.startswith("[") and value.endswith("]"):
            value = f"[{','.join(quoted(one.strip()) for one in value[1:-1].split(','))}]"
        else:
            value = quoted(value)
        works = in_shell(f"{key}={value}")
        lines.append(f"To give the text as it is, quote it: lowlight {verb} {works} ...")
    sys.exit("error: " + "\n".join(lines))


def _about_null(group: str) -> str:
    """Say what to write instead of a group without a choice, which Hydra does not know on a command line."""
    none = {"schedule": "method.scheduler=null", "logger": "logger=[]"}
    instead = f", or write {none[group]}" if group in none else ""
    return f"{group}=null: null is no choice; leave {group} out{instead}"


def _about_word(verb: str, word: str) -> str:
    """Say what was meant by an argument that is neither an option nor an override."""
    loader = config_loader()
    choices = [f"{group}={name}" for group in loader.list_groups("") for name in choices_of(loader, group)]
    meant = nearest(word, [choice.partition("=")[2] for choice in choices])
    meant = [choice for choice in choices if choice.partition("=")[2] in meant]
    meant = meant or [f"{key}=..." for key in nearest(word, settings_of(compose(verb, (), loader)))]
    example = f"; did you mean {' or '.join(meant[:2])}?" if meant else ", such as method=mirnet"
    return f"{word!r} sets nothing: settings are written as name=value, without spaces{example}"


def _problem(name: str, overrides: Sequence[Override], loader: ConfigLoader) -> str:
    """Compose a config; return what is wrong with it in one line, or nothing if that is Hydra's to say."""
    try:
        return _lacking(compose(name, overrides, loader))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        return f"{mark.name}, line {mark.line + 1}: {error.problem}" if mark else first_line(error)
    except MissingConfigException as error:
        return _about_choice(str(error.missing_cfg_file), overrides, loader)
    except HydraException as error:
        if found := re.match(r"Could not (?:override|delete(?: from config\.)?) '([^'=]+)", str(error)):
            return _about_key(name, found[1], overrides, loader)
        if found := re.match("Could not append to config. An item is already at '(.+)'", str(error)):
            return f"{found[1]} is there already: write {found[1]}=... without +"
        if isinstance(error.__cause__, OmegaConfBaseException):
            given = re.match("Error merging override (.+)", str(error))
            return (f"{given[1]}: " if given else "") + first_line(error.__cause__)
    return ""


def _lacking(config: DictConfig) -> str:
    """Say what a method or data of the user's own lacks, with its file, or nothing."""
    for group, keys in (("method", ("_target_", "name")), ("data", ("_target_",))):
        section: Any = config.get(group)
        lacking = [key for key in keys if isinstance(section, DictConfig) and key not in section]
        if lacking:
            choice = f"{group}/{config.hydra.runtime.choices.get(group)}.yaml"
            return f"{choice}: no {lacking[0]}: in it, which every {group} has; add it"
    return ""


def _about_choice(missing: str, overrides: Sequence[Override], loader: ConfigLoader) -> str:
    """Say what was meant by a choice that its group does not have.

    Args:
        missing: Group and choice, such as ``method/mirnt``.
        overrides: The command line.
        loader: Knows the choices.
    """
    group, _, choice = missing.rpartition("/")
    form = f"{group}={{}}"
    for override in overrides:
        if missing.startswith(f"{override.key_or_group}/"):
            group, choice = override.key_or_group, missing.removeprefix(f"{override.key_or_group}/")
            form = (override.input_line or "").replace(choice, "{}")
    choices = choices_of(loader, group) if group else []
    if not choices:
        return ""
    meant = did_you_mean(choice, choices, form)
    elsewhere = [f"{one}={choice}" for one in loader.list_groups("") if choice in choices_of(loader, one)]
    if elsewhere:
        meant = f"; did you mean {' or '.join(elsewhere)}?"
    return f"{group} has no choice {choice!r}" + (meant or f"; choose one of {', '.join(choices)}")


def _about_key(name: str, key: str, overrides: Sequence[Override], loader: ConfigLoader) -> str:
    """Say what was meant by a setting that the config does not have."""
    mine, others = (
        [one for one in overrides if (one.key_or_group == key) is is_it] for is_it in (True, False)
    )
    if not mine:  # as of group@package, which Hydra names whole
        return ""
    given = mine[0]
    line = given.input_line or key
    sign, value = "~" if given.is_delete() else "", line.partition("=")[2]
    form = f"{sign}{{}}" + (f"={value}" if value else "")
    if "/" in key:
        group = key.rpartition("/")[0]
        known = [f"{group}/{one}" for one in loader.list_groups(group)]
        return f"no group {key!r}" + (did_you_mean(key, known, form) or f"; there are {', '.join(known)}")
    try:
        config = compose(name, others, loader)
    except HydraException:  # another one is wrong as well
        others, config = [], compose(name, (), loader)
    known = settings_of(config, with_hydra=key.startswith("hydra"))
    if key in known:
        return f"{line}: {key} is null, as if it were deleted"
    known += [group for group in config.hydra.runtime.choices if "/" not in group]
    if name == "evaluate" and key in all_settings("train", loader):
        return f"{key} belongs to lowlight train: remove it"
    elsewhere: dict[str, list[str]] = {}
    if not nearest(key, known, least=0.8):
        found = _of_other_choices(name, key, others, loader)
        elsewhere = {setting: choices for setting, choices in found.items() if setting not in known}
    meant = nearest(key, [*known, *elsewhere])
    if meant and meant[0] in elsewhere:
        group = f"{meant[0].partition('.')[0]}={'|'.join(elsewhere[meant[0]])}"
        if meant[0] == key:
            adds = f"; +{line} adds it" if _takes_more(key) else ""
            return f"no setting {key!r} here; it goes with {group}{adds}"
        return f"no setting {key!r}; did you mean {form.replace('{}', meant[0])}, with {group}?"
    adds = f"; +{line} adds a new one" if value else ""
    if near := did_you_mean(key, known, form):
        return f"no setting {key!r}{near}" + (f" (+{line} adds a new one)" if _takes_more(key) else "")
    return f"no setting {key!r} (lowlight {name} --cfg job lists them{adds})"


def _takes_more(key: str) -> bool:
    """Return whether a key may be an argument that our configs leave out of a class of torch or Lightning."""
    return re.match(r"(method\.(\w+_)?optimizer|method\.scheduler|trainer)\.", key) is not None


def _of_other_choices(
    name: str, key: str, overrides: Sequence[Override], loader: ConfigLoader
) -> dict[str, list[str]]:
    """Return the settings that a key's group has under other choices, each with those choices."""
    group = key.partition(".")[0]
    others = [
        one for one in overrides if one.key_or_group != group and not one.key_or_group.startswith(f"{group}.")
    ]
    found: dict[str, list[str]] = {}
    for choice in choices_of(loader, group) if group in loader.list_groups("") else []:
        (override,) = OverridesParser.create().parse_overrides([f"{group}={choice}"])
        try:
            settings = settings_of(compose(name, [*others, override], loader))
        except HydraException:
            continue
        for setting in settings:
            found.setdefault(setting, []).append(choice)
    return found


def _variants(overrides: Sequence[Override], loader: ConfigLoader) -> Iterator[list[Override]]:
    """Yield the overrides with the first value of each sweep, then with each further choice of a group."""
    values = [_values(override) for override in overrides]
    yield [one[0] for one in values if one]
    for index, choices in enumerate(values):
        if choices[1:] and loader.get_group_options(choices[0].key_or_group):
            for choice in choices[1:]:
                yield [choice if at == index else one[0] for at, one in enumerate(values) if one]


def _values(override: Override) -> list[Override]:
    """Return the values of a sweep as overrides of one value each; none of a sweep that lists no values."""
    if not override.is_sweep_override():
        return [override]
    if not override.is_discrete_sweep():
        return []
    key = (override.input_line or "").partition("=")[0]
    return OverridesParser.create().parse_overrides(
        [f"{key}={value}" for value in override.sweep_string_iterator()]
    )
