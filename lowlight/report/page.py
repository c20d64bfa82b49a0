"""Write the report as one HTML page that needs no other file and no network."""

import base64
import io
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from lowlight import __version__
from lowlight.report.entries import Entry
from lowlight.report.pictures import Picture, Strip
from lowlight.report.runs import Run
from lowlight.report.table import Column, Row, best_texts, columns_of, marked, number

GENERATOR = '<meta name="generator" content="lowlight compare">'
"""By this line a folder is known to hold a report that may be replaced."""

WIDEST_PICTURE = 512
MOST_LISTED = 12


@dataclass(frozen=True)
class Drawing:
    """A figure as PNG, for either colour scheme, with its title and a description of what it shows."""

    file: str
    title: str
    description: str
    light: bytes
    dark: bytes


@dataclass(frozen=True)
class Report:
    """What the page tells."""

    entries: Sequence[Entry]
    rows: Sequence[Row]
    notes: Sequence[str]
    drawings: Sequence[Drawing]
    grid: Sequence[Strip]
    progress: Sequence[Strip]


def render(report: Report) -> str:
    """Return the page's HTML."""
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    body = [
        _opening(report),
        _table(report.rows, report.notes),
        _section("Curves", [_drawing(drawing) for drawing in report.drawings]),
        _section("Test images", _strips(report.grid), "Decibels are PSNR against the reference."),
        _section("One validation image over the epochs", _strips(report.progress)),
        _definitions(report.entries),
        _data(report.entries),
        _runs(report.entries),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{GENERATOR}\n<title>Low-light enhancement: comparison</title>\n"
        f'<link rel="icon" href="data:,">\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n'
        + "\n".join(part for part in body if part)
        + f"\n<footer>Written by <code>lowlight compare</code>, lowlight {escape(__version__)}.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _opening(report: Report) -> str:
    """Write the title and the result in a sentence."""
    first = report.entries[0].first
    conditions = first.conditions
    images = len(first.per_image)
    best = report.entries[0]
    lead = f"{best.label} has the highest PSNR, {number(best.score('psnr'), 2)} dB"
    count = "image" if images == 1 else "images"
    size = "native size" if conditions["size"] == "native" else f"size {conditions['size']}"
    text = (
        f"{lead}, over {images} {count} of the {conditions['split']} split at {size}, "
        f"measured on {conditions['rounding']} outputs."
    )
    return f'<h1>Low-light enhancement: comparison</h1>\n<p class="lead">{escape(text)}</p>'


def _table(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Write Table 1 with its notes."""
    columns = columns_of(rows)
    best = {column.key: best_texts(rows, column) for column in columns}
    body = []
    for row in rows:
        cells = [_cell(column.text(row), column.text(row) in best[column.key]) for column in columns[1:]]
        body.append(f'<tr><th scope="row">{escape(marked(row, columns[0]))}</th>{"".join(cells)}</tr>')
    text = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        f'<h2>Table 1</h2>\n<div class="scroll" tabindex="0" role="region" aria-label="Table 1"><table>\n'
        f"<thead>{_table_head(columns)}</thead>\n<tbody>\n"
        + "\n".join(body)
        + f'\n</tbody></table></div>\n<div class="notes"><p>Best of each measure in bold.</p>{text}</div>'
    )


def _cell(text: str, is_best: bool) -> str:
    """Write a figure, its spread over the seeds on a line of its own."""
    value, _, spread = text.partition(" ± ")
    shown = f"<b>{escape(value)}</b>" if is_best else escape(value)
    return f"<td>{shown}<small>± {escape(spread)}</small></td>" if spread else f"<td>{shown}</td>"


def _table_head(columns: Sequence[Column]) -> str:
    """Write the groups' row and the columns' row."""
    groups = []
    for index, column in enumerate(columns):
        if not column.group:
            groups.append("<th></th>")
        elif column.group != columns[index - 1].group:
            span = sum(other.group == column.group for other in columns)
            groups.append(f'<th class="group" colspan="{span}" scope="colgroup">{escape(column.group)}</th>')
    heads = "".join(f'<th scope="col">{escape(column.heading)}</th>' for column in columns)
    return f"<tr>{''.join(groups)}</tr><tr>{heads}</tr>"


def _drawing(drawing: Drawing) -> str:
    """Embed a figure in both colour schemes."""
    return (
        f'<figure><h3>{escape(drawing.title)}</h3><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(drawing.title)}"><picture>'
        f'<source media="(prefers-color-scheme: dark)" srcset="{_uri(drawing.dark, "png")}">'
        f'<img src="{_uri(drawing.light, "png")}" alt="{escape(drawing.description)}">'
        "</picture></div></figure>"
    )


def _strips(strips: Sequence[Strip]) -> list[str]:
    """Embed rows of pictures; wide rows scroll."""
    return [
        f'<h3>{escape(strip.title)}</h3>\n<div class="strip" tabindex="0" role="region" '
        f'aria-label="{escape(strip.title)}">'
        + "".join(_picture(picture) for picture in strip.pictures)
        + "</div>"
        for strip in strips
    ]


def _picture(picture: Picture) -> str:
    """Embed a picture as JPEG with full colour resolution, no wider than the page can show."""
    image = Image.fromarray(picture.pixels)
    image.thumbnail((WIDEST_PICTURE, WIDEST_PICTURE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92, subsampling=0)
    caption = escape(picture.caption).replace("\n", "<br>")
    return (
        f'<figure><img src="{_uri(file.getvalue(), "jpeg")}" width="{image.width}" height="{image.height}" '
        f'alt="{escape(picture.description)}"><figcaption>{caption}</figcaption></figure>'
    )


def _definitions(entries: Sequence[Entry]) -> str:
    """Write what each measure means, in the words of the runs."""
    return _section("What the measures mean", [_list(entries[0].first.definitions)])


def _data(entries: Sequence[Entry]) -> str:
    """Describe the data, once where all runs had the same."""
    return _section(
        "Data", _shared([(entry.label, entry.first.manifest.get("data") or {}) for entry in entries])
    )


def _runs(entries: Sequence[Entry]) -> str:
    """Write how to repeat every run: seed, commit, machine, versions and command."""
    runs = [(entry.label, run) for entry in entries for run in entry.runs]
    heads = ["Method", "Seed", "Epochs", "Best epoch", "Ended", "Train, min", "Commit"]
    body = "".join(f"<tr>{_run_cells(label, run)}</tr>" for label, run in runs)
    table = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Runs"><table class="text"><thead><tr>'
        f"{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    commands = "".join(
        f"<h3>{escape(label)}, seed {run.seed}</h3><pre><code>{escape(_command(run))}</code></pre>"
        for label, run in runs
    )
    machines = _shared([(label, run.manifest.get("machine") or {}) for label, run in runs])
    versions = _shared(
        [
            (
                label,
                {"lowlight": run.manifest.get("lowlight", "unknown")} | (run.manifest.get("versions") or {}),
            )
            for label, run in runs
        ]
    )
    return (
        _section("Runs", [table, commands]) + _section("Machine", machines) + _section("Versions", versions)
    )


def _run_cells(label: str, run: Run) -> str:
    """Write the cells of a run's row."""
    manifest = run.manifest
    epochs, planned = manifest.get("epochs", "unknown"), manifest.get("max_epochs")
    commit = str(manifest.get("commit") or "unknown")[:12]
    cells = [
        str(run.seed),
        str(epochs) if planned in (None, epochs) else f"{epochs} of {planned}",
        "–" if run.best_epoch is None else str(run.best_epoch),
        run.stopped.replace("_", " "),
        number(float(manifest.get("train_minutes") or 0), None),
        commit + (" with uncommitted changes" if manifest.get("dirty") else ""),
    ]
    return f'<th scope="row">{escape(label)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in cells)


def _command(run: Run) -> str:
    """Return the command that made a run."""
    command = run.manifest.get("command") or ["unknown"]
    return command if isinstance(command, str) else shlex.join(map(str, command))


def _shared(described: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Write descriptions, each once, headed by the labels it holds for where they differ."""
    distinct: list[tuple[list[str], Mapping[str, Any]]] = []
    for label, description in described:
        for labels, known in distinct:
            if known == description:
                labels.append(label)
                break
        else:
            distinct.append(([label], description))
    if len(distinct) == 1:
        return [_list(distinct[0][1])]
    return [
        f"<h3>{escape(', '.join(dict.fromkeys(labels)))}</h3>{_list(description)}"
        for labels, description in distinct
    ]


def _list(content: Mapping[str, Any]) -> str:
    """Write a mapping as a list of terms, nested mappings indented; nothing where it is empty."""
    terms = []
    for key, value in content.items():
        if isinstance(value, Mapping):
            text = _list(value) or "none"
        elif isinstance(value, list):
            shown = ", ".join(map(str, value[:MOST_LISTED]))
            text = escape(shown + (f" ... ({len(value)} in all)" if len(value) > MOST_LISTED else ""))
        elif isinstance(value, bool):
            text = "yes" if value else "no"
        else:
            text = "none" if value is None else escape(str(value))
        terms.append(f"<dt>{escape(str(key))}</dt><dd>{text}</dd>")
    return f"<dl>{''.join(terms)}</dl>" if terms else ""


def _section(title: str, parts: Iterable[str], note: str = "") -> str:
    """Write a headed section, or nothing where it has no content."""
    content = "\n".join(part for part in parts if part)
    text = f"<p>{escape(note)}</p>\n" if note else ""
    return f"<h2>{escape(title)}</h2>\n{text}{content}\n" if content else ""


def _uri(content: bytes, kind: str) -> str:
    """Return an image as a URI that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
