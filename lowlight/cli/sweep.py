"""`lowlight sweep`: what became of a sweep's jobs."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from lowlight.sweeps.summary import as_text, read_sweep, rows, write_summary

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def sweep(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A sweep's folder, such as multirun.", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Print each job's overrides, status and objective, the best first; write sweep.csv and sweep.md."""
    try:
        jobs = read_sweep(folder)
        write_summary(folder, jobs)
    except (OSError, ValueError) as error:
        if debug:
            raise
        print(f"lowlight sweep: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(json.dumps(rows(jobs), indent=2) if as_json else as_text(jobs))


def main() -> None:
    """Run the command."""
    app(prog_name="lowlight sweep")


if __name__ == "__main__":
    main()
