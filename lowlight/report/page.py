"""The report as one HTML page that needs no other file and no network; its markup is in ``templates``."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lowlight import __version__
from lowlight.report.entries import Entry
from lowlight.report.findings import Verdict, headline, statement
from lowlight.report.page_pictures import Drawing, data_uri, jpeg, quality_for
from lowlight.report.page_tables import features_table, paired_rows, run_rows, score_tables
from lowlight.report.pictures import Extreme, Strip
from lowlight.report.runs import Run
from lowlight.report.table import Row, number

GENERATOR = '<meta name="generator" content="lowlight compare">'
"""Line that identifies a page as a report, which may be replaced."""

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
    """Return the page's HTML, every text escaped by the template engine."""
    templates = environment()
    entries = report.entries
    runs = [(entry.label, run) for entry in entries for run in entry.runs]
    return templates.get_template("page.html").render(
        report=report,
        generator=GENERATOR,
        version=__version__,
        best=entries[0],
        scenes=len(set(entries[0].scenes)),
        headline=headline(entries),
        statement=" ".join(statement(entries)),
        tables=score_tables(report.rows),
        paired=paired_rows(entries),
        verdicts=[[verdict.claim, verdict.answer, verdict.reason] for verdict in report.verdicts],
        features=features_table(entries),
        definitions={key: text for _, run in runs for key, text in run.definitions.items()},
        quality=quality_for(report.grid),
        runs=run_rows(runs),
        commands=[(label, run.seed, _command(run)) for label, run in runs],
        data=_shared([(entry.label, entry.first.manifest.get("data") or {}) for entry in entries]),
        machines=_shared([(label, run.manifest.get("machine") or {}) for label, run in runs]),
        versions=_shared([(label, _versions(run)) for label, run in runs]),
    )


def environment() -> Environment:
    """Return the template engine of pages, which escapes every text."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"jpeg": jpeg, "number": number, "shown": _shown, "uri": data_uri}
    return templates


def _versions(run: Run) -> dict[str, Any]:
    """Return the versions of lowlight and the packages that a run used."""
    return {"lowlight": run.manifest.get("lowlight", "unknown")} | (run.manifest.get("versions") or {})


def _command(run: Run) -> str:
    """Return the command line of a run."""
    command = run.manifest.get("command") or ["unknown"]
    return command if isinstance(command, str) else shlex.join(map(str, command))


def _shared(
    described: Sequence[tuple[str, Mapping[str, Any]]],
) -> list[tuple[list[str], Mapping[str, Any]]]:
    """Return each distinct description once, with the labels that share it."""
    distinct: list[tuple[list[str], Mapping[str, Any]]] = []
    for label, description in described:
        labels = next((labels for labels, known in distinct if known == description), None)
        if labels is None:
            distinct.append(([label], description))
        elif label not in labels:
            labels.append(label)
    return distinct


def _shown(value: Any) -> str:
    """Format a setting: yes or no, none, or the beginning of a list."""
    if isinstance(value, list):
        more = f" ... ({len(value)} in all)" if len(value) > MOST_LISTED else ""
        return ", ".join(map(str, value[:MOST_LISTED])) + more
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, {}) else str(value)
