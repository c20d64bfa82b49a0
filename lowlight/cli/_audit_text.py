"""An audit of a paired set, as a person reads it."""

from collections.abc import Mapping, Sequence
from typing import Any

VERDICTS = {
    "clean": "nothing wrong found",
    "suspicious": "some pairs do not fit together",
    "damaged": "some files are of no use",
    "leaking": "one split shows what another one shows: scores on it say little about new scenes",
}

LISTS = {
    "unmatched": "Without a counterpart",
    "unreadable": "Unreadable",
    "unequal": "Unequal in size",
    "swapped": "Dark image and reference swapped",
    "exchanged": "Reference of another scene",
    "misregistered": "Shifted against the reference",
    "leaking_scenes": "Scenes in more than one split",
    "leaking_files": "Equal files in more than one split",
    "identical": "Equal files",
    "near_duplicates": "Nearly equal images",
}


def describe(report: Mapping[str, Any], most: int | None) -> str:
    """Write an audit as text: the verdict, a line a split, then what was found.

    Args:
        report: What :func:`lowlight.data.audit.audit` returned.
        most: How many culprits of a kind are named; ``None`` names all.
    """
    lines = [f"{report['root']}: {report['verdict']}, {VERDICTS[report['verdict']]}", ""]
    for split, about in report["splits"].items():
        lines.append(
            f"{split:<6}{_count(about['pairs'], 'pair')} of {_count(about['scene_groups'], 'scene')}, "
            f"{about['images_with_a_sibling']} with a sibling, at most {about['largest_scene']} of a scene; "
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


def _named(culprits: Sequence[Any], most: int | None) -> list[str]:
    """Write a line a culprit, and how many more there are."""
    lines = [f"  {_line(culprit)}" for culprit in culprits[:most]]
    rest = len(culprits) - len(lines)
    return lines + ([f"  and {rest} more (--all names them)"] if rest else [])


def _line(culprit: Any) -> str:
    if isinstance(culprit, str):
        return culprit
    if isinstance(culprit, list):
        return " = ".join(culprit)
    if "down" in culprit:
        return f"{culprit['image']}: {culprit['down']:+d} pixels down, {culprit['right']:+d} to the right"
    return "; ".join(f"{split}: {' '.join(names)}" for split, names in culprit.items())


def _lol(found: Mapping[str, Any]) -> str:
    """Say how much of the set is LOL as published."""
    if not found["equal"]:
        return "LOL: none of the files has the bytes of a published one"
    text = f"LOL: {found['equal']} of {found['files']} files have the bytes of published ones"
    if found["changed"]:
        names = ", ".join(found["changed"][:5]) + (", ..." if len(found["changed"]) > 5 else "")
        text += f"; {len(found['changed'])} of a published name do not: {names}"
    return text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
