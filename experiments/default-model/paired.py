"""How the scores of a run, or the means of several seeds, differ from others' on the same images."""

import argparse
import csv
from pathlib import Path

from lowlight.evaluation.statistics import compare_paired

SCORES = ("psnr", "psnr_gtmean", "ssim", "delta_e")


def scores(run: Path) -> dict[str, dict[str, str]]:
    with (run / "per_image.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="several: seeds of one method")
    parser.add_argument("--minus", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    seeds = [scores(run) for run in arguments.runs]
    scenes = {name: row["scene"] for name, row in seeds[0].items()}
    names = ", ".join(run.name for run in arguments.runs)
    print(f"| {names} minus | {' | '.join(SCORES)} |\n|---|{'--:|' * len(SCORES)}")
    for other in arguments.minus:
        theirs, cells = scores(other), []
        for score in SCORES:
            first = [sum(float(own[name][score]) for own in seeds) / len(seeds) for name in scenes]
            second = [float(theirs[name][score]) for name in scenes]
            paired = compare_paired(first, second, list(scenes.values()))
            interval = f"[{paired.low:+.3f}, {paired.high:+.3f}]"
            cells.append(f"{paired.difference:+.3f} {interval}, p = {paired.p_value:.3f}")
        print(f"| {other.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
