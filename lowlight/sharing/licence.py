"""The licence that trained weights are given, where nobody chooses one."""

import re
from collections.abc import Mapping
from typing import Any

from lowlight.data.photographs import REFERENCES, SCORED_ON

RESEARCH_ONLY = "research-only"
"""Licence of weights whose data are not known to allow more; the hub has no such identifier."""

_FREE = {"embedded photographs", "drawn plates"}
"""Sources of training data whose weights may be given away: photographs of packages are free, and rooms and
plates are drawn by lowlight."""


def learnt_from(data: Mapping[str, Any]) -> set[str]:
    """Return the sources of a training's images, its folder of bright photographs included.

    Folders that it was only scored on are left out.

    Args:
        data: What :meth:`lowlight.data.PairDataModule.describe` says of it; may be empty.
    """
    sources = {folders_of(one)[0] for one in (data.get("sets") or {}).values()}
    bright = str(data.get("bright") or REFERENCES)
    return sources if bright == REFERENCES else sources | {bright}


def folders_of(one: Mapping[str, Any]) -> tuple[str, str]:
    """Return a set's source, and the folder that stands in for it in scoring, or ""."""
    source, _, scored = str(one.get("source")).partition(SCORED_ON)
    return source, scored


def default_licence(data: Mapping[str, Any]) -> str:
    """Return the licence that follows from the data of a training.

    Args:
        data: What :meth:`lowlight.data.PairDataModule.describe` says of it; may be empty.

    Returns:
        ``mit``, lowlight's own, if all images were drawn, or made from the embedded photographs, and no other
        weights were fine-tuned; otherwise :data:`RESEARCH_ONLY`, since most published sets state no licence
        and of others nothing is known.
    """
    sources = learnt_from(data)
    return "mit" if sources and sources <= _FREE and not data.get("start_from") else RESEARCH_ONLY


def check_licence(licence: str) -> None:
    """Check that a licence looks like one of the hub's identifiers, or is :data:`RESEARCH_ONLY`.

    Raises:
        ValueError: If it does not.
    """
    if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", licence):
        raise ValueError(
            f"--license {licence!r} is no identifier of the hub, such as mit, apache-2.0, cc-by-nc-4.0; "
            f"or {RESEARCH_ONLY}"
        )


def terms(licence: str, data: str) -> str | None:
    """Return the text of ``LICENSE``; None for an identifier of the hub, which shows its text itself.

    Args:
        licence: The licence.
        data: Names of the training data.
    """
    if licence != RESEARCH_ONLY:
        return None
    return (
        f"The weights in this repository were trained on photographs ({data}) whose licence is not\n"
        "known to allow more than research. They hold none of the photographs. They are given for research,\n"
        "without any warranty; whoever uses them otherwise must settle that with the owners of the\n"
        "photographs.\n"
    )
