"""What the scores say, in words: who is best, what cannot be told apart, and whether claims hold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lowlight.evaluation.statistics import Paired, compare_paired
from lowlight.report.entries import Entry
from lowlight.report.table import number

SCENES_TO_TELL = 6
"""With fewer, Wilcoxon's two-sided test cannot reach 0.05: two of 2^5 orders of signs are already 0.06."""


@dataclass(frozen=True)
class Verdict:
    """An answer to a claim of the study: "yes", "no" or "not distinguishable", and the numbers."""

    claim: str
    answer: str
    reason: str


def against_the_first(entries: Sequence[Entry], key: str = "psnr") -> list[tuple[Entry, Paired]]:
    """Compare the first entry with each other one on the same images, image by image."""
    first = entries[0]
    return [(other, pair(first, other, key)) for other in entries[1:]]


def pair(first: Entry, second: Entry, key: str) -> Paired:
    """Compare two entries' scores of the same images: first minus second."""
    order = {name: index for index, name in enumerate(second.first.per_image)}
    theirs = second.images(key)
    return compare_paired(
        first.images(key), [theirs[order[name]] for name in first.first.per_image], first.scenes
    )


def headline(entries: Sequence[Entry]) -> str:
    """Say who has the highest PSNR, and whom these images cannot tell from it."""
    best = entries[0]
    text = f"{best.label} has the highest PSNR, {number(best.score('psnr'), 2)} dB"
    tied = [other.label for other, paired in against_the_first(entries) if not paired.distinguishable]
    scenes = len(set(best.scenes))
    if not tied:
        return text
    if scenes < SCENES_TO_TELL:
        return f"{text}; {_count(scenes, 'scene')} cannot tell methods apart, it takes {SCENES_TO_TELL}"
    return f"{text}, but is not distinguishable from {_listed(tied)}"


def notes_on_pairs(entries: Sequence[Entry]) -> list[str]:
    """Write each comparison with the best as a sentence."""
    return [
        f"{entries[0].label} against {other.label}: {describe_pair(paired, 'dB', 2)}."
        for other, paired in against_the_first(entries)
    ]


def describe_pair(paired: Paired, unit: str, decimals: int) -> str:
    """Write a paired comparison: difference, interval, p-value, and whether it can be told from chance."""
    difference = f"{_signed(paired.difference, decimals)} {unit}".strip()
    if math.isnan(paired.low):
        why = "one scene has no interval" if paired.scenes < 2 else "an infinite score has no interval"
        return f"{difference}, not distinguishable ({why})"
    bounds = f"[{_signed(paired.low, decimals)}, {_signed(paired.high, decimals)}]"
    p_value = "p < 0.001" if paired.p_value < 0.001 else f"p = {paired.p_value:.3f}"
    told = "distinguishable" if paired.distinguishable else "not distinguishable"
    return f"{difference} {bounds}, {p_value}, {told}"


def statement(entries: Sequence[Entry]) -> list[str]:
    """Say which images these are and whether their scenes stand in training, a sentence each."""
    first = entries[0].first
    images, scenes = len(first.per_image), len(set(entries[0].scenes))
    protocol = first.conditions["protocol"]
    told = {
        "standard": "Split: standard, the published one.",
        "scene_disjoint": "Split: scene_disjoint, no training pair shows a test scene.",
        "by_file": "Split: by_file, divided with no regard to scenes: these scores show a leak, not quality.",
    }.get(protocol, f"Split: {protocol}.")
    sentences = [told, f"{_count(images, 'test image')} of {_count(scenes, 'scene')}."]
    leaks = [leak for entry in entries for run in entry.runs if (leak := _leak(run.manifest)) is not None]
    if not leaks:
        return [*sentences, "Whether training shows the test scenes is not known: no run tells."]
    worst = max(leaks, key=lambda leak: int(leak["in_training_scenes"]))
    shown = int(worst["in_training_scenes"])
    if shown:
        sentences.append(
            f"Leak: {shown} of {worst['test_images']} test images show a scene that also stands in training; "
            "scores say little about new scenes."
        )
    else:
        sentences.append("No test image shows a scene that stands in training.")
    return sentences


def _leak(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a run knows of test scenes in its training data."""
    for key in ("data_of_training", "data"):
        leak = (manifest.get(key) or {}).get("leak")
        if leak:
            return dict(leak)
    return None


def verdicts(entries: Sequence[Entry]) -> list[Verdict]:
    """Judge the study's claims by these runs, those that they can tell something about."""
    found = [_best_method(entries), _colour(entries), *map(_epochs, entries)]
    return [verdict for verdict in found if verdict is not None]


def _best_method(entries: Sequence[Entry]) -> Verdict | None:
    """Judge whether MIRNet is the best."""
    ours = next((entry for entry in entries if entry.first.method == "mirnet"), None)
    others = [entry for entry in entries if entry.first.method != "mirnet"]
    if ours is None or not others:
        return None
    claim = "MIRNet is the best method"
    best = others[0]
    paired = pair(ours, best, "psnr")
    answer = "not distinguishable" if not paired.distinguishable else "yes" if paired.difference > 0 else "no"
    return Verdict(
        claim, answer, f"PSNR against the best other, {best.label}: {describe_pair(paired, 'dB', 2)}."
    )


def _colour(entries: Sequence[Entry]) -> Verdict | None:
    """Judge whether colours come nearer to the reference than those of the dark image."""
    dark = next((entry for entry in entries if entry.first.method == "identity"), None)
    learnt = [
        entry for entry in entries if entry.fact("epochs") > 0 and math.isfinite(entry.score("delta_e"))
    ]
    if dark is None or not learnt or not math.isfinite(dark.score("delta_e")):
        return None
    best = min(learnt, key=lambda entry: entry.score("delta_e"))
    paired = pair(dark, best, "delta_e")
    answer = "not distinguishable" if not paired.distinguishable else "yes" if paired.difference > 0 else "no"
    parts = [f"{entry.label} {number(entry.score('delta_e'), 1)}" for entry in learnt]
    return Verdict(
        "Enhancement makes colours more accurate",
        answer,
        f"Mean ΔE 2000: dark input {number(dark.score('delta_e'), 1)}, {', '.join(parts)}. "
        f"Gain of {best.label}: {describe_pair(paired, '', 1)}.",
    )


def _epochs(entry: Entry) -> Verdict | None:
    """Judge whether validation PSNR rises with the epochs."""
    from scipy.stats import spearmanr

    curve = [(epoch, mean) for epoch, mean, _, _ in entry.curve("val/psnr")]
    if len(curve) < 3:
        return None
    epochs, values = zip(*curve, strict=True)
    correlation = float(spearmanr(epochs, values).statistic)
    best = max(curve, key=lambda point: point[1])
    lost = best[1] - values[-1]
    answer = "yes" if correlation > 0.5 else "no" if correlation < -0.5 else "not steadily"
    return Verdict(
        f"Quality rises with the epochs: {entry.label}",
        answer,
        f"Rank correlation of validation PSNR with the epoch {correlation:+.2f}; best {number(best[1], 2)} "
        f"dB at epoch {best[0]}, {number(lost, 2)} dB lost by epoch {epochs[-1]}.",
    )


def _signed(value: float, decimals: int) -> str:
    text = number(abs(value), decimals)
    return f"−{text}" if value < 0 else f"+{text}"


def _listed(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
