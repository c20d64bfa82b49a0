"""Train and test the recipe for LOL's official split on its like: test images whose scenes stand in training.

14 of the 15 images of LOL's ``eval15`` have a sibling in ``our485``: the same scene in another exposure. A
recipe for that split is therefore tuned on images that are held out while their siblings train. Interrupted,
the same command continues; ``draws.json`` in the folder of results keeps the draws of earlier calls.
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
from lowlight.files import read_table

IMAGES = 15
"""Test images per draw, one per scene, as many as ``eval15`` has."""

KEYS = ("psnr", "psnr_gtmean", "ssim", "delta_e")


def main() -> None:
    """Link the images of each draw into a folder of LOL's official layout, train there, and test."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lol", type=Path, help="LOL's pairs; only those of our485 or train are used")
    parser.add_argument("out", type=Path)
    parser.add_argument("--draws", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    folder = next(path for path in (arguments.lol / "our485", arguments.lol / "train") if path.is_dir())
    files = {side: {path.stem: path for path in list_images(folder / side)} for side in ("low", "high")}
    names = sorted(files["low"])
    references = [np.asarray(Image.open(files["high"][name]).convert("RGB")) for name in names]
    brightness = {name: float(pixels.mean()) for name, pixels in zip(names, references, strict=True)}
    greys = [thumbnail(pixels) for pixels in references]
    scenes = [[names[index] for index in group] for group in scene_groups(greys, [None] * len(names))]
    chosen = by_hash(by_hash(scene)[0] for scene in scenes if len(scene) > 1)
    series = [(name, scene) for scene in scenes for name in scene if len(scene) > 1]
    alike = {name for name, scene in series if is_alike(name, scene, brightness)}
    print(f"siblings as bright: {len(alike)} of {len(series)} images in series")
    results = arguments.out / "draws.json"
    rows = {row["draw"]: row for row in json.loads(results.read_text())} if results.exists() else {}
    for draw in arguments.draws:
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
        about = {"draw": draw, "training_pairs": len(names) - len(test), "test_pairs": sorted(test)}
        rows[draw] = about | scored(run, alike)
        results.write_text(json.dumps([rows[draw] for draw in sorted(rows)], indent=2) + "\n")


def is_alike(name: str, scene: list[str], brightness: dict[str, float]) -> bool:
    """Return whether the references of an image's siblings are as bright as its own, within 10 %."""
    return all(abs(brightness[one] / brightness[name] - 1) <= 0.1 for one in scene)


def scored(run: Path, alike: set[str]) -> dict[str, Any]:
    """Return a finished run's scores, intervals, scores by brightness of siblings, minutes and commit."""
    metrics, manifest = (json.loads((run / name).read_text()) for name in ("metrics.json", "manifest.json"))
    images = {row["name"].rpartition("/")[2]: row for row in read_table(run / "per_image.csv")}
    parts = {
        part: [row for name, row in images.items() if (name in alike) == is_part]
        for part, is_part in (("siblings_as_bright", True), ("siblings_brighter_or_darker", False))
    }
    about = {key: manifest[key] for key in ("train_minutes", "commit", "seed")}
    return {
        **{key: metrics[f"test/{key}"] for key in KEYS},
        "intervals": {key: metrics["intervals"][key] for key in KEYS},
        **{
            part: {"images": len(rows)}
            | {key: float(np.mean([float(row[key]) for row in rows])) for key in KEYS}
            for part, rows in parts.items()
        },
        **about,
    }


if __name__ == "__main__":
    main()
