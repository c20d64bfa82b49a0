"""Print paired differences of scores, with 95 % bootstrap intervals and Wilcoxon's p over scenes."""

import argparse
import csv
from pathlib import Path

from lowlight.evaluation.statistics import compare_paired

SCORES = ("psnr", "psnr_gtmean", "ssim", "delta_e")


def read_scores(run: Path) -> dict[str, dict[str, str]]:
    """Return the rows of ``per_image.csv``, keyed by image name."""
    with (run / "per_image.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="run folders; several are averaged as seeds")
    parser.add_argument("--minus", type=Path, nargs="+", required=True, help="run folders, one row each")
    parser.add_argument("--mean", action="store_true", help="average the runs of --minus as seeds, too")
    parser.add_argument("--scores", nargs="+", default=SCORES, help="columns of per_image.csv")
    arguments = parser.parse_args()
    seeds = [read_scores(run) for run in arguments.runs]
    scenes = {name: row["scene"] for name, row in seeds[0].items()}
    known = {run: read_scores(run) for run in [*arguments.runs, *arguments.minus]}
    for run, rows in known.items():
        if {name: row["scene"] for name, row in rows.items()} != scenes:
            raise SystemExit(f"{run}: scored on other images or scenes than {arguments.runs[0]}")
    names = ", ".join(run.name for run in arguments.runs)
    print(f"| {names} minus | {' | '.join(arguments.scores)} |\n|---|{'--:|' * len(arguments.scores)}")
    for others in [arguments.minus] if arguments.mean else [[other] for other in arguments.minus]:
        theirs, cells = [known[other] for other in others], []
        for score in arguments.scores:
            first, second = (
                [sum(float(run[name][score]) for run in runs) / len(runs) for name in scenes]
                for runs in (seeds, theirs)
            )
            paired = compare_paired(first, second, list(scenes.values()))
            interval = f"[{paired.low:+.3f}, {paired.high:+.3f}]"
            cells.append(f"{paired.difference:+.3f} {interval}, p = {paired.p_value:.3f}")
        print(f"| {', '.join(other.name for other in others)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
