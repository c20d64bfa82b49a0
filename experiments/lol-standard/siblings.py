"""Make folders like LOL's official split: test images whose scenes stand in training, too.

14 of the 15 images of LOL's ``eval15`` have a sibling in ``our485``: the same scene in another exposure. A
recipe for that split is therefore tuned on images that are held out while their siblings train.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from lowlight.data.pairs import list_images
from lowlight.data.scenes import scene_groups, thumbnail
from lowlight.data.splits import by_hash

IMAGES = 15
"""Test images per draw, one per scene, as many as ``eval15`` has."""


def main() -> None:
    """Write ``OUT/draw-0``, ``draw-1``, ... with links to the images of ``LOL/train`` or ``LOL/our485``."""
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
    for draw in range(arguments.draws):
        test = set(chosen[draw * IMAGES : (draw + 1) * IMAGES])
        for side, paths in files.items():
            for name, path in paths.items():
                split = "eval15" if name in test else "our485"
                link = arguments.out / f"draw-{draw}" / split / side / path.name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
        print(f"draw-{draw}: {len(names) - len(test)} training pairs, test pairs {' '.join(sorted(test))}")


if __name__ == "__main__":
    main()
