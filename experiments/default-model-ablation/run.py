"""Ablate coarse_to_fine: train its preset, shortened, and the preset with one choice undone at a time.

Prints the scores of validation pairs, whose scenes are held out of training; the test split is not used.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

ROWS = {
    "as it is": [],
    "fine stage under its own exposure": ["method.reference_exposure=false"],
    "weight of SSIM 0.3": ["method.loss.weights.ssim=0.3"],
    "nothing brightened": ["method.brighten=0"],
    "exposure as it is": ["method.exposure=0"],
    "no exposure-matched loss": ["method.matched_weight=0"],
    "coarse stage held back more": ["method.coarse_decay=0.2", "method.net.dropout=0.5"],
    "narrower fine stage": ["method.net.fine_channels=[32,64,96]"],
}
SCORES = ("val/psnr", "val/psnr_gtmean", "val/ssim")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", help="folder of LOL")
    parser.add_argument("--out", type=Path, default=Path("outputs/ablation"), help="folder for the runs")
    parser.add_argument("--coarse", type=int, default=60, help="epochs of the coarse stage")
    parser.add_argument("--fine", type=int, default=8, help="epochs of the fine stage")
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS), help="variants to train")
    arguments = parser.parse_args()
    epochs = arguments.coarse + arguments.fine
    print("| | PSNR, dB | GT-mean, dB | SSIM | minutes |\n|---|--:|--:|--:|--:|", flush=True)
    for row in arguments.rows:
        folder = arguments.out / row.replace(" ", "-")
        common = [
            f"data.root={arguments.root}",
            "data.val_fraction=0.25",
            f"output_dir={folder}",
            "resume=auto",
            "trainer.enable_progress_bar=false",
        ]
        common += [f"method.coarse_epochs={arguments.coarse}", f"trainer.max_epochs={epochs}"]
        common += [f"trainer.check_val_every_n_epoch={epochs}"]
        command = [sys.executable, "-m", "lowlight.cli.train", "experiment=lol_cpu/coarse_to_fine"]
        subprocess.run([*command, *common, *ROWS[row]], check=True)
        with (folder / "metrics.csv").open() as file:
            last = list(csv.DictReader(file))[-1]
        minutes = json.loads((folder / "manifest.json").read_text())["train_minutes"]
        psnr, matched, ssim = (float(last[score]) for score in SCORES)
        print(f"| {row} | {psnr:.2f} | {matched:.2f} | {ssim:.3f} | {minutes:.1f} |", flush=True)


if __name__ == "__main__":
    main()
