"""``lowlight compare``: the report on finished runs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug, Trust
from lowlight.cli._tables import print_table
from lowlight.cli._verb import Verb
from lowlight.files import printable

if TYPE_CHECKING:
    from lowlight.report.page_tables import Cell
    from lowlight.report.table import Row

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

        page = report.compare(
            runs,
            out,
            pictures=pictures,
            device=device,
            trust=trust or (),
            judge=judge,
            show=partial(_show, out / "table.md"),
        )
    print(f"The report is {page}")


def _show(markdown: Path, rows: "Sequence[Row]", notes: Sequence[str]) -> None:
    """Print the main columns, if a terminal is wide enough for them, else the whole table in Markdown."""
    from lowlight.report.page_tables import score_tables

    table = score_tables(rows)[0]
    headings = [column.heading.replace(", ", "\n") for column in table.columns]
    shown: list[list[str | Text]] = [
        [label, *(Text.assemble((cell.text, "bold" if cell.best else ""), *_lines(cell)) for cell in cells)]
        for label, cells in table.rows
    ]
    whole = markdown.read_text(encoding="utf-8").split("\n")
    if print_table(headings, shown, right=headings[1:], plain="\n".join(map(printable, whole))):
        print(*map(printable, notes), f"All scores are in {markdown}", sep="\n")


def _lines(cell: "Cell") -> list[tuple[str, str]]:
    return [(f"\n{more}", "dim") for more in cell.more]


main = app.main

if __name__ == "__main__":
    main()
