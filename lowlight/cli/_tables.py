"""Tables on the command line: ruled on a terminal, plain in a pipe or a file."""

import sys
from collections.abc import Collection, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lowlight.files import printable

_WIDEST = 10**6
"""Columns of a console that wraps no table."""


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    right: Collection[str],
    plain: str | None = None,
) -> bool:
    """Print a table: with a rule and bold headings if a terminal is wide enough, else as plain text.

    Nothing is wrapped or shortened, and texts are not read as Rich's markup. A terminal whose encoding lacks
    the rule gets one in ASCII.

    Args:
        headings: Headings of the columns, of one or more lines.
        rows: Cells of each row; what a terminal cannot print is escaped in those of type ``str``.
        right: Headings of the columns to align to the right.
        plain: The plain text; by default columns separated by two spaces or more.

    Returns:
        Whether the table was ruled.
    """

    def table(**look: Any) -> Table:
        drawn = Table(header_style="bold", show_edge=False, pad_edge=False, **look)
        for heading in headings:
            lines = Text("\n".join(map(printable, heading.split("\n"))))
            drawn.add_column(lines, justify="right" if heading in right else "left", no_wrap=True)
        for row in rows:
            drawn.add_row(*(Text(printable(cell)) if isinstance(cell, str) else cell for cell in row))
        return drawn

    wide = Console(width=_WIDEST, color_system=None, force_terminal=False)
    if sys.stdout.isatty():
        terminal, ruled = Console(force_terminal=True), table(box=box.SIMPLE_HEAD)
        if wide.measure(ruled).maximum <= terminal.width:
            terminal.print(ruled)
            return True
    if plain is None:
        with wide.capture() as captured:
            wide.print(table(box=None))
        plain = "\n".join(line.rstrip() for line in captured.get().splitlines())
    print(plain)
    return False
