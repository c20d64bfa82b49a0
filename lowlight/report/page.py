"""The report as one HTML page that needs no other file and no network."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from lowlight import __version__
from lowlight.report.entries import Entry
from lowlight.report.findings import Verdict, against_the_first, headline, statement
from lowlight.report.page_features import features_section
from lowlight.report.page_pictures import (
    Drawing,
    drawing_figure,
    extremes_table,
    quality_for,
    strip_rows,
    viewers,
)
from lowlight.report.page_tables import facts_table, score_tables
from lowlight.report.pictures import Extreme, Strip
from lowlight.report.runs import Run
from lowlight.report.table import Row, number

GENERATOR = '<meta name="generator" content="lowlight compare">'
"""Line that identifies a page as a report, which may be replaced."""

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
"""Content security policy: the page loads nothing from outside."""

MOST_LISTED = 12
"""Longest list written out in full."""


@dataclass(frozen=True)
class Report:
    """The content of the page."""

    entries: Sequence[Entry]
    rows: Sequence[Row]
    notes: Sequence[str]
    drawings: Sequence[Drawing]
    grid: Sequence[Strip]
    progress: Sequence[Strip]
    extremes: Sequence[tuple[Extreme, Extreme]] = ()
    verdicts: Sequence[Verdict] = ()


def render(report: Report) -> str:
    """Return the page's HTML."""
    style, script = (
        Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js")
    )
    quality = quality_for(report.grid)
    body = [
        _opening(report),
        score_tables(report.rows, report.notes),
        _paired(report.entries),
        _verdicts(report.verdicts),
        _section("Figures", [drawing_figure(drawing) for drawing in report.drawings]),
        _section("Test images", viewers(report.grid, quality), "dB values are PSNR against the reference."),
        _section("Best and worst images", [extremes_table(report.extremes)]),
        features_section(report.entries),
        _section("One validation image over the epochs", strip_rows(report.progress, quality)),
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
    """Write the title, the main result in one sentence, and what the scores were measured on."""
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
    """Compare every method with the best, paired by image."""
    if len(entries) < 2:
        return ""
    heads = ["Method", "Difference, dB", "95 % interval", "Wilcoxon p", "Verdict"]
    rows = []
    for other, paired in against_the_first(entries):
        bounds = "–" if paired.low != paired.low else f"[{number(paired.low, 2)}, {number(paired.high, 2)}]"
        verdict = "distinguishable" if paired.distinguishable else "not distinguishable"
        p_value = "–" if paired.p_value != paired.p_value else f"{paired.p_value:.2g}"
        rows.append([other.label, number(paired.difference, 2), bounds, p_value, verdict])
    images, scenes = len(entries[0].scenes), len(set(entries[0].scenes))
    note = (
        f"{entries[0].label} minus every other method, PSNR on the same {images} images; interval by "
        f"bootstrap over their {'one scene' if scenes == 1 else f'{scenes} scenes'}, p by Wilcoxon's "
        "signed-rank test over scenes."
    )
    return _section(f"Against {entries[0].label}", [facts_table("Paired comparison", heads, rows)], note)


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    """List the claims of the published study with their verdicts; nothing if none was judged."""
    rows = [[verdict.claim, verdict.answer, verdict.reason] for verdict in verdicts]
    table = facts_table("Claims", ["Claim", "Here", "Numbers"], rows) if rows else ""
    return _section("Do the published study's claims hold here?", [table])


def _definitions(entries: Sequence[Entry]) -> str:
    """List the definition of each metric as the runs recorded it."""
    return _section("Definitions of the metrics", [_list(entries[0].first.definitions)])


def _data(entries: Sequence[Entry]) -> str:
    """Describe the data, once if all runs had the same."""
    return _section(
        "Data", _shared([(entry.label, entry.first.manifest.get("data") or {}) for entry in entries])
    )


def _runs(entries: Sequence[Entry]) -> str:
    """List what reproduces every run: seed, commit, machine, versions and command."""
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
    """Return a run's row of the table of runs."""
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
    """Return the command line of a run."""
    command = run.manifest.get("command") or ["unknown"]
    return command if isinstance(command, str) else shlex.join(map(str, command))


def _shared(described: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Write each distinct description once, headed by its labels if there are several."""
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
    """Write a mapping as a description list, nested mappings indented; nothing if it is empty."""
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
    """Write a section with a heading, or nothing if it has no content."""
    content = "\n".join(part for part in parts if part)
    text = f"<p>{escape(note)}</p>\n" if note else ""
    return f"<h2>{escape(title)}</h2>\n{text}{content}\n" if content else ""
