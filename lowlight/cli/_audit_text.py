"""The audit of a paired dataset as text: sentences and lists, for which a table of Rich's has no columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from lowlight.files import printable

VERDICTS = {
    "clean": "no fault found",
    "suspicious": "some images do not match their reference",
    "damaged": "some files are unusable",
    "leaking": "splits share scenes or files, so scores say little about new scenes",
}

LISTS = {
    "empty": "Folders without images",
    "unmatched": "Missing their counterpart",
    "unreadable": "Unreadable",
    "unequal": "Different sizes",
    "swapped": "Dark image and reference swapped",
    "exchanged": "Reference of another scene",
    "misregistered": "Shifted against the reference",
    "leaking_scenes": "Scenes in more than one split",
    "leaking_files": "Identical files in more than one split",
    "identical": "Identical files",
    "near_duplicates": "Near-duplicate images",
}


def describe(report: Mapping[str, Any], most: int | None) -> str:
    """Format an audit as text: the verdict, the statistics of each split, then the findings.

    Args:
        report: Result of :func:`lowlight.data.audit.audit`.
        most: Findings listed per kind, at most; ``None`` lists all.
    """
    lines = [f"{printable(str(report['root']))}: {report['verdict']}, {VERDICTS[report['verdict']]}", ""]
    for split, about in report["splits"].items():
        lines.append(
            f"{split:<6}{_count(about['pairs'], 'pair')} of {_count(about['scene_groups'], 'scene')}, "
            f"{about['images_with_a_sibling']} sharing a scene, at most {about['largest_scene']} per scene; "
            f"{', '.join(about['sizes'])} pixels"
        )
        for role in ("low", "high"):
            level = about[f"{role}_level"]
            lines.append(
                f"      {role:<5}mean level {level['mean']:g} of 255 (5 % {level['p5']:g}, median "
                f"{level['p50']:g}, 95 % {level['p95']:g})"
            )
    for key, heading in LISTS.items():
        if report[key]:
            lines += ["", f"{heading}: {len(report[key])}", *_named(report[key], most)]
    return "\n".join([*lines, "", _lol(report["lol"])])


def _named(findings: Sequence[Any], most: int | None) -> list[str]:
    """Return one line per finding, and the number of those left out."""
    lines = [f"  {printable(_line(finding))}" for finding in findings[:most]]
    rest = len(findings) - len(lines)
    return lines + ([f"  and {rest} more (--all lists them)"] if rest else [])


def _line(finding: Any) -> str:
    if isinstance(finding, str):
        return finding
    if isinstance(finding, list):
        return " = ".join(finding)
    if "down" in finding:
        return f"{finding['image']}: {finding['down']:+d} pixels down, {finding['right']:+d} to the right"
    return "; ".join(f"{split}: {' '.join(names)}" for split, names in finding.items())


def _lol(found: Mapping[str, Any]) -> str:
    """Summarise how many files are those of LOL as published."""
    if not found["equal"]:
        return "LOL: no file is identical to a published one"
    text = f"LOL: {found['equal']} of {found['files']} files are identical to published ones"
    if found["changed"]:
        names = ", ".join(found["changed"][:5]) + (", ..." if len(found["changed"]) > 5 else "")
        text += f"; {len(found['changed'])} with a published name differ: {printable(names)}"
    return text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
