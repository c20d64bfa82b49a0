"""Write what run.py measured: results/field.json, the README's tables, and what ``lowlight models`` lists.

What an earlier call wrote stays, unless the folder holds it anew: methods may be trained in several places.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scipy.stats import kendalltau

from lowlight.evaluation.statistics import compare_paired, holm
from lowlight.files import read_json, read_table, write_json, write_table
from lowlight.methods.measured import FILE
from lowlight.report.figures import LIGHT
from lowlight.report.score_figures import draw_distribution
from lowlight.shipped import SCORES, Score

HERE = Path(__file__).parent
RESULTS = HERE / "results"
IMAGES = RESULTS / "per_image.csv"

PUBLISHED = {
    "retinexnet": 16.77,
    "enlighten_gan": 17.48,
    "restormer": 22.43,
    "iat": 23.38,
    "hvi_cidnet": 23.81,
    "mirnet": 24.14,
    "retinexformer": 25.16,
    "zero_dce": 14.86,
    "zero_dce_pp": 15.14,
    "sci": 14.85,
}
"""PSNR in dB on LOL's 15 official test images: as published, and of published weights for the last three."""

DIFFERENCES = ("psnr", "ssim", "lpips")
"""Scores whose differences are shown."""

_TEST = ("lol", "test")
AGREEMENT = {
    "GT-mean": (_TEST, "psnr_gtmean", 1),
    "SSIM": (_TEST, "ssim", 1),
    "LPIPS": (_TEST, "lpips", -1),
    "NIQE": (_TEST, "niqe", -1),
    "LOE": (_TEST, "loe", -1),
    "PSNR on exposures": (("exposures", "val"), "psnr", 1),
    "PSNR on darkened": (("bright", "test"), "psnr", 1),
}
"""Scores whose ranks are compared with those of PSNR: pairs, key, and -1 where lower is better."""

SECOND = {"lpips": ("LPIPS", 3), "niqe": ("NIQE", 1), "loe": ("LOE", 0)}


def score(source: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a ``metrics.json`` that the tables show."""
    keys = [key for key in (*SCORES, *SECOND) if f"test/{key}" in metrics]
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


class Images(NamedTuple):
    """Scores of one method's test images, in the form of a report's entry."""

    label: str
    rows: list[dict[str, str]]

    def images(self, key: str) -> list[float]:
        """Return one score of each image."""
        return [float(row[key]) for row in self.rows]


def keep_images(out: Path) -> dict[str, Images]:
    """Keep the scores of each image, of all methods and seeds; return those of seed 0."""
    kept = (
        {(row["method"], row["seed"], row["name"]): row for row in read_table(IMAGES)}
        if IMAGES.exists()
        else {}
    )
    for test in sorted(path.parent for path in out.glob("test/*/per_image.csv")):
        method, seed = method_and_seed(test.name, out)
        for row in read_table(test / "per_image.csv"):
            numbers = {key: f"{float(row[key]):.6g}" for key in SCORES | SECOND}
            kept[method, seed, row["name"]] = {
                "method": method,
                "seed": seed,
                "name": row["name"],
                "scene": row["scene"],
                **numbers,
            }
    write_table(IMAGES, [kept[key] for key in sorted(kept)])
    found: dict[str, Images] = {}
    for method, seed, name in sorted(kept):
        if seed == "0":
            found.setdefault(method, Images(method, [])).rows.append(kept[method, seed, name])
    return found


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
        about["seeds"][seed] = one


def on_test(method: Mapping[str, Any], seed: str = "0") -> Score:
    """Return a method's scores on LOL's test pairs."""
    return Score(**method["seeds"][seed]["scores"][0])


def cell(found: Score | None, key: str, best: float | None = None) -> str:
    """Return a mean with its interval, in bold if it is the best."""
    if found is None or key not in found.means:
        return ""
    decimals = (SCORES | SECOND)[key][1]
    mean = f"{found.means[key]:.{decimals}f}"
    if found.means[key] == best:
        mean = f"**{mean}**"
    if key not in found.intervals:
        return mean
    low, high = found.intervals[key]
    return f"{mean} [{low:.{decimals}f}, {high:.{decimals}f}]"


def markdown(headings: list[str], rows: list[list[str]]) -> str:
    """Return a table of Markdown whose first column is text."""
    lines = [f"| {' | '.join(headings)} |", f"|---|{'--:|' * (len(headings) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def scores_table(methods: list[dict[str, Any]]) -> str:
    """Return the table of scores on LOL's test pairs."""
    shown = SCORES | SECOND
    found = [on_test(method) for method in methods]
    best = {}
    for key in shown:
        values = [one.means[key] for one in found if key in one.means]
        lower = key not in ("psnr", "psnr_gtmean", "ssim")
        best[key] = min(values) if lower else max(values)
    rows = [
        [method["name"], *(cell(one, key, best[key]) for key in shown)]
        for method, one in zip(methods, found, strict=True)
    ]
    return markdown(["method", *(heading for heading, _ in shown.values())], rows)


def three_digits(number: float) -> str:
    """Return a number with three digits at least."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def costs_table(methods: list[dict[str, Any]]) -> str:
    """Return the table of sizes and speeds."""
    rows = []
    for method in methods:
        run = method["seeds"]["0"]
        bf16 = method["milliseconds_bf16"]
        rows.append(
            [
                method["name"],
                f"{method['parameters']:,}" if method["parameters"] else "",
                f"{method['gmac']:.2f}" if method["gmac"] else "",
                three_digits(method["milliseconds"]),
                three_digits(bf16) if bf16 else "",
                three_digits(method["milliseconds_avx2"]),
                f"{method['memory_mb']:.0f}",
                f"{run['epochs']}" if "epochs" in run else "",
                f"{run['train_minutes']:.1f}" if "train_minutes" in run else "",
                run.get("precision", ""),
            ]
        )
    headings = [
        "method",
        "parameters",
        "GMAC",
        "ms",
        "ms, bf16",
        "ms, AVX2",
        "MB",
        "epochs",
        "minutes",
        "trained in",
    ]
    return markdown(headings, rows)


def sources_table(methods: list[dict[str, Any]]) -> str:
    """Return the table of scores on the other sources."""
    sources = {
        ("lol", "val"): "LOL, validation",
        ("exposures", "val"): "exposures",
        ("bright", "test"): "darkened",
    }
    rows = []
    for method in methods:
        of_source = {(one["source"], one["split"]): Score(**one) for one in method["seeds"]["0"]["scores"]}
        found = [of_source.get(key) for key in sources]
        rows.append([method["name"]] + [cell(one, key) for one in found for key in ("psnr", "ssim")])
    headings = [f"{name}: {key}" for name in sources.values() for key in ("PSNR, dB", "SSIM")]
    return markdown(["method", *headings], rows)


def differences_table(entries: list[Images]) -> str:
    """Return the table of the first method's scores minus those of the others, on the same images."""
    first, *others = entries
    scenes = [row["scene"] for row in first.rows]
    columns = []
    for key in DIFFERENCES:
        found = [compare_paired(first.images(key), other.images(key), scenes) for other in others]
        decimals = (SCORES | SECOND)[key][1]
        columns.append(
            [
                f"{one.difference:+.{decimals}f} [{one.low:+.{decimals}f}, {one.high:+.{decimals}f}], {p:.3f}"
                for one, p in zip(found, holm([one.p_value for one in found]), strict=True)
            ]
        )
    rows = [[other.label, *cells] for other, *cells in zip(others, *columns, strict=True)]
    headings = [(SCORES | SECOND)[key][0] for key in DIFFERENCES]
    return markdown([f"{first.label} minus", *headings], rows)


def seeds_table(methods: list[dict[str, Any]]) -> str:
    """Return the table of those that were trained with several seeds."""
    rows = []
    for method in methods:
        if len(method["seeds"]) > 1:
            found = [on_test(method, seed) for seed in sorted(method["seeds"])]
            cells = [
                ", ".join(f"{one.means[key]:.{decimals}f}" for one in found)
                for key, (_, decimals) in (SCORES | SECOND).items()
            ]
            rows.append([method["name"], *cells])
    return markdown(["method", *(heading for heading, _ in (SCORES | SECOND).values())], rows)


def ranks_table(methods: list[dict[str, Any]]) -> str:
    """Return the table of ranks by published PSNR and at equal time."""
    names = [method["name"] for method in methods if method["name"] in PUBLISHED]
    published = sorted(names, key=lambda name: -PUBLISHED[name])
    ours = {method["name"]: on_test(method).means["psnr"] for method in methods}
    tau = kendalltau([PUBLISHED[name] for name in names], [ours[name] for name in names])
    rows = [
        [name, f"{PUBLISHED[name]:.2f}", str(published.index(name) + 1), f"{ours[name]:.2f}", str(rank)]
        for rank, name in enumerate(names, 1)
    ]
    table = markdown(["method", "published, dB", "rank", "at equal time, dB", "rank"], rows)
    return f"{table}\n\nKendall's τ of the two columns: {tau.statistic:+.2f} (p = {tau.pvalue:.2f})."


def agreement_table(methods: list[dict[str, Any]]) -> str:
    """Return the table of how far other scores rank the methods as PSNR on LOL's test pairs does."""
    rows = []
    for learns in (False, True):
        chosen = [method for method in methods if "epochs" in method["seeds"]["0"] or not learns]
        found = [
            {(one["source"], one["split"]): one["means"] for one in m["seeds"]["0"]["scores"]} for m in chosen
        ]
        reference = [scores["lol", "test"]["psnr"] for scores in found]
        cells = [f"{'those that learn' if learns else 'all'} ({len(chosen)})"]
        for source, key, sign in AGREEMENT.values():
            tau = kendalltau(reference, [sign * scores[source][key] for scores in found])
            p = "p < 0.001" if tau.pvalue < 0.001 else f"p = {tau.pvalue:.3f}"
            cells.append(f"{tau.statistic:+.2f} ({p})")
        rows.append(cells)
    return markdown(["methods", *AGREEMENT], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder that run.py wrote to")
    out: Path = parser.parse_args().out
    file = RESULTS / "field.json"
    known = read_json(file) if file.exists() else {"methods": []}
    found = {method["name"]: method for method in known["methods"]}
    add_scores(found, out)
    add_speeds(found, out)
    methods = sorted(found.values(), key=lambda method: -on_test(method).means["psnr"])
    measured = out / "speed" / "benchmark.json"
    machine = read_json(measured)["about"]["machine"] if measured.exists() else known["machine"]
    write_json(file, {"machine": machine, "methods": methods})
    shutil.copy(out / "epochs.json", RESULTS / "epochs.json")
    images = keep_images(out)
    entries = [images[method["name"]] for method in methods if method["name"] in images]
    (RESULTS / "distribution.png").write_bytes(draw_distribution(entries, [], LIGHT))
    listed = [
        {
            **{key: method[key] for key in ("name", "parameters", "gmac", "milliseconds")},
            "score": method["seeds"]["0"]["scores"][0],
        }
        for method in methods
    ]
    about = "trained for 15 minutes on LOL by two CPU cores, by experiment=lol_cpu/NAME with seed 0"
    content = {"about": about, "machine": f"two threads of an {machine['processor']}", "methods": listed}
    write_json(FILE, content)
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    tables = {
        "scores": scores_table(methods),
        "differences": differences_table(entries),
        "costs": costs_table(methods),
        "sources": sources_table(methods),
        "seeds": seeds_table(methods),
        "ranks": ranks_table(methods),
        "agreement": agreement_table(methods),
    }
    if not any(len(method["seeds"]) > 1 for method in methods):
        del tables["seeds"]
    for name, table in tables.items():
        start, end = f"<!-- generated: {name} -->\n", "\n<!-- generated: end -->"
        before, _, rest = text.partition(start)
        text = f"{before}{start}\n{table}\n{rest[rest.index(end) :]}"
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
