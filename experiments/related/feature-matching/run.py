"""Compare conventional and learnt methods by noise, feature matching and image retrieval on pairs.

Every method enhances the test images at several levels of added noise. Measured per image: the noise of the
result, SIFT and ORB features matched with the reference (lowlight.evaluation.feature_matching), and whether
the result's features find its scene among the references of many scenes, each seen from elsewhere.
"""

import argparse
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

import lowlight
from lowlight.data import PairDataModule
from lowlight.data.pairs import Split
from lowlight.evaluation.feature_matching import (
    SIGMAS,
    Features,
    detect,
    grey,
    known_perspective,
    match,
    match_features,
    opencv,
)
from lowlight.evaluation.statistics import bootstrap_interval, compare_paired
from lowlight.files import write_json, write_table
from lowlight.images import from_uint8, to_uint8
from lowlight.runs.provenance import provenance

CONVENTIONAL = ("identity", "gamma", "histogram", "clahe", "bilateral", "lime", "msrcr")
"""Methods that learn nothing; every other one is learnt."""

FEATURES = 500
"""Strongest features per image in the retrieval."""

DETECTORS = ("sift", "orb")

MEASURES = (("noise", -1), ("correct", 1), ("precision", 1), ("repeatability", 1), ("found", 1))
"""What is reported per image, with 1 where more of it is better and -1 where less is.

``noise``: estimated deviation in grey levels. ``correct``, ``precision``, ``repeatability``: of the matching.
``found``: 1 if the right scene has the most matches in the retrieval.
"""

Row = dict[str, Any]


def noise_level(image: NDArray[np.uint8]) -> float:
    """Estimate the deviation of an image's noise in grey levels (Immerkaer, 1996): edges count in part."""
    import cv2

    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)
    filtered = cv2.filter2D(image.astype(np.float64), -1, mask)[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(filtered).mean())


def gallery(data: PairDataModule, distractors: int) -> dict[str, dict[str, Features]]:
    """Return the features of one reference per scene, seen from elsewhere, keyed by detector and scene.

    The scenes are those of the test images and, as distractors, the first of training.
    """
    cv2 = opencv()
    first = {scene: ("test", index) for index, scene in reversed(scenes_of(data, "test"))}
    others = {scene: ("train", index) for index, scene in reversed(scenes_of(data, "train"))}
    first |= dict([*reversed(others.items())][:distractors])
    features: dict[str, dict[str, Features]] = {detector: {} for detector in DETECTORS}
    for scene, (split, index) in first.items():
        picture = grey(from_uint8(np.array(data.datasets[split].pixels(index)[1]))[None])
        moved = cv2.warpPerspective(picture, known_perspective(*picture.shape), picture.shape[::-1])
        for detector, scenes in features.items():
            scenes[scene] = detect(cv2, moved, detector, FEATURES)
    return features


def scenes_of(data: PairDataModule, split: Split) -> list[tuple[int, str]]:
    """Return index and scene of each image of a split."""
    return [*enumerate(data.scene_labels(split).values())]


def rank_of(image: NDArray[np.uint8], scene: str, detector: str, scenes: Mapping[str, Features]) -> int:
    """Return the place of the right scene among all, by the number of matches; ties count against it."""
    cv2 = opencv()
    query = detect(cv2, image, detector, FEATURES)
    votes = {other: len(match(cv2, query, known, detector)[0]) for other, known in scenes.items()}
    own = votes.pop(scene)
    return 1 + sum(count >= own for count in votes.values())


class Remembered:
    """A method that enhances each image once, and keeps the results in grey by image name, in order."""

    def __init__(self, enhance: Callable[[Tensor], Tensor]) -> None:
        self.enhance = enhance
        self.results: dict[tuple[str, int], Tensor] = {}

    def __call__(self, low: Tensor, name: str) -> Tensor:
        """Return the enhanced image, rounded to 8 bits."""
        key = (name, hash(to_uint8(low).numpy().tobytes()))
        if key not in self.results:
            self.results[key] = to_uint8(self.enhance(low))
        return self.results[key].float() / 255

    def of(self, name: str) -> list[NDArray[np.uint8]]:
        """Return an image's results in grey, by ascending noise, the order in which they are asked for."""
        return [grey(image.float() / 255) for (other, _), image in self.results.items() if other == name]


def measure(
    spec: str,
    data: PairDataModule,
    names: Sequence[str],
    scenes: Mapping[str, Mapping[str, Features]],
    sigmas: Sequence[int],
) -> Iterator[Row]:
    """Yield one row per image, detector and noise level for a method, dark image and reference."""
    enhance = Remembered(lowlight.load(spec, precision="fp32").enhance)
    labels = data.scene_labels("test")
    batches = (batch for batch in data.test_dataloader() if batch["name"][0] in names)
    rows = match_features(enhance, batches, sigmas)
    for name in names:
        images = enhance.of(name)
        for row in (row for row in rows if row["name"] == name and row["image"] == "enhanced"):
            image = images[sigmas.index(row["sigma"])]
            rank = rank_of(image, labels[name], row["detector"], scenes[row["detector"]])
            extra = {
                "scene": labels[name],
                "noise": noise_level(image),
                "rank": rank,
                "found": int(rank == 1),
            }
            yield row | extra


def summary(method: str, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the mean and 95 % interval over scenes per detector, noise level and measure."""
    levels = sorted({row["sigma"] for row in rows})
    for detector, sigma, (measured, _) in product(DETECTORS, levels, MEASURES):
        chosen = [row for row in rows if (row["detector"], row["sigma"]) == (detector, sigma)]
        values = [float(row[measured]) for row in chosen]
        low, high = bootstrap_interval(values, [row["scene"] for row in chosen])
        yield {
            "method": method, "learnt": int(method not in CONVENTIONAL), "detector": detector, "sigma": sigma,
            "measure": measured, "mean": float(np.mean(values)), "low": low, "high": high,
        }  # fmt: skip


def judge(rows: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """Compare each learnt method with each conventional one, per measure, detector and noise level.

    Identity is left out: what it does not brighten it does not make noisy.
    """
    conventional = [name for name in rows if name in CONVENTIONAL and name != "identity"]
    learnt = [name for name in rows if name not in CONVENTIONAL]
    some = next(iter(rows.values()))
    scenes = {row["name"]: row["scene"] for row in some}
    levels = sorted({row["sigma"] for row in some})
    for ours, theirs in product(learnt, conventional):
        for detector, sigma, (measured, sign) in product(DETECTORS, levels, MEASURES):
            first, second = (
                [sign * float(found[name, detector, sigma][measured]) for name in scenes]
                for found in (by_image(rows[ours]), by_image(rows[theirs]))
            )
            paired = compare_paired(first, second, [*scenes.values()])
            answer = "better" if paired.difference > 0 else "worse"
            ends = sorted((sign * paired.low, sign * paired.high))
            yield {
                "method": ours, "against": theirs, "detector": detector, "sigma": sigma, "measure": measured,
                "difference": sign * paired.difference, "low": ends[0], "high": ends[1], "p": paired.p_value,
                "answer": answer if paired.distinguishable else "not distinguishable",
            }  # fmt: skip


def by_image(rows: Sequence[Row]) -> dict[tuple[str, str, int], Row]:
    """Return rows keyed by image, detector and noise level."""
    return {(row["name"], row["detector"], row["sigma"]): row for row in rows}


def table(rows: Sequence[Row], detector: str) -> str:
    """Write one Markdown row per method: each measure by ascending noise."""
    sigmas = sorted({row["sigma"] for row in rows})
    lines = [
        f"| {detector}, noise {', '.join(map(str, sigmas))} | {' | '.join(name for name, _ in MEASURES)} |",
        f"|---|{'--:|' * len(MEASURES)}",
    ]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = []
        for name, _ in MEASURES:
            chosen = [
                row
                for row in rows
                if (row["method"], row["detector"], row["measure"]) == (method, detector, name)
            ]
            decimals = {"noise": 1, "correct": 0}.get(name, 2)
            cells.append(", ".join(f"{row['mean']:.{decimals}f}" for row in chosen))
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def chosen_images(data: PairDataModule, per_scene: int | None) -> list[str]:
    """Return the names of the test images, at most so many per scene."""
    taken: dict[str, list[str]] = {}
    for name, scene in data.scene_labels("test").items():
        taken.setdefault(scene, []).append(name)
    return [name for names in taken.values() for name in names[:per_scene]]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of an earlier run of this script, their numbers as numbers."""
    with path.open(newline="") as file:
        return [row | {"sigma": int(row["sigma"])} for row in csv.DictReader(file)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="folder of pairs in LOL's layout")
    parser.add_argument(
        "models", nargs="*", help="runs, checkpoints or names; by default what needs no training"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--sigmas", type=int, nargs="+", default=list(SIGMAS), help="noise, of 255 levels")
    parser.add_argument("--per-scene", type=int, help="most test images per scene; by default all")
    parser.add_argument("--distractors", type=int, default=50, help="training scenes in the retrieval")
    arguments = parser.parse_args()
    specs = arguments.models or [*CONVENTIONAL, "coarse_to_fine"]
    parts = {Path(spec).name: arguments.out / "per_image" / f"{Path(spec).name}.csv" for spec in specs}
    if any(not part.exists() for part in parts.values()):
        data = PairDataModule(arguments.root)
        data.setup("fit")
        names = chosen_images(data, arguments.per_scene)
        scenes = gallery(data, arguments.distractors)
        for spec, part in zip(specs, parts.values(), strict=True):
            if not part.exists():
                part.parent.mkdir(parents=True, exist_ok=True)
                write_table(part, list(measure(spec, data, names, scenes, arguments.sigmas)))
                print(f"{part.stem} is measured", flush=True)
    rows = {method: read_rows(part) for method, part in parts.items()}
    means = [row for method, own in rows.items() for row in summary(method, own)]
    write_table(arguments.out / "matching.csv", means)
    if verdicts := list(judge(rows)):
        write_table(arguments.out / "claims.csv", verdicts)
    images = len({row["name"] for own in rows.values() for row in own})
    settings = {"images": images, "per_scene": arguments.per_scene, "distractors": arguments.distractors}
    write_json(arguments.out / "manifest.json", provenance() | settings)
    text = "\n\n".join(table(means, detector) for detector in DETECTORS)
    (arguments.out / "tables.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
