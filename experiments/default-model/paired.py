"""How the scores of one run differ from others' on the same images, bootstrapped by scene."""

import argparse
import csv
from pathlib import Path

from lowlight.statistics import compare_paired

SCORES = ("psnr", "psnr_gtmean", "ssim", "delta_e")


def scores(run: Path) -> dict[str, dict[str, str]]:
    with (run / "per_image.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("others", type=Path, nargs="+")
    arguments = parser.parse_args()
    own = scores(arguments.run)
    print(f"| {arguments.run.name} minus | {' | '.join(SCORES)} |\n|---|{'--:|' * len(SCORES)}")
    for other in arguments.others:
        theirs, cells = scores(other), []
        for score in SCORES:
            first, second = ([float(rows[name][score]) for name in own] for rows in (own, theirs))
            paired = compare_paired(first, second, [row["scene"] for row in own.values()])
            interval = f"[{paired.low:+.3f}, {paired.high:+.3f}]"
            cells.append(f"{paired.difference:+.3f} {interval}, p = {paired.p_value:.3f}")
        print(f"| {other.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
