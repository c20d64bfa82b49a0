"""Train and test the recipe for LOL's official split on its like: test images whose scenes stand in training.

14 of the 15 images of LOL's ``eval15`` have a sibling in ``our485``: the same scene in another exposure. A
recipe for that split is therefore tuned on images that are held out while their siblings train. Interrupted,
the same command continues.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lowlight.data.pairs import list_images
from lowlight.data.scenes import scene_groups, thumbnail
from lowlight.data.splits import by_hash

IMAGES = 15
"""Test images per draw, one per scene, as many as ``eval15`` has."""


def main() -> None:
    """Link the images of each draw into a folder of LOL's official layout, train there, and test."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lol", type=Path, help="LOL's pairs; only those of our485 or train are used")
    parser.add_argument("out", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    folder = next(path for path in (arguments.lol / "our485", arguments.lol / "train") if path.is_dir())
    files = {side: {path.stem: path for path in list_images(folder / side)} for side in ("low", "high")}
    names = sorted(files["low"])
    greys = [thumbnail(np.asarray(Image.open(files["high"][name]).convert("RGB"))) for name in names]
    scenes = [[names[index] for index in group] for group in scene_groups(greys, [None] * len(names))]
    chosen = by_hash(by_hash(scene)[0] for scene in scenes if len(scene) > 1)
    rows = []
    for draw in range(arguments.draws):
        data, run = (arguments.out / kind / f"draw-{draw}" for kind in ("data", "runs"))
        test = set(chosen[draw * IMAGES : (draw + 1) * IMAGES])
        for side, paths in files.items():
            for name, path in paths.items():
                split = "eval15" if name in test else "our485"
                link = data / split / side / path.name
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    link.symlink_to(path.resolve())
        print(f"draw {draw}: {len(names) - len(test)} training pairs, test pairs {' '.join(sorted(test))}")
        settings = ["experiment=lol_standard/coarse_to_fine", f"data.root='{data}'", f"output_dir='{run}'"]
        subprocess.run([sys.executable, "-m", "lowlight", "train", *settings, "resume=auto"], check=True)
        rows.append(
            {"draw": draw, "training_pairs": len(names) - len(test), "test_pairs": sorted(test)} | scored(run)
        )
        (arguments.out / "draws.json").write_text(json.dumps(rows, indent=2) + "\n")


def scored(run: Path) -> dict[str, Any]:
    """Return the scores of a finished run, their intervals, its minutes and its commit."""
    metrics, manifest = (json.loads((run / name).read_text()) for name in ("metrics.json", "manifest.json"))
    keys = ("psnr", "psnr_gtmean", "ssim", "delta_e")
    about = {key: manifest[key] for key in ("train_minutes", "commit", "seed")}
    return (
        {key: metrics[f"test/{key}"] for key in keys}
        | {"intervals": {key: metrics["intervals"][key] for key in keys}}
        | about
    )


if __name__ == "__main__":
    main()
