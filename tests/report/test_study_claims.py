"""The published study's three claims, each with each answer."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowlight.report import compare
from lowlight.report.entries import Entry, gather
from lowlight.report.findings import Verdict
from lowlight.report.runs import read_runs
from lowlight.report.study_claims import judge
from tests.report.fake_runs import write_run

NAMES = [f"eval15/{index}" for index in range(12)]
BASE = np.linspace(15, 25, 12)
NOISE = np.random.default_rng(0).normal(0, 1, 12)
CENTRED = NOISE - NOISE.mean()

GAN = "The GAN is the best of the three methods"
COLOURS = "Enhancement makes colours more accurate"
EPOCHS = "Quality rises with the epochs: "


def run(folder: Path, method: str, scores: np.ndarray = BASE, **more: Any) -> Path:
    return write_run(
        folder / method, method, psnr=float(scores.mean()), names=NAMES, per_image=scores.tolist(), **more
    )


def entries(*folders: Path) -> list[Entry]:
    return gather(read_runs(folders))


def verdict(found: list[Entry], claim: str) -> Verdict:
    return next(verdict for verdict in judge(found) if verdict.claim.startswith(claim))


@pytest.mark.parametrize(
    ("lead", "answer"),
    [(1 + 0.1 * NOISE, "yes"), (-1 + 0.1 * NOISE, "no"), (0.05 + CENTRED, "not distinguishable")],
)
def test_the_gan_is_compared_with_the_better_of_the_other_two(
    tmp_path: Path, lead: np.ndarray, answer: str
) -> None:
    found = entries(
        run(tmp_path, "gan", BASE + lead),
        run(tmp_path, "mirnet", BASE),
        run(tmp_path, "autoencoder", BASE - 3),
        run(tmp_path, "coarse_to_fine", BASE + 9),  # not of the study
    )
    judged = verdict(found, GAN)
    assert judged.answer == answer
    assert judged.reason.startswith("PSNR against the better of the other two, mirnet: ")
    assert judged.reason.endswith("not distinguishable." if answer == "not distinguishable" else ".")


def test_the_gan_is_not_judged_without_one_of_the_others(tmp_path: Path) -> None:
    found = entries(run(tmp_path, "gan", BASE + 1), run(tmp_path, "mirnet"))
    assert not any(verdict.claim == GAN for verdict in judge(found))


def test_the_gan_is_not_judged_without_references(tmp_path: Path) -> None:
    unscored = np.full(12, np.nan)
    found = entries(*(run(tmp_path, method, unscored) for method in ("gan", "mirnet", "autoencoder")))
    assert not any(one.claim == GAN for one in judge(found))


def with_colours(folder: Path, differences: np.ndarray) -> Path:
    """Add a ΔE per image to a run."""
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"test/delta_e": float(differences.mean())}))
    with (folder / "per_image.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "per_image.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "delta_e"])
        writer.writeheader()
        writer.writerows(row | {"delta_e": value} for row, value in zip(rows, differences, strict=True))
    return folder


@pytest.mark.parametrize(
    ("gain", "answer"),
    [(17 + NOISE, "yes"), (-3 + NOISE, "no"), (0.1 + CENTRED, "not distinguishable")],
)
def test_colours_are_compared_with_those_of_the_dark_image(
    tmp_path: Path, gain: np.ndarray, answer: str
) -> None:
    dark = BASE + 9
    found = entries(
        with_colours(run(tmp_path, "mirnet", BASE + NOISE), dark - gain),
        with_colours(run(tmp_path, "gan", BASE + NOISE), dark - gain + 5),
        with_colours(run(tmp_path, "identity", BASE - 9, epochs=0), dark),
    )
    judged = verdict(found, COLOURS)
    assert judged.answer == answer
    assert "Mean ΔE 2000: dark input 29.0, " in judged.reason
    assert f"mirnet {(dark - gain).mean():.1f}" in judged.reason
    assert "Reduction by mirnet: " in judged.reason


def test_colours_are_not_judged_without_their_score(tmp_path: Path) -> None:
    found = entries(run(tmp_path, "mirnet"), run(tmp_path, "identity", BASE - 9, epochs=0))
    assert not any(verdict.claim == COLOURS for verdict in judge(found))


@pytest.mark.parametrize(
    ("curve", "answer", "correlation"),
    [
        ([8, 9, 10, 12], "yes", "+1.00"),
        ([12, 10, 9, 8], "no", "-1.00"),
        ([9, 12, 8, 10], "not steadily", "+0.00"),
    ],
)
def test_the_epochs_are_judged_by_the_rank_correlation(
    tmp_path: Path, curve: list[float], answer: str, correlation: str
) -> None:
    folder = run(tmp_path, "mirnet")
    lines = [f"{epoch},{value}" for epoch, value in enumerate(curve, 1)]
    (folder / "metrics.csv").write_text("\n".join(["epoch,val/psnr", *lines]) + "\n")
    judged = verdict(entries(folder), EPOCHS + "mirnet")
    assert judged.answer == answer
    assert f"Rank correlation of validation PSNR with the epoch {correlation}; best 12.00 dB" in judged.reason


@pytest.mark.slow
@pytest.mark.parametrize(("method", "shown"), [("mirnet", True), ("coarse_to_fine", False)])
def test_only_a_report_with_a_method_of_the_study_shows_its_claims(
    tmp_path: Path, method: str, shown: bool
) -> None:
    folders = [run(tmp_path, method), run(tmp_path, "identity", BASE - 9, epochs=0)]
    page = compare(folders, tmp_path / "out", pictures=False, judge=judge).read_text()
    assert ("study's claims" in page) == shown
