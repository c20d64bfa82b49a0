"""Errors on the command line: one line, or with ``--debug`` the traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from lowlight.files import printable


@contextmanager
def errors_in_one_line(command: str, debug: bool) -> Iterator[None]:
    """Turn an error that the user can remedy into one line on stderr and exit status 1.

    Args:
        command: Verb, with its subcommand if it has some, such as ``data check``.
        debug: Let the error through, for its traceback.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if debug:
            raise
        print(f"lowlight {command}: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        raise typer.Exit(1) from None
