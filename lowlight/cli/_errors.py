"""Errors on the command line: one line, or with ``--debug`` the traceback."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from lowlight.files import printable, reason
from lowlight.spelling import did_you_mean


@contextmanager
def errors_in_one_line(command: str, debug: bool) -> Iterator[None]:
    """Turn an error that the user can remedy into one line on stderr and exit status 1.

    Args:
        command: Verb, with its subcommand if it has some, such as ``data check``.
        debug: Let the error through, for its traceback.
    """
    try:
        yield
    except (OSError, ValueError, MemoryError) as error:
        if debug:
            raise
        print(f"lowlight {command}: {printable(reason(error))}", file=sys.stderr)
        raise typer.Exit(1) from None


def usage_error(error: Any, program: str) -> str:
    """Describe wrong arguments in one line, with the nearest option or command, or the help that lists them.

    Args:
        error: Click's ``UsageError``.
        program: The command, where the error does not say which; such as ``lowlight data``.
    """
    context, text = error.ctx, error.format_message()
    command = context.command_path if context else program
    meant = ""
    if hasattr(error, "possibilities"):
        parameters = context.command.get_params(context)
        options = [name for one in parameters for name in (*one.opts, *one.secondary_opts)]
        known = [name.removeprefix("--") for name in options if name.startswith("--")]
        text = f"no such option {error.option_name}"
        meant = did_you_mean(error.option_name.strip("-"), known, "--{}")
    elif found := re.match(r"No such command '(.*?)'", text):
        known = list(context.command.commands)
        text = f"no such command {found[1]}"
        meant = did_you_mean(found[1], known) or f"; choose one of {', '.join(known)}"
    text = re.sub(r"'([\w.-]+)'", r"\1", text).replace(": Value error, ", ": ").replace(": Input ", ": it ")
    text = f"{text[0].lower()}{text[1:].rstrip('.')}{meant or f'; see {command} --help'}"
    return f"{command}: {printable(' '.join(text.split()))}"
