"""Gather what run.py measured: results/field.json, results/per_image.csv, and what ``lowlight models`` lists.

What an earlier call gathered stays, unless the folder holds it anew: methods may be trained in several
places.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowlight.files import read_json, read_table, write_json, write_table
from lowlight.methods.measured import FILE
from lowlight.shipped import SCORES

RESULTS = Path(__file__).parent / "results"
FIELD = RESULTS / "field.json"
IMAGES = RESULTS / "per_image.csv"

KEPT = (*SCORES, "lpips", "niqe", "loe")
"""Scores that are kept of each method and image."""


def score(source: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a ``metrics.json`` that the tables show."""
    keys = [key for key in KEPT if f"test/{key}" in metrics]
    return {
        "source": source,
        **{key: metrics[key] for key in ("split", "images", "scenes")},
        "means": {key: metrics[f"test/{key}"] for key in keys},
        "intervals": {key: metrics["intervals"][key] for key in keys if key in metrics["intervals"]},
    }


def row_of_source(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of mixed-sources/run.py in the same form."""
    keys = [key for key in SCORES if key in row]
    return {
        **{key: row[key] for key in ("source", "split", "images", "scenes")},
        "means": {key: row[key] for key in keys},
        "intervals": {key: row[f"{key}_interval"] for key in keys},
    }


def benchmarked(out: Path, folder: str) -> dict[str, dict[str, Any]]:
    """Return what ``lowlight benchmark`` measured, keyed by method and engine; nothing if it has not run."""
    file = out / folder / "benchmark.json"
    found: dict[str, dict[str, Any]] = {}
    for row in read_json(file)["rows"] if file.exists() else []:
        found.setdefault(Path(row["model"]).name, {})[row["engine"]] = row
    return found


def add_speeds(methods: dict[str, Any], out: Path) -> None:
    """Add the size, speed and memory of each method that is there."""
    avx2 = benchmarked(out, "speed-avx2")
    for name, engines in benchmarked(out, "speed").items():
        if name in methods:
            torch = engines["torch"]
            methods[name] |= {key: torch[key] for key in ("parameters", "gmac", "milliseconds", "memory_mb")}
            methods[name]["milliseconds_bf16"] = (
                engines["bf16"]["milliseconds"] if "bf16" in engines else None
            )
            methods[name]["milliseconds_avx2"] = avx2[name]["torch"]["milliseconds"]


def gather_images(out: Path) -> None:
    """Keep the scores of each image, of all methods and seeds."""
    kept = (
        {(row["method"], row["seed"], row["name"]): row for row in read_table(IMAGES)}
        if IMAGES.exists()
        else {}
    )
    for test in sorted(path.parent for path in out.glob("test/*/per_image.csv")):
        method, seed = method_and_seed(test.name, out)
        for row in read_table(test / "per_image.csv"):
            kept[method, seed, row["name"]] = {
                "method": method,
                "seed": seed,
                "name": row["name"],
                "scene": row["scene"],
                **{key: f"{float(row[key]):.6g}" for key in KEPT},
            }
    write_table(IMAGES, [kept[key] for key in sorted(kept)])


def method_and_seed(test: str, out: Path) -> tuple[str, str]:
    """Return what a folder of scores is of: those of methods that learn nothing are named without a seed."""
    name, _, seed = test.rpartition("-")
    return (name, seed) if (out / "runs" / test).exists() else (test, "0")


def add_scores(methods: dict[str, Any], out: Path) -> None:
    """Add the scores of each method, of all its seeds."""
    for test in sorted(path.parent for path in out.glob("test/*/metrics.json")):
        name, seed = method_and_seed(test.name, out)
        about = methods.setdefault(name, {"name": name, "seeds": {}})
        one: dict[str, Any] = {"scores": [score("lol", read_json(test / "metrics.json"))]}
        validation = out / "validation" / test.name / "metrics.json"
        if validation.exists():
            one["scores"].append(score("lol", read_json(validation) | {"split": "val"}))
        rows = json.loads((out / "sources" / test.name / "scores.json").read_text())
        one["scores"] += [row_of_source(row) for row in rows if row["source"] != "lol"]
        manifest = out / "runs" / test.name / "manifest.json"
        if manifest.exists():
            told = read_json(manifest)
            one |= {key: told[key] for key in ("commit", "train_minutes", "epochs", "parameters")}
            one["precision"] = told["precision"]["used"][-1]
            one["processor"] = told["machine"]["processor"]
            one["date"] = told["finished"][:10]
        about["seeds"][seed] = one


def write_listed(methods: list[dict[str, Any]], processor: str) -> None:
    """Write the figures that ``lowlight models`` lists."""
    listed = [
        {
            **{key: method[key] for key in ("name", "parameters", "gmac", "milliseconds")},
            "score": method["seeds"]["0"]["scores"][0],
        }
        for method in methods
    ]
    about = "trained for 15 minutes on LOL by two CPU cores, by experiment=lol_cpu/NAME with seed 0"
    write_json(FILE, {"about": about, "machine": f"two threads of an {processor}", "methods": listed})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder that run.py wrote to")
    out: Path = parser.parse_args().out
    known = read_json(FIELD) if FIELD.exists() else {"methods": []}
    found = {method["name"]: method for method in known["methods"]}
    add_scores(found, out)
    add_speeds(found, out)
    methods = sorted(found.values(), key=lambda method: -method["seeds"]["0"]["scores"][0]["means"]["psnr"])
    measured = out / "speed" / "benchmark.json"
    machine = read_json(measured)["about"]["machine"] if measured.exists() else known["machine"]
    write_json(FIELD, {"machine": machine, "methods": methods})
    write_listed(methods, machine["processor"])
    gather_images(out)
    shutil.copy(out / "epochs.json", RESULTS / "epochs.json")


if __name__ == "__main__":
    main()
