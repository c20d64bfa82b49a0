"""`lowlight compare`: the report on finished runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders of finished runs.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the report to.", show_default=False)],
    pictures: Annotated[bool, typer.Option(help="Show the photographs that the runs kept.")] = True,
    device: Annotated[str, typer.Option(help="Where to time the methods: cpu, cuda, ...")] = "cpu",
    trust: Annotated[
        list[str] | None, typer.Option(help="A package that the checkpoints may call, as mypackage.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Compare finished runs: a page, tables and figures.

    Runs that differ in the seed alone are averaged. Runs scored on different images are refused.
    """
    from lowlight import report  # it imports torch, which --help need not wait for

    try:
        page = report.compare(runs, out, pictures=pictures, device=device, trust=trust or ())
    except (OSError, ValueError) as error:
        if debug:
            raise
        print(f"lowlight compare: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None
    print((out / "table.md").read_text(encoding="utf-8"))
    print(f"The report is {page}")


def main() -> None:
    """Run the command."""
    app(prog_name="lowlight compare")


if __name__ == "__main__":
    main()
