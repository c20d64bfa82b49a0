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
from lowlight.report.findings import against_the_first, headline, statement, verdicts
from lowlight.report.page_features import features_section
from lowlight.report.page_tables import facts_table, score_tables
from lowlight.report.pictures import Extreme, Picture, Strip
from lowlight.report.runs import Run
from lowlight.report.table import Row, number

GENERATOR = '<meta name="generator" content="lowlight compare">'
"""By this line a folder is known to hold a report that may be replaced."""

WIDEST_PICTURE = 600
MANY_PICTURES = 60
"""With more pictures than that, they are compressed harder, so that the page stays within some 20 MB."""

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
"""What the page may load: nothing that is not in it."""

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
    extremes: Sequence[tuple[Extreme, Extreme]] = ()


def render(report: Report) -> str:
    """Return the page's HTML."""
    style, script = (
        Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js")
    )
    quality = 92 if sum(len(strip.pictures) for strip in report.grid) <= MANY_PICTURES else 82
    body = [
        _opening(report),
        score_tables(report.rows, report.notes),
        _paired(report.entries),
        _verdicts(report.entries),
        _section("Figures", [_drawing(drawing) for drawing in report.drawings]),
        _section("Test images", _viewers(report.grid, quality), "Decibels are PSNR against the reference."),
        _section("Best and worst images", [_extremes(report.extremes)]),
        features_section(report.entries),
        _section("One validation image over the epochs", _strips(report.progress, quality)),
        _definitions(report.entries),
        _data(report.entries),
        _runs(report.entries),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"{GENERATOR}\n<title>Low-light enhancement: comparison</title>\n"
        f'<link rel="icon" href="data:,">\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n'
        + "\n".join(part for part in body if part)
        + f"\n<footer>Written by <code>lowlight compare</code>, lowlight {escape(__version__)}.</footer>\n"
        f"</main>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _opening(report: Report) -> str:
    """Write the title, the result in a sentence, and what the scores were measured on."""
    conditions = report.entries[0].first.conditions
    size = "native size" if conditions["size"] == "native" else f"size {conditions['size']}"
    lead = f"{headline(report.entries)}."
    measured = f"The {conditions['split']} split at {size}, {conditions['rounding']} outputs."
    about = " ".join([*statement(report.entries), measured])
    return (
        f'<h1>Low-light enhancement: comparison</h1>\n<p class="lead">{escape(lead)}</p>\n'
        f'<p class="statement">{escape(about)}</p>'
    )


def _paired(entries: Sequence[Entry]) -> str:
    """Compare each method with the best on the same images."""
    if len(entries) < 2:
        return ""
    heads = ["Method", "Difference, dB", "95 % interval", "Wilcoxon p", "Verdict"]
    rows = []
    for other, paired in against_the_first(entries):
        bounds = "–" if paired.low != paired.low else f"[{number(paired.low, 2)}, {number(paired.high, 2)}]"
        told = "distinguishable" if paired.distinguishable else "not distinguishable"
        p_value = "–" if paired.p_value != paired.p_value else f"{paired.p_value:.2g}"
        rows.append([other.label, number(paired.difference, 2), bounds, p_value, told])
    images, scenes = len(entries[0].scenes), len(set(entries[0].scenes))
    note = (
        f"{entries[0].label} minus each other method, PSNR of the same {images} images; interval by "
        f"bootstrap over their {'one scene' if scenes == 1 else f'{scenes} scenes'}, p by Wilcoxon's "
        "signed-rank test on scenes."
    )
    return _section(f"Against {entries[0].label}", [facts_table("Paired comparison", heads, rows)], note)


def _verdicts(entries: Sequence[Entry]) -> str:
    """Judge the study's claims."""
    rows = [[verdict.claim, verdict.answer, verdict.reason] for verdict in verdicts(entries)]
    table = facts_table("Claims", ["Claim", "Here", "Numbers"], rows) if rows else ""
    return _section("Do the study's claims hold here?", [table])


def _extremes(found: Sequence[tuple[Extreme, Extreme]]) -> str:
    """Show each method's best and worst image."""
    cells = []
    for best, worst in found:
        shown = "".join(
            f"<td>{escape(end.image)}, {number(end.decibels, 1)} dB{_thumbnail(end.picture)}</td>"
            for end in (best, worst)
        )
        cells.append(f'<tr><th scope="row">{escape(best.method)}</th>{shown}</tr>')
    if not cells:
        return ""
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Best and worst images">'
        '<table class="text">'
        "<thead><tr><th>Method</th><th>Best image</th><th>Worst image</th></tr></thead>"
        f"<tbody>{''.join(cells)}</tbody></table></div>"
    )


def _thumbnail(picture: Picture | None) -> str:
    if picture is None:
        return ""
    uri, width, height = _jpeg(picture, 240, 85)
    return f'<img src="{uri}" width="{width}" height="{height}" alt="{escape(picture.description)}">'


def _drawing(drawing: Drawing) -> str:
    """Embed a figure in both colour schemes."""
    return (
        f'<figure><h3>{escape(drawing.title)}</h3><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(drawing.title)}"><picture>'
        f'<source media="(prefers-color-scheme: dark)" srcset="{_uri(drawing.dark, "png")}">'
        f'<img src="{_uri(drawing.light, "png")}" alt="{escape(drawing.description)}">'
        "</picture></div></figure>"
    )


def _viewers(strips: Sequence[Strip], quality: int) -> list[str]:
    """Embed each image's pictures; the script lays two of them over each other behind a slider."""
    return [f'<div class="viewer">\n{strip}\n</div>' for strip in _strips(strips, quality)]


def _strips(strips: Sequence[Strip], quality: int) -> list[str]:
    """Embed rows of pictures; wide rows scroll."""
    return [
        f'<h3>{escape(strip.title)}</h3>\n<div class="strip" tabindex="0" role="region" '
        f'aria-label="{escape(strip.title)}">'
        + "".join(_picture(picture, quality) for picture in strip.pictures)
        + "</div>"
        for strip in strips
    ]


def _picture(picture: Picture, quality: int) -> str:
    """Embed a picture, no wider than the page can show."""
    uri, width, height = _jpeg(picture, WIDEST_PICTURE, quality)
    caption = escape(picture.caption).replace("\n", "<br>")
    return (
        f'<figure><img src="{uri}" width="{width}" height="{height}" decoding="async" '
        f'alt="{escape(picture.description)}"><figcaption>{caption}</figcaption></figure>'
    )


def _jpeg(picture: Picture, widest: int, quality: int) -> tuple[str, int, int]:
    """Return a picture as the URI of a JPEG, and its width and height in pixels."""
    image = Image.fromarray(picture.pixels)
    image.thumbnail((widest, widest))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0 if quality > 90 else 2)
    return _uri(file.getvalue(), "jpeg"), image.width, image.height


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
    table = facts_table("Runs", heads, [_run_cells(label, run) for label, run in runs])
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


def _run_cells(label: str, run: Run) -> list[str]:
    """Return the cells of a run's row."""
    manifest = run.manifest
    epochs, planned = manifest.get("epochs", "unknown"), manifest.get("max_epochs")
    commit = str(manifest.get("commit") or "unknown")[:12]
    return [
        label,
        str(run.seed),
        str(epochs) if planned in (None, epochs) else f"{epochs} of {planned}",
        "–" if run.best_epoch is None else str(run.best_epoch),
        run.stopped.replace("_", " "),
        number(float(manifest.get("train_minutes") or 0), None),
        commit + (" with uncommitted changes" if manifest.get("dirty") else ""),
    ]


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
