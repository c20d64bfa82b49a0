"""What the verbs other than Hydra's have in common."""

import sys
from typing import Any, NoReturn, cast

import typer

from lowlight.cli._errors import usage_error

_UsageError = cast(type[Exception], typer.BadParameter.__bases__[0])
"""Class of usage errors: click's, or Typer's own copy, which Typer does not export."""


class Verb(typer.Typer):
    """A verb of the program, with one command or several; those are added by ``@app.command()``.

    Args:
        name: The verb, such as ``enhance``.
        settings: Further arguments of :class:`typer.Typer`.
    """

    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__(name=name, add_completion=False, pretty_exceptions_enable=False, **settings)

    def main(self) -> NoReturn:
        """Run the verb with this process's arguments, and exit; wrong ones cost one line and status 2.

        Without arguments, a verb of several commands prints its help.
        """
        program = f"lowlight {self.info.name}"
        arguments = sys.argv[1:] or ["--help"] * (len(self.registered_commands) > 1)
        try:
            status = self(arguments, prog_name=program, standalone_mode=False)
        except _UsageError as error:
            print(usage_error(error, program), file=sys.stderr)
            status = 2
        except typer.Abort as error:  # an older Typer's at Ctrl-C, or for an EOFError
            if isinstance(error.__cause__, EOFError):
                raise error.__cause__ from None
            status = 130
        sys.exit(status)
