"""``lowlight compare``: the report on finished runs."""

from pathlib import Path
from typing import Annotated

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug, Trust
from lowlight.cli._verb import Verb
from lowlight.files import printable

app = Verb("compare")


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Folders of finished runs, or of sweeps.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the report to.", show_default=False)],
    pictures: Annotated[bool, typer.Option(help="Show the test images that the runs saved.")] = True,
    device: Annotated[str, typer.Option(help="Where to time the methods: cpu, cuda, ...")] = "cpu",
    trust: Trust = None,
    debug: Debug = False,
) -> None:
    """Compare finished runs in tables, figures and one HTML page.

    Runs that differ only in their seed are averaged. Runs scored on different images are refused.
    """
    with errors_in_one_line("compare", debug):
        from lowlight import report  # imports torch, which --help need not wait for
        from lowlight.report.study_claims import judge

        page = report.compare(runs, out, pictures=pictures, device=device, trust=trust or (), judge=judge)
    table = (out / "table.md").read_text(encoding="utf-8")
    print(*map(printable, table.split("\n")), sep="\n")
    print(f"The report is {page}")


main = app.main

if __name__ == "__main__":
    main()
