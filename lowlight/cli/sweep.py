"""``lowlight sweep``: status and objective of a sweep's jobs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug
from lowlight.cli._verb import Verb
from lowlight.sweeps.summary import as_text, read_sweep, rows, write_summary

app = Verb("sweep")


@app.command()
def sweep(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A sweep's folder, such as multirun.", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    debug: Debug = False,
) -> None:
    """Print overrides, status and objective of every job, the best first; write sweep.csv and sweep.md."""
    with errors_in_one_line("sweep", debug):
        jobs = read_sweep(folder)
        write_summary(folder, jobs)
    print(json.dumps(rows(jobs), indent=2) if as_json else as_text(jobs))


main = app.main

if __name__ == "__main__":
    main()
