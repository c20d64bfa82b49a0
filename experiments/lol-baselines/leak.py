"""Plot the no-learning control's scores under data.split=by_file and scene_disjoint."""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

SIDES = ("by_file", "scene_disjoint")
PERFECT = 45.0
"""PSNR in dB at which images identical to their reference (infinite PSNR) are drawn."""


def scores(folder: Path, key: str) -> np.ndarray:
    with (folder / "per_image.csv").open(newline="") as file:
        return np.array([float(row[key]) for row in csv.DictReader(file)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs=2, help="evaluations of by_file and of scene_disjoint")
    parser.add_argument("--out", type=Path, required=True, help="PNG file")
    arguments = parser.parse_args()
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    for place, (key, axis) in enumerate((("psnr", "PSNR, dB"), ("ssim", "SSIM")), start=1):
        axes = figure.add_subplot(1, 2, place)
        for side, (folder, colour) in enumerate(zip(arguments.folders, ("#d55e00", "#0072b2"), strict=True)):
            values = np.minimum(scores(folder, key), PERFECT)
            jitter = 0.18 * np.sin(2.4 * np.arange(len(values)))
            axes.plot(side + jitter, values, "o", color=colour, markersize=4, alpha=0.7, mew=0)
            axes.plot([side - 0.3, side + 0.3], [np.median(values)] * 2, color=colour, linewidth=2)
            axes.annotate(
                f"median {np.median(values):.3g}", (side + 0.32, np.median(values)), va="center", fontsize=8
            )
        axes.set_xticks((0, 1), SIDES, fontsize=8)
        axes.set_xlim(-0.5, 1.8)
        axes.set_ylabel(axis)
        axes.grid(axis="y", color="#d9dde2", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        if key == "psnr":
            axes.axhline(PERFECT, color="#5c656f", linewidth=0.8, linestyle=":")
            axes.annotate("equal to the reference", (1.78, PERFECT - 1.2), ha="right", va="top", fontsize=8)
    figure.suptitle(
        "Answering with the reference of the likest training image; nothing is learnt", fontsize=10
    )
    FigureCanvasAgg(figure).print_png(arguments.out)
    for folder in arguments.folders:
        metrics = json.loads((folder / "metrics.json").read_text())
        print(metrics["protocol"], metrics["test/ssim"], metrics["intervals"]["ssim"])


if __name__ == "__main__":
    main()
