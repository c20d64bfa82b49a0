"""The three claims of the published performance study, judged by runs of its methods.

The study compares MIRNet, a convolutional autoencoder and a GAN on LOL.
"""

import math
from collections.abc import Sequence

from lowlight.evaluation.statistics import Paired
from lowlight.report.entries import Entry
from lowlight.report.findings import Verdict, describe_pair, pair
from lowlight.report.table import number

METHODS = ("mirnet", "autoencoder", "gan")
"""The study's methods by their names in ``conf/method``."""

FEWEST_EPOCHS = 3
"""Validations that a rank correlation with the epoch needs."""


def judge(entries: Sequence[Entry]) -> list[Verdict]:
    """Judge the claims that the entries have the data for; none if no entry is a method of the study.

    Args:
        entries: Entries of a report, the best by PSNR first.
    """
    studied = [entry for entry in entries if entry.first.method in METHODS]
    dark = next((entry for entry in entries if entry.first.method == "identity"), None)
    found = [_gan_is_the_best(studied), _colours(studied, dark), *map(_epochs, studied)]
    return [verdict for verdict in found if verdict is not None]


def _gan_is_the_best(studied: Sequence[Entry]) -> Verdict | None:
    """Compare the best GAN with the best run of the other two methods by PSNR, if all three have one."""
    known = [entry for entry in studied if not math.isnan(entry.score("psnr"))]
    if {entry.first.method for entry in known} != set(METHODS):
        return None
    gan = next(entry for entry in known if entry.first.method == "gan")
    other = next(entry for entry in known if entry.first.method != "gan")
    paired = pair(gan, other, "psnr")
    return Verdict(
        "The GAN is the best of the three methods",
        _answer(paired),
        f"PSNR against the better of the other two, {other.label}: {describe_pair(paired, 'dB', 2)}.",
    )


def _colours(studied: Sequence[Entry], dark: Entry | None) -> Verdict | None:
    """Compare the mean colour difference from the reference before and after enhancement."""
    learnt = [entry for entry in studied if math.isfinite(entry.score("delta_e"))]
    if dark is None or not learnt or not math.isfinite(dark.score("delta_e")):
        return None
    best = min(learnt, key=lambda entry: entry.score("delta_e"))
    paired = pair(dark, best, "delta_e")
    parts = [f"{entry.label} {number(entry.score('delta_e'), 1)}" for entry in learnt]
    return Verdict(
        "Enhancement makes colours more accurate",
        _answer(paired),
        f"Mean ΔE 2000: dark input {number(dark.score('delta_e'), 1)}, {', '.join(parts)}. "
        f"Reduction by {best.label}: {describe_pair(paired, '', 1)}.",
    )


def _epochs(entry: Entry) -> Verdict | None:
    """Correlate validation PSNR with the epoch."""
    from scipy.stats import spearmanr  # half a second to import

    curve = [(epoch, mean) for epoch, mean, _, _ in entry.curve("val/psnr")]
    if len(curve) < FEWEST_EPOCHS:
        return None
    epochs, values = zip(*curve, strict=True)
    correlation = float(spearmanr(epochs, values).statistic)
    best = max(curve, key=lambda point: point[1])
    answer = "yes" if correlation > 0.5 else "no" if correlation < -0.5 else "not steadily"
    return Verdict(
        f"Quality rises with the epochs: {entry.label}",
        answer,
        f"Rank correlation of validation PSNR with the epoch {correlation:+.2f}; best {number(best[1], 2)} "
        f"dB at epoch {best[0]}, {number(best[1] - values[-1], 2)} dB lower at epoch {epochs[-1]}.",
    )


def _answer(paired: Paired) -> str:
    if not paired.distinguishable:
        return "not distinguishable"
    return "yes" if paired.difference > 0 else "no"
