"""The page's tables: sortable tables of scores, and tables of text."""

import math
from collections.abc import Sequence
from html import escape

from lowlight.report.table import Column, Row, best_texts, columns_of, marked


def score_tables(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Write the main table with its notes, then the other metrics and the pixel classifications."""
    method, *columns = columns_of(rows)
    main = [column for column in columns if column.main]
    classes = [column for column in columns if column.group]
    others = [
        column
        for column in columns
        if not column.main and not column.group and column.key != "epochs"  # shown in the table of runs
    ]
    text = "".join(f"<p>{escape(note)}</p>" for note in notes)
    parts = [
        "<h2>Scores</h2>",
        _table("Scores", [method, *main], rows),
        f'<div class="notes"><p>Best value of each metric in bold; click a heading to sort.</p>{text}</div>',
    ]
    if others:
        parts += ["<h2>The same outputs under other definitions</h2>"]
        parts += [_table("Other definitions", [method, *others], rows)]
    parts += ["<h2>Pixels as samples of a classification</h2>"]
    parts += [_table("Classification", [method, *classes], rows)]
    return "\n".join(parts)


def facts_table(name: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table of text; the first cell of each row is its heading."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}"><table class="text">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _table(name: str, columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Write a table of numbers that can be sorted by any column."""
    best = {column.key: best_texts(rows, column) for column in columns}
    body = []
    for row in rows:
        cells = [_cell(column, row, column.text(row) in best[column.key]) for column in columns[1:]]
        body.append(f'<tr><th scope="row">{escape(marked(row, columns[0]))}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f'<table class="sortable">\n<thead>{_head(columns)}</thead>\n<tbody>\n'
        + "\n".join(body)
        + "\n</tbody></table></div>"
    )


def _cell(column: Column, row: Row, is_best: bool) -> str:
    """Write a value, with its interval and its spread over the seeds on separate lines."""
    text, _, spread = column.text(row).partition(" ± ")
    value, _, bounds = text.partition(" [")
    shown = f"<b>{escape(value)}</b>" if is_best else escape(value)
    more = f"<small>[{escape(bounds)}</small>" if bounds else ""
    more += f"<small>± {escape(spread)}</small>" if spread else ""
    number = row[column.key]
    key = "" if isinstance(number, str) or math.isnan(number) else repr(float(number))
    return f'<td data-value="{key}">{shown}{more}</td>'


def _head(columns: Sequence[Column]) -> str:
    """Write the row of group headings, if there are any, and the row of column headings."""
    groups = []
    for index, column in enumerate(columns):
        if not column.group:
            groups.append("<th></th>")
        elif column.group != columns[index - 1].group:
            span = sum(other.group == column.group for other in columns)
            groups.append(f'<th class="group" colspan="{span}" scope="colgroup">{escape(column.group)}</th>')
    heads = "".join(f'<th scope="col">{escape(column.heading)}</th>' for column in columns)
    first = f"<tr>{''.join(groups)}</tr>" if any(column.group for column in columns) else ""
    return f'{first}<tr class="heads">{heads}</tr>'
