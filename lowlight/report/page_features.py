"""The page's table of local features: does enhancement help a machine?"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lowlight.report.entries import Entry
from lowlight.report.page_tables import facts_table
from lowlight.report.table import number

NOTE = (
    "Correct matches of SIFT and ORB features with the clean reference (within 3 pixels), in brackets their "
    "share of all matches; means over images, for noise of each deviation (of 255) added before enhancement. "
    "The reference row bears the same noise."
)


def features_section(entries: Sequence[Entry]) -> str:
    """Write a row a detector and method, dark input first and reference last; nothing if none was studied."""
    studied = [entry for entry in entries if entry.first.features]
    if not studied:
        return ""
    first = studied[0].first.features
    levels = sorted(
        {level for entry in studied for found in entry.first.features.values() for level in found}
    )
    levels.sort(key=int)
    rows = []
    for detector in first:
        name = detector.upper()
        rows.append([f"{name}, low", *_cells(first[detector], levels, "low")])
        for entry in studied:
            rows.append(
                [f"{name}, {entry.label}", *_cells(entry.first.features[detector], levels, "enhanced")]
            )
        rows.append([f"{name}, reference", *_cells(first[detector], levels, "reference")])
    table = facts_table("Features", ["Image", *(f"Noise {level}" for level in levels)], rows)
    return f"<h2>Does enhancement help a machine?</h2>\n<p>{escape(NOTE)}</p>\n{table}\n"


def _cells(found: Mapping[str, Any], levels: Sequence[str], role: str) -> list[str]:
    """Write the correct matches and the precision at each level of noise."""
    return [
        f"{number(found[level][role]['correct'], 0)} ({number(100 * found[level][role]['precision'], 0)} %)"
        if level in found
        else "–"
        for level in levels
    ]
