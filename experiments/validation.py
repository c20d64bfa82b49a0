"""Score runs on their own validation pairs, whose scenes were held out of training."""

import argparse
from pathlib import Path

import pytorch_lightning as pl
from omegaconf import OmegaConf

from lowlight.checkpoints.load import load_run
from lowlight.checkpoints.recipe import make
from lowlight.evaluation.scoring import score
from lowlight.files import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="run folders")
    parser.add_argument("--out", type=Path, required=True, help="folder for the scores, one folder per run")
    arguments = parser.parse_args()
    for run in arguments.runs:
        data = make(OmegaConf.load(run / "config.yaml").data)
        data.setup("fit")
        held_out = data.datasets["test"] = data.datasets["val"]
        folder = arguments.out / run.name
        folder.mkdir(parents=True, exist_ok=True)
        quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
        scores = score(load_run(run), data, pl.Trainer(accelerator="cpu", **quiet), folder)
        write_json(folder / "metrics.json", scores)
        psnr, matched, ssim = (scores[f"test/{name}"] for name in ("psnr", "psnr_gtmean", "ssim"))
        print(f"{run.name}: {psnr:.2f} / {matched:.2f} dB GT-mean / {ssim:.3f}, {len(held_out)} images")


if __name__ == "__main__":
    main()
