"""The page's table of matched local features."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lowlight.report.entries import Entry
from lowlight.report.page_tables import facts_table
from lowlight.report.table import number

NOTE = (
    "Correct matches (within 3 pixels) of SIFT and ORB features with the clean reference, and in brackets "
    "their share of all matches; means over images. Columns: standard deviation of the noise added before "
    "enhancement, on the scale of 0 to 255; the reference's row has the same noise."
)


def features_section(entries: Sequence[Entry]) -> str:
    """Write one row per detector and image, from dark input to reference; nothing without features."""
    matched = [entry for entry in entries if entry.first.features]
    if not matched:
        return ""
    first = matched[0].first.features
    levels = sorted(
        {level for entry in matched for found in entry.first.features.values() for level in found}
    )
    levels.sort(key=int)
    rows = []
    for detector in first:
        name = detector.upper()
        rows.append([f"{name}, low", *_cells(first[detector], levels, "low")])
        for entry in matched:
            rows.append(
                [f"{name}, {entry.label}", *_cells(entry.first.features[detector], levels, "enhanced")]
            )
        rows.append([f"{name}, reference", *_cells(first[detector], levels, "reference")])
    table = facts_table("Features", ["Image", *(f"Noise {level}" for level in levels)], rows)
    return f"<h2>Does enhancement help machine vision?</h2>\n<p>{escape(NOTE)}</p>\n{table}\n"


def _cells(found: Mapping[str, Any], levels: Sequence[str], role: str) -> list[str]:
    """Write the correct matches and the precision per noise level."""
    return [
        f"{number(found[level][role]['correct'], 0)} ({number(100 * found[level][role]['precision'], 0)} %)"
        if level in found
        else "–"
        for level in levels
    ]
