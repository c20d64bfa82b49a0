"""Make the picture of the README: a photograph of scikit-image, darkened, and enhanced by the default model.

python docs/make_pictures.py
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

import lowlight
from lowlight.data.synthetic import darken

PHOTOGRAPH = "coffee.png"
"""Rachel Michetti, CC0; no model of the library was trained on it."""

EXPOSURE = 1 / 30
"""Exposure time relative to that of the photograph."""

GAP = 8
"""White columns between the images, in pixels."""


def main() -> None:
    """Write ``docs/pictures/before_after.jpg``: dark photograph, enhanced, original."""
    with Image.open(str(files("skimage") / "data" / PHOTOGRAPH)) as file:
        bright = np.asarray(file.convert("RGB"))
    dark = darken(bright, EXPOSURE, generator=np.random.default_rng(0))
    enhanced = lowlight.enhance(dark)
    gap = np.full((len(dark), GAP, 3), 255, np.uint8)
    row = np.concatenate((dark, gap, enhanced, gap, bright), axis=1)
    path = Path(__file__).parent / "pictures" / "before_after.jpg"
    Image.fromarray(row).save(path, quality=88, optimize=True)


if __name__ == "__main__":
    main()
