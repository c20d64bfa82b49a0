"""Findings in words: what is claimed of the scores and what is not."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowlight.report import compare
from lowlight.report.entries import Entry, gather
from lowlight.report.findings import (
    against_the_first,
    headline,
    notes_on_pairs,
    pair,
    scenes_needed,
    statement,
)
from lowlight.report.page_tables import features_table, paired_rows
from lowlight.report.runs import read_runs
from tests.report.fake_runs import write_run

NAMES = [f"eval15/{index}" for index in range(12)]
BASE = np.linspace(15, 25, 12)
NOISE = np.random.default_rng(0).normal(0, 1, 12)


def entries(*folders: Path) -> list[Entry]:
    return gather(read_runs(folders))


def run(folder: Path, method: str, scores: np.ndarray, **more: Any) -> Path:
    return write_run(
        folder, method, psnr=float(scores.mean()), names=NAMES, per_image=scores.tolist(), **more
    )


def test_a_steady_lead_is_claimed_and_an_unsteady_one_is_not(tmp_path: Path) -> None:
    found = entries(
        run(tmp_path / "a", "first", BASE + 1),
        run(tmp_path / "b", "near", BASE + 1 - 0.05 + NOISE - NOISE.mean()),
        run(tmp_path / "c", "behind", BASE + 0.1 * NOISE),
    )
    assert headline(found) == "first has the highest PSNR, 21.00 dB, but is not distinguishable from near"
    near, behind, adjusted = notes_on_pairs(found)
    assert adjusted == "p by Wilcoxon's test, adjusted for 2 comparisons (Holm)."
    assert near.startswith("first against near: +0.05 dB [−")
    assert near.endswith("not distinguishable.")
    assert behind.endswith(", distinguishable.")
    assert headline([found[0], found[2]]) == "first has the highest PSNR, 21.00 dB"


def test_a_lead_on_many_images_of_few_scenes_is_not_claimed(tmp_path: Path) -> None:
    scenes = [f"scene {index // 4}" for index in range(12)]
    found = entries(
        run(tmp_path / "a", "first", BASE + 1, scenes=scenes),
        run(tmp_path / "b", "second", BASE + 0.01 * NOISE, scenes=scenes),
    )
    assert headline(found) == (
        "first has the highest PSNR, 21.00 dB; too few scenes to distinguish methods (3; it takes 6)"
    )
    assert notes_on_pairs(found)[0].endswith("not distinguishable.")
    assert "12 test images of 3 scenes." in statement(found)


@pytest.mark.parametrize("niqe", [5.0, math.nan])
def test_without_references_no_method_is_ranked(tmp_path: Path, niqe: float) -> None:
    found = entries(
        *(
            run(tmp_path / name, name, BASE, metrics={"references": False, "test/psnr": math.nan} | scores)
            for name, scores in (("a", {"test/niqe": niqe}), ("b", {"test/niqe": 6.0}))
        )
    )
    assert headline(found) == "No method is ranked: there are no references"
    assert notes_on_pairs(found) == []


def test_runs_are_paired_by_image_and_not_by_order(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a", "first", BASE + 1), run(tmp_path / "b", "second", BASE + 0.01 * NOISE)
    with (second / "per_image.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (second / "per_image.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows[::-1])
    assert notes_on_pairs(entries(first, second))[0].endswith(", distinguishable.")


def test_the_best_of_ten_equal_methods_is_seldom_distinguishable(tmp_path: Path) -> None:
    """Without a correction one of the nine others would be in over half of the cases, such as this one."""
    random = np.random.default_rng(4)
    found = entries(*(run(tmp_path / f"{k}", f"m{k}", BASE + random.normal(size=12)) for k in range(10)))
    raw = [pair(found[0], other, "psnr") for other in found[1:]]
    assert any(paired.distinguishable for paired in raw)
    assert not any(paired.distinguishable for _, paired in against_the_first(found))
    assert "is not distinguishable from m" in headline(found)
    assert all(row[-1] == "not distinguishable" for row in paired_rows(found))


@pytest.mark.parametrize(("comparisons", "scenes"), [(0, 6), (1, 6), (2, 7), (3, 7), (9, 9)])
def test_more_comparisons_take_more_scenes(comparisons: int, scenes: int) -> None:
    assert scenes_needed(comparisons) == scenes
    assert max(comparisons, 1) * 2 / 2**scenes < 0.05 <= max(comparisons, 1) * 2 / 2 ** (scenes - 1)


def test_images_are_averaged_over_seeds(tmp_path: Path) -> None:
    (entry,) = entries(run(tmp_path / "a", "m", BASE + 1, seed=0), run(tmp_path / "b", "m", BASE - 1, seed=1))
    assert entry.images("psnr") == pytest.approx(BASE.tolist())
    assert entry.score("psnr") == pytest.approx(20)
    assert entry.spread("psnr") == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("leak", "told"),
    [
        (None, "Whether training shows the test scenes is unknown for m."),
        (
            {"test_images": 12, "in_training_scenes": 0},
            "No test image shows a scene of the training set.",
        ),
        (
            {"test_images": 12, "in_training_scenes": 9},
            "Leak: 9 of 12 test images show a scene of the training set",
        ),
    ],
)
def test_the_leak_is_stated(tmp_path: Path, leak: dict[str, int] | None, told: str) -> None:
    data = {"data": {"leak": leak} if leak else {}}
    found = entries(run(tmp_path / "a", "m", BASE, manifest=data, metrics={"protocol": "standard"}))
    text = " ".join(statement(found))
    assert told in text
    assert text.startswith("Split: standard, the published one.")


TRAINED_ON = {"method.name": "m", "data.root": [str(Path("LOL").resolve())], "data.split": "scene_disjoint"}
NO_LEAK = {"sets": {"LOL": {"train": 436, "test": 12}}, "leak": {"test_images": 12, "in_training_scenes": 0}}
NO_SCENE = "No test image shows a scene of the training set."


def evaluated(folder: Path, method: str = "m", root: str = "LOL", **facts: Any) -> Path:
    """Write the evaluation of a checkpoint that was trained on LOL and leaked no test scene of it."""
    return run(
        folder, method, BASE, manifest={"data_of_training": NO_LEAK, "trained_as": TRAINED_ON} | facts,
        config={"checkpoint": "runs/m", "data": {"root": root}},
    )  # fmt: skip


def test_a_checkpoint_scored_on_its_own_test_split_has_its_trainings_leak(tmp_path: Path) -> None:
    assert statement(entries(evaluated(tmp_path / "own")))[-1] == NO_SCENE
    leaking = NO_LEAK | {"leak": {"test_images": 12, "in_training_scenes": 9}}
    text = statement(entries(evaluated(tmp_path / "leaking", data_of_training=leaking)))[-1]
    assert text.startswith("Leak: 9 of 12 test images")


@pytest.mark.parametrize(
    ("root", "facts"),
    [
        ("elsewhere/LOL", {}),
        ("LOL", {"trained_as": None}),
        ("LOL", {"data_of_training": None}),
        ("LOL", {"trained_as": TRAINED_ON | {"data.split": "by_file"}}),
        ("LOL", {"trained_as": TRAINED_ON | {"data.layout.splits.test": ["other"]}}),
        ("LOL", {"data_of_training": NO_LEAK | {"sets": {"LOL": {"test": 15}}}}),
        ("LOL", {"data_of_training": NO_LEAK | {"leak": {"test_images": 15, "in_training_scenes": 0}}}),
    ],
)
def test_a_leak_counted_on_other_images_is_unknown(tmp_path: Path, root: str, facts: dict[str, Any]) -> None:
    found = entries(evaluated(tmp_path / "a", root=root, **facts))
    assert statement(found)[-1] == "Whether training shows the test scenes is unknown for m."


def test_a_recorded_zero_vouches_for_no_other_entry(tmp_path: Path) -> None:
    clean = {"data": NO_LEAK}
    ours = run(tmp_path / "a", "ours", BASE + 1, manifest=clean)
    gamma = run(tmp_path / "b", "gamma", BASE, epochs=0)
    assert statement(entries(ours, gamma))[-1] == NO_SCENE
    theirs = run(tmp_path / "c", "theirs", BASE, epochs=0, manifest={"predictions": "somewhere"})
    bare = evaluated(tmp_path / "d", "bare", data_of_training=None, trained_as=None)
    text = " ".join(statement(entries(ours, gamma, theirs, bare)))
    assert text.endswith("Whether training shows the test scenes is unknown for theirs and bare.")
    assert NO_SCENE not in text
    assert statement(entries(gamma))[-1] == "None of the methods is trained."


def test_a_split_by_file_is_called_what_it_is(tmp_path: Path) -> None:
    found = entries(run(tmp_path / "a", "m", BASE, metrics={"protocol": "by_file"}))
    assert "these scores show a leak, not quality" in statement(found)[0]


@pytest.mark.slow
def test_saved_predictions_are_compared_but_not_timed(tmp_path: Path) -> None:
    theirs = run(tmp_path / "a", "theirs", BASE, epochs=0, manifest={"predictions": "somewhere"})
    ours = run(tmp_path / "b", "ours", BASE - 1)

    compare([theirs, ours], tmp_path / "out", device="auto")
    with (tmp_path / "out" / "table.csv").open(newline="") as file:
        times = {row["method"]: row["ms_per_image"] for row in csv.DictReader(file)}
    assert times["theirs"] == ""
    assert float(times["ours"]) > 0


def test_seeds_of_one_training_stay_together_when_their_checkpoints_are_evaluated(tmp_path: Path) -> None:
    folders = []
    for seed in (0, 1):
        trained = {"method.name": "mirnet", "seed": seed, "data.seed": seed}
        folders.append(
            run(
                tmp_path / str(seed), "mirnet", BASE + seed, seed=seed,
                config={"checkpoint": f"runs/{seed}"}, manifest={"trained_as": trained},
            )
        )  # fmt: skip
    (entry,) = entries(*folders)
    assert [one.seed for one in entry.runs] == [0, 1]


@pytest.mark.parametrize(
    ("checkpoint", "facts", "config", "labels"),
    [
        ("best.ckpt", {}, {}, ["mirnet"]),
        ("last.ckpt", {}, {}, ["mirnet (checkpoint=last.ckpt)", "mirnet (checkpoint=best.ckpt)"]),
        (
            "",
            {"precision": {"asked": "auto", "used": ["bf16-mixed"]}},
            {},
            ["mirnet (precision=bf16-mixed)", "mirnet (precision=32-true)"],
        ),
        (
            "",
            {},
            {"trainer": {"precision": "bf16-mixed"}},
            ["mirnet (precision=bf16-mixed)", "mirnet (precision=32-true)"],
        ),
    ],
)
def test_seeds_evaluated_in_other_precisions_or_from_other_files_are_no_seeds_of_one_entry(
    tmp_path: Path, checkpoint: str, facts: dict[str, Any], config: dict[str, Any], labels: list[str]
) -> None:
    trained = {"manifest": {"trained_as": {"method.name": "mirnet"}}, "config": {"checkpoint": "runs/0"}}
    first = run(tmp_path / "0", "mirnet", BASE, **trained)
    other = run(
        tmp_path / "1", "mirnet", BASE + 1, seed=1, manifest=trained["manifest"] | facts,
        config={"checkpoint": f"runs/1/{checkpoint}"} | config,
    )  # fmt: skip
    assert [entry.label for entry in entries(first, other)] == labels


def test_dark_input_and_reference_are_shown_at_each_level_that_any_run_has(tmp_path: Path) -> None:
    def matched(factor: float) -> dict[str, dict[str, float]]:
        roles = enumerate(("low", "enhanced", "reference"), 1)
        return {role: {"correct": factor * k, "precision": 0.1 * k} for k, role in roles}

    saved = run(tmp_path / "a", "theirs", BASE + 1, epochs=0)
    (saved / "features.json").write_text(json.dumps({"sift": {"0": matched(10)}}))
    ours = run(tmp_path / "b", "ours", BASE, epochs=0)
    (ours / "features.json").write_text(json.dumps({"sift": {"0": matched(20), "5": matched(30)}}))
    assert features_table(entries(saved, ours)) == (
        ["Image", "Noise 0", "Noise 5"],
        [
            ["SIFT, low", "10 (10 %)", "30 (10 %)"],
            ["SIFT, theirs", "20 (20 %)", "–"],
            ["SIFT, ours", "40 (20 %)", "60 (20 %)"],
            ["SIFT, reference", "30 (30 %)", "90 (30 %)"],
        ],
    )


def test_features_are_shown_where_they_were_matched(tmp_path: Path) -> None:
    folder = run(tmp_path / "a", "gamma", BASE, epochs=0)
    roles = {
        role: {"correct": 10.0 * k, "precision": 0.25 * k}
        for k, role in enumerate(("low", "enhanced", "reference"), 1)
    }
    (folder / "features.json").write_text(json.dumps({"sift": {"0": roles, "10": roles}}))
    page = compare([folder], tmp_path / "out").read_text()
    assert "Does enhancement help machine vision?" in page
    assert '<th scope="col">Noise 10</th>' in page
    assert '<th scope="row">SIFT, gamma</th><td>20 (50 %)</td><td>20 (50 %)</td>' in page
