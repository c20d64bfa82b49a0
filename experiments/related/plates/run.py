"""Count the characters that an OCR reads right on drawn and real plates, before and after restoring them.

Drawn plates are the test split of data=plates. Real ones come from folders with a labels.csv (file,text);
they are read as they are, and under each problem. Without --model, only
what the OCR reads before is measured.
"""

import argparse
import csv
import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import lowlight
from lowlight.data import DrawnPlates
from lowlight.data.plate_drawing import SIZE
from lowlight.data.plate_problems import PROBLEMS, degrade
from lowlight.evaluation.plate_reading import characters_right, normalised, plate_reader
from lowlight.evaluation.statistics import bootstrap_interval, compare_paired
from lowlight.images import from_uint8, read_rgb
from lowlight.inference.photos.enhance import enhance_pixels
from lowlight.inference.settings import Settings
from lowlight.metrics import psnr, ssim
from lowlight.metrics.classification import classification_scores
from lowlight.metrics.legibility import legibility

HERE = Path(__file__).parent
READABLE = 0.5
"""Legibility from which a plate counts as readable, as in conf/method/plate_gan.yaml."""

BINS = np.linspace(0, 1, 11)


@dataclass
class Plate:
    source: str
    name: str
    problem: str
    text: str
    low: np.ndarray
    high: np.ndarray | None


def drawn(count: int) -> Iterator[Plate]:
    for pair in DrawnPlates(test_count=count).pairs("test"):
        low, high = pair.read()
        yield Plate("drawn", pair.name, pair.problem, pair.draw().text, low, high)


def real(root: Path, limit: int | None) -> Iterator[Plate]:
    for labels in sorted(root.rglob("labels.csv")):
        with labels.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))[:limit]
        for row in rows:
            high = read_rgb(labels.parent / row["file"])
            name, text = f"{labels.parent.name}/{row['file']}", normalised(row["text"])
            yield Plate(f"real, {labels.parent.name}", name, "as it is", text, high, None)
            # Severities are in pixels of drawn plates, so real ones are brought to their width.
            size = (SIZE[0], round(high.shape[0] * SIZE[0] / high.shape[1]))
            scaled = np.asarray(Image.fromarray(high).resize(size, Image.Resampling.BICUBIC))
            for problem in PROBLEMS[1:]:
                generator = np.random.default_rng(zlib.crc32(f"{name}/{problem}".encode()))
                low = degrade(scaled, problem, generator)
                yield Plate(f"real, {labels.parent.name}", name, problem, text, low, scaled)


def measure(plate: Plate, read: Any, models: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"source": plate.source, "name": plate.name, "problem": plate.problem}
    row["before"] = characters_right(plate.text, read(plate.low))
    row["whole_before"] = row["before"] == 1
    if plate.high is not None:
        low, high = from_uint8(plate.low)[None], from_uint8(plate.high)[None]
        row["reference"] = characters_right(plate.text, read(plate.high))
        row["legibility"] = legibility(low, high).item()
        row |= {"psnr_before": psnr(low, high).item(), "ssim_before": ssim(low, high).item()}
    for name, enhancer in models.items():
        began = time.perf_counter()
        after, reason = enhance_pixels(enhancer, plate.low)
        row[f"{name}_ms"] = 1000 * (time.perf_counter() - began)
        forced, _ = enhance_pixels(enhancer, plate.low, Settings(fail_safe=False))
        row[f"{name}_reason"] = reason or ""
        row[f"{name}_after"] = row["before"] if reason else characters_right(plate.text, read(after))
        row[f"{name}_always"] = (
            row[f"{name}_after"] if not reason else characters_right(plate.text, read(forced))
        )
        if plate.high is not None:
            image = from_uint8(after)[None]
            row |= {f"{name}_psnr": psnr(image, high).item(), f"{name}_ssim": ssim(image, high).item()}
        if hasattr(net := enhancer.method.net, "classify"):
            net.eval()
            problems, readable = net.classify(from_uint8(plate.low)[None])
            row[f"{name}_found"] = net.problems[int(problems.argmax())]
            row[f"{name}_readable"] = bool(readable > 0)
    return row


def mean(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    values, scenes = [row[key] for row in rows], [row["name"] for row in rows]
    return {"mean": float(np.mean(values)), "interval": list(bootstrap_interval(values, scenes))}


def summarise(rows: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
    """Return means with intervals over plates, which are resampled with all their pictures."""
    scenes = [row["name"] for row in rows]
    keys = ["before", "whole_before", "reference", "legibility", "psnr_before", "ssim_before"]
    keys += [f"{name}_{key}" for name in names for key in ("after", "always", "psnr", "ssim")]
    about: dict[str, Any] = {"plates": len(rows)}
    about |= {key: mean(having, key) for key in keys if (having := [row for row in rows if key in row])}
    for name in names:
        before, after = ([row[key] for row in rows] for key in ("before", f"{name}_after"))
        gain = compare_paired(after, before, scenes)
        about[f"{name}_gain"] = {
            "mean": gain.difference,
            "interval": [gain.low, gain.high],
            "p": gain.p_value,
        }
        reasons = [row[f"{name}_reason"] for row in rows]
        about[f"{name}_reasons"] = {one: reasons.count(one) for one in sorted(set(reasons))}
        times = {
            bool(reason): [row[f"{name}_ms"] for row in rows if bool(row[f"{name}_reason"]) == bool(reason)]
            for reason in reasons
        }
        about[f"{name}_ms"] = {
            "left alone" if left else "restored": float(np.median(ms)) for left, ms in times.items()
        }
    return about


def classified(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return confusion matrices, true classes in rows, and the scores that follow from them."""
    matrix, reading = torch.zeros(len(PROBLEMS), len(PROBLEMS)), torch.zeros(2, 2)
    for row in rows:
        if row["problem"] in PROBLEMS and f"{name}_found" in row:
            matrix[PROBLEMS.index(row["problem"]), PROBLEMS.index(row[f"{name}_found"])] += 1
            reading[int(row["legibility"] >= READABLE), int(row[f"{name}_readable"])] += 1
    return {
        "problem": {"classes": PROBLEMS, "counts": matrix.int().tolist(), **classification_scores(matrix)},
        "readable": {
            "classes": ["unreadable", "readable"],
            "counts": reading.int().tolist(),
            **classification_scores(reading),
        },
    }


def by_legibility(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """Return what is read before and after per tenth of legibility, from which its limit can be judged."""
    having = [row for row in rows if "legibility" in row]
    table = []
    for low, high in pairwise(BINS):
        own = [row for row in having if low <= max(row["legibility"], 0) < high + (high == 1)]
        if own:
            keys = ["before", *(f"{name}_always" for name in names)]
            table.append(
                {"from": round(float(low), 1), "plates": len(own)}
                | {key: float(np.mean([row[key] for row in own])) for key in keys}
            )
    return table


def sheet(models: dict[str, Any], path: Path, per_problem: int = 3) -> None:
    """Show drawn plates of each problem: degraded, as each model returns it, and the reference."""
    lines: dict[str, list[np.ndarray]] = {problem: [] for problem in PROBLEMS}
    for plate in drawn(per_problem * len(PROBLEMS)):
        shown = [plate.low, *(enhance_pixels(one, plate.low)[0] for one in models.values()), plate.high]
        lines[plate.problem].append(np.concatenate(shown, axis=1))
    rows = [np.concatenate(plates, axis=1) for plates in lines.values()]
    Image.fromarray(np.concatenate(rows)).save(path, quality=85)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs=2, action="append", default=[], metavar=("NAME", "MODEL"))
    parser.add_argument(
        "--real", type=Path, help="folder with folders of real plates, each with a labels.csv"
    )
    parser.add_argument("--count", type=int, default=270, help="drawn plates")
    parser.add_argument("--limit", type=int, help="real plates per folder")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    read = plate_reader()
    models = {name: lowlight.load(path) for name, path in arguments.model}
    plates: list[Iterator[Plate]] = [drawn(arguments.count)]
    if arguments.real:
        plates.append(real(arguments.real, arguments.limit))
    rows = [measure(plate, read, models) for source in plates for plate in source]
    report: dict[str, Any] = {
        "parameters": {name: one.method.parameter_count for name, one in models.items()},
        "by_legibility": by_legibility(rows, list(models)),
        "sources": {},
    }
    for source in dict.fromkeys(row["source"] for row in rows):
        own = [row for row in rows if row["source"] == source]
        groups = {"all": own} | {
            problem: [row for row in own if row["problem"] == problem]
            for problem in dict.fromkeys(row["problem"] for row in own)
        }
        report["sources"][source] = {
            "problems": {problem: summarise(group, list(models)) for problem, group in groups.items()},
            "classifiers": {
                name: classified(own, name)
                for name, one in models.items()
                if hasattr(one.method.net, "classify")
            },
        }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "plates.json").write_text(json.dumps(report, indent=1) + "\n")
    sheet(models, arguments.out / "plates.jpg")
    for source, about in report["sources"].items():
        for problem, one in about["problems"].items():
            after = "".join(
                f"  {name} {one[f'{name}_after']['mean']:.2f} (gain {one[f'{name}_gain']['mean']:+.2f} "
                f"[{one[f'{name}_gain']['interval'][0]:+.2f}, {one[f'{name}_gain']['interval'][1]:+.2f}])"
                for name in models
            )
            low, high = one["before"]["interval"]
            print(
                f"{source:10} {problem:15} n={one['plates']:4} before {one['before']['mean']:.2f} "
                f"[{low:.2f}, {high:.2f}]{after}"
            )


if __name__ == "__main__":
    main()
