"""Write what run.py measured: results/field.json, the README's tables, and what ``lowlight models`` lists."""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scipy.stats import kendalltau

from lowlight.methods.measured import FILE
from lowlight.shipped import SCORES, Score

HERE = Path(__file__).parent
RESULTS = HERE / "results"

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

SECOND = {"lpips": ("LPIPS", 3), "niqe": ("NIQE", 1), "loe": ("LOE", 0)}


def read(path: Path) -> Any:
    """Read a file of JSON."""
    return json.loads(path.read_text(encoding="utf-8"))


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


def speeds(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what ``lowlight benchmark`` measured, keyed by model and engine."""
    found: dict[str, dict[str, Any]] = {}
    for row in read(folder / "benchmark.json")["rows"]:
        found.setdefault(Path(row["model"]).name, {})[row["engine"]] = row
    return found


def collect(out: Path) -> dict[str, Any]:
    """Gather the results of each method, of all its seeds."""
    here, old = speeds(out / "speed"), speeds(out / "speed-avx2")
    methods: dict[str, Any] = {}
    for test in sorted(path.parent for path in out.glob("test/*/metrics.json")):
        name, _, seed = (
            test.name.rpartition("-") if (out / "runs" / test.name).exists() else (test.name, "", "0")
        )
        about = methods.setdefault(name, {"name": name, "seeds": {}})
        one: dict[str, Any] = {"scores": [score("lol", read(test / "metrics.json"))]}
        validation = out / "validation" / test.name / "metrics.json"
        if validation.exists():
            one["scores"].append({**score("lol", read(validation) | {"split": "val"})})
        rows = read(out / "sources" / test.name / "scores.json")
        one["scores"] += [row_of_source(row) for row in rows if row["source"] != "lol"]
        manifest = out / "runs" / test.name / "manifest.json"
        if manifest.exists():
            told = read(manifest)
            one |= {key: told[key] for key in ("commit", "train_minutes", "epochs", "parameters")}
            one["precision"] = told["precision"]["used"][-1]
        about["seeds"][seed] = one
        timed = here.get(test.name)
        if timed is not None:
            fast = timed["torch"]
            about |= {key: fast[key] for key in ("parameters", "gmac", "milliseconds", "memory_mb")}
            about["milliseconds_bf16"] = timed["bf16"]["milliseconds"] if "bf16" in timed else None
            about["milliseconds_avx2"] = old[test.name]["torch"]["milliseconds"]
    return methods


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
                f"{method['milliseconds']:.3g}",
                f"{bf16:.3g}" if bf16 else "",
                f"{method['milliseconds_avx2']:.3g}",
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder that run.py wrote to")
    out: Path = parser.parse_args().out
    methods = sorted(collect(out).values(), key=lambda method: -on_test(method).means["psnr"])
    machine = read(out / "speed" / "benchmark.json")["about"]["machine"]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "field.json").write_text(
        json.dumps({"machine": machine, "methods": methods}, indent=1) + "\n", encoding="utf-8"
    )
    shutil.copy(out / "report" / "distribution.png", RESULTS / "distribution.png")
    listed = [
        {
            **{key: method[key] for key in ("name", "parameters", "gmac", "milliseconds")},
            "score": method["seeds"]["0"]["scores"][0],
        }
        for method in methods
    ]
    about = "trained for 15 minutes on LOL by two CPU cores, by experiment=lol_cpu/NAME with seed 0"
    content = {"about": about, "machine": f"two threads of an {machine['processor']}", "methods": listed}
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    tables = {
        "scores": scores_table(methods),
        "costs": costs_table(methods),
        "sources": sources_table(methods),
        "seeds": seeds_table(methods),
        "ranks": ranks_table(methods),
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
