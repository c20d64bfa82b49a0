"""Options that several verbs share."""

from typing import Annotated

import typer

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

Trust = Annotated[
    list[str] | None,
    typer.Option(help="Package that a checkpoint may use, beyond torch and lowlight; repeatable."),
]
