"""Write the README's tables and the figure, of what gather.py gathered."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scipy.stats import kendalltau

from lowlight.evaluation.statistics import compare_paired, holm
from lowlight.files import read_json, read_table
from lowlight.report.figures import LIGHT
from lowlight.report.score_figures import draw_distribution
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


class Images(NamedTuple):
    """Scores of one method's test images, in the form of a report's entry."""

    label: str
    rows: list[dict[str, str]]

    def images(self, key: str) -> list[float]:
        """Return one score of each image."""
        return [float(row[key]) for row in self.rows]


def read_images() -> dict[str, Images]:
    """Return the scores of each image of seed 0, by method."""
    found: dict[str, Images] = {}
    for row in read_table(RESULTS / "per_image.csv"):
        if row["seed"] == "0":
            found.setdefault(row["method"], Images(row["method"], [])).rows.append(row)
    return found


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
            ]
        )
    return markdown(["method", "parameters", "GMAC", "ms", "ms, bf16", "ms, AVX2", "MB"], rows)


def trainings_table(methods: list[dict[str, Any]]) -> str:
    """Return the table of how each method was trained, of those that learn."""
    rows = []
    for method in methods:
        for seed, run in sorted(method["seeds"].items()):
            if "epochs" in run:
                rows.append(
                    [
                        method["name"],
                        seed,
                        f"{run['epochs']}",
                        f"{run['train_minutes']:.1f}",
                        run["precision"],
                        run["processor"].replace("(R)", ""),
                        run["commit"][:7],
                        run["date"],
                    ]
                )
    return markdown(
        ["method", "seed", "epochs", "minutes", "trained in", "processor", "commit", "date"], rows
    )


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


def with_tables(text: str, methods: list[dict[str, Any]], entries: list[Images]) -> str:
    """Return the page with its tables as they are to be."""
    tables = {
        "scores": scores_table(methods),
        "differences": differences_table(entries),
        "costs": costs_table(methods),
        "sources": sources_table(methods),
        "trainings": trainings_table(methods),
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
    return text


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    methods = read_json(RESULTS / "field.json")["methods"]
    images = read_images()
    entries = [images[method["name"]] for method in methods if method["name"] in images]
    (RESULTS / "distribution.png").write_bytes(draw_distribution(entries, [], LIGHT))
    readme = HERE / "README.md"
    readme.write_text(with_tables(readme.read_text(encoding="utf-8"), methods, entries), encoding="utf-8")


if __name__ == "__main__":
    main()
