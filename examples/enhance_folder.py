"""Enhance the photographs of a folder, and print which were not dark enough to change.

python examples/enhance_folder.py photographs bright

``lowlight enhance photographs --out bright`` does this and more; the script shows the library at work.
"""

import sys
from pathlib import Path

from PIL import Image

import lowlight


def main(source: Path, target: Path) -> None:
    """Enhance every JPEG and PNG file of one folder into another."""
    model = lowlight.load("coarse_to_fine")  # or a run folder, a checkpoint, an exported network
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            continue
        with Image.open(path) as dark:
            bright = lowlight.enhance(dark, model, strength=0.9)
            profile = bright.info.get("icc_profile")
            bright.save(target / path.name, quality=95, exif=dark.getexif(), icc_profile=profile)
            change = "unchanged" if bright is dark else f"mean {mean(dark):.2f} -> {mean(bright):.2f}"
            print(f"{path.name}: {change}")


def mean(image: Image.Image) -> float:
    """Return the mean brightness of an image, from 0 to 1."""
    histogram = image.convert("L").histogram()
    return sum(level * count for level, count in enumerate(histogram)) / sum(histogram) / 255


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
