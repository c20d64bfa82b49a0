"""Completion of verbs, options and choices in the shell, by Typer.

``lowlight`` itself only passes verbs on, two of them to Hydra; here they are one group of commands.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lowlight.config import available, config_folder


def complete(verbs: Mapping[str, str], of_hydra: tuple[str, ...]) -> None:
    """Answer the shell, or install or print its script.

    Args:
        verbs: What each verb does, by verb.
        of_hydra: Verbs whose arguments are overrides.
    """

    class Verbs(TyperGroup):
        """The verbs, each imported when it is asked for."""

        def list_commands(self, _: Any) -> list[str]:
            return list(verbs)

        def get_command(self, _: Any, name: str) -> Any:
            if name not in verbs:
                return None
            app = _overrides if name in of_hydra else import_module(f"lowlight.cli.{name}").app
            command = typer.main.get_command(app)
            command.help = verbs[name]
            return command

    app = typer.Typer(cls=Verbs, pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    app(prog_name="lowlight")


def _choices(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the overrides that choose a file of ``conf/``, such as ``method=mirnet``.

    Bash takes ``=`` for a word of its own, which Typer leaves out if nothing follows it.
    """
    groups = sorted(path.name for path in config_folder().iterdir() if path.is_dir() and path.name != "hydra")
    given = [*(ctx.params.get("overrides") or [])]
    if given and given[-1] == "=":
        given.pop()
    elif incomplete:
        given.clear()
    if given and given[-1] in groups:
        return [name for name in available(given[-1]) if name.startswith(incomplete)]
    group, sign, _ = incomplete.partition("=")
    is_chosen = sign and group in groups
    words = [f"{group}={name}" for name in available(group)] if is_chosen else [f"{name}=" for name in groups]
    return [word for word in words if word.startswith(incomplete)]


_overrides = typer.Typer(add_completion=False)


@_overrides.command()
def _take(overrides: Annotated[list[str] | None, typer.Argument(autocompletion=_choices)] = None) -> None:
    """Stand for a verb whose arguments are Hydra overrides."""
