"""Findings in words: the best method, paired comparisons with it, and what the images are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lowlight.evaluation.statistics import LEVEL, Paired, compare_paired, holm
from lowlight.report.entries import Entry
from lowlight.report.leaks import is_trained, leak_of
from lowlight.report.table import number


@dataclass(frozen=True)
class Verdict:
    """A claim, its answer ("yes", "no", "not distinguishable" or "not steadily") and its numbers."""

    claim: str
    answer: str
    reason: str


def against_the_first(entries: Sequence[Entry]) -> list[tuple[Entry, Paired]]:
    """Compare the PSNR of the first entry with every other's, paired by image; nothing without its score.

    The p-values are adjusted for the number of comparisons by :func:`lowlight.evaluation.statistics.holm`.
    """
    first, *others = entries
    if math.isnan(first.score("psnr")):
        return []
    found = [pair(first, other, "psnr") for other in others]
    adjusted = holm([paired.p_value for paired in found])
    return [
        (other, replace(paired, p_value=p_value))
        for other, paired, p_value in zip(others, found, adjusted, strict=True)
    ]


def scenes_needed(comparisons: int) -> int:
    """Return the fewest scenes with which any of some comparisons can reach p < 0.05.

    The lowest p-value of Wilcoxon's two-sided test of n scenes is 2 / 2^n; Holm's adjustment multiplies it by
    the number of comparisons. One comparison takes six scenes.
    """
    return math.floor(math.log2(2 * max(comparisons, 1) / (1 - LEVEL))) + 1


def pair(first: Entry, second: Entry, key: str) -> Paired:
    """Compare two entries by a score, paired by image: first minus second."""
    order = {name: index for index, name in enumerate(second.first.per_image)}
    theirs = second.images(key)
    return compare_paired(
        first.images(key), [theirs[order[name]] for name in first.first.per_image], first.scenes
    )


def headline(entries: Sequence[Entry]) -> str:
    """Name the method with the highest PSNR and those not distinguishable from it; without PSNR, none."""
    best = entries[0]
    if math.isnan(best.score("psnr")):
        has_references = best.first.conditions["references"] == "yes"
        return f"No method is ranked: {'none has a PSNR' if has_references else 'there are no references'}"
    text = f"{best.label} has the highest PSNR, {number(best.score('psnr'), 2)} dB"
    found = against_the_first(entries)
    tied = [other.label for other, paired in found if not paired.distinguishable]
    scenes = len(set(best.scenes))
    needed = scenes_needed(sum(not math.isnan(paired.p_value) for _, paired in found))
    if not tied:
        return text
    if scenes < needed:
        return f"{text}; too few scenes to distinguish methods ({scenes}; it takes {needed})"
    return f"{text}, but is not distinguishable from {_listed(tied)}"


def notes_on_pairs(entries: Sequence[Entry]) -> list[str]:
    """Write one sentence per comparison with the best method, and one on several p-values."""
    found = against_the_first(entries)
    notes = [
        f"{entries[0].label} against {other.label}: {describe_pair(paired, 'dB', 2)}."
        for other, paired in found
    ]
    return (
        [*notes, f"p by Wilcoxon's test, adjusted for {len(found)} comparisons (Holm)."]
        if len(found) > 1
        else notes
    )


def describe_pair(paired: Paired, unit: str, decimals: int) -> str:
    """Write a paired comparison: difference, interval, p-value, and whether it is distinguishable."""
    difference = f"{_signed(paired.difference, decimals)} {unit}".strip()
    if math.isnan(paired.low):
        why = "one scene has no interval" if paired.scenes < 2 else "an infinite score has no interval"
        return f"{difference}, not distinguishable ({why})"
    bounds = f"[{_signed(paired.low, decimals)}, {_signed(paired.high, decimals)}]"
    p_value = "p < 0.001" if paired.p_value < 0.001 else f"p = {paired.p_value:.3f}"
    verdict = "distinguishable" if paired.distinguishable else "not distinguishable"
    return f"{difference} {bounds}, {p_value}, {verdict}"


def statement(entries: Sequence[Entry]) -> list[str]:
    """Describe the test images and any leak of their scenes into training, one sentence each."""
    first = entries[0].first
    images, scenes = len(first.per_image), len(set(entries[0].scenes))
    protocol = first.conditions["protocol"]
    split = {
        "standard": "Split: standard, the published one.",
        "scene_disjoint": "Split: scene_disjoint, no training pair shows a test scene.",
        "by_file": "Split: by_file, which ignores scenes: these scores show a leak, not quality.",
    }.get(protocol, f"Split: {protocol}.")
    sentences = [split, f"{_count(images, 'test image')} of {_count(scenes, 'scene')}."]
    return [*sentences, *_about_leaks(entries)]


def _about_leaks(entries: Sequence[Entry]) -> list[str]:
    """Say whether training shows the test scenes: of which entries it does, and of which it is unknown."""
    trained = [(entry.label, leak_of(run)) for entry in entries for run in entry.runs if is_trained(run)]
    if not trained:
        return ["None of the methods is trained."]
    worst = max(
        (leak for _, leak in trained if leak), key=lambda leak: int(leak["in_training_scenes"]), default=None
    )
    unknown = list(dict.fromkeys(label for label, leak in trained if not leak))
    sentences = []
    if worst and int(worst["in_training_scenes"]):
        sentences.append(
            f"Leak: {worst['in_training_scenes']} of {worst['test_images']} test images show a scene of the "
            "training set; the scores say little about new scenes."
        )
    if unknown:
        sentences.append(f"Whether training shows the test scenes is unknown for {_listed(unknown)}.")
    return sentences or ["No test image shows a scene of the training set."]


def _signed(value: float, decimals: int) -> str:
    text = number(abs(value), decimals)
    return f"−{text}" if value < 0 else f"+{text}"


def _listed(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
