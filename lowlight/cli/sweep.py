"""``lowlight sweep``: status and objective of a sweep's jobs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug
from lowlight.cli._tables import print_table
from lowlight.cli._verb import Verb
from lowlight.files import json_text
from lowlight.sweeps.summary import NUMBERS, Job, cells, objectives, read_sweep, rows, totals, write_summary

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
    if as_json:
        print(json_text(rows(jobs)))
    else:
        print_jobs(jobs)


def print_jobs(jobs: Sequence[Job]) -> None:
    """Print the table of a sweep's jobs and the number per status."""
    headings, *rows = cells(jobs)
    print_table(headings, rows, right=(*NUMBERS, *objectives(jobs)))
    print(totals(jobs))


main = app.main

if __name__ == "__main__":
    main()
