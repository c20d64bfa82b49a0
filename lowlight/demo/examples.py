"""Example photographs of the web page, darkened when it starts.

They are photographs inside the scikit-image wheel: ``coffee`` (Rachel Michetti, CC0), ``chelsea`` (Stéfan van
der Walt, CC0) and ``rocket`` (SpaceX, public domain). No shipped weights were trained on them.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from lowlight.data.synthetic import darken
from lowlight.images import read_rgb
from lowlight.packages import file_in

EXAMPLES = {
    "cup": ("coffee.png", 1 / 20),
    "cat": ("chelsea.png", 1 / 20),
    "rocket": ("rocket.jpg", 1 / 12),
}
"""File and exposure time, relative to that of the photograph, of each example."""


def write_examples(folder: Path) -> list[Path]:
    """Darken the photographs and write them as JPEG files; those that are not installed are left out."""
    written = []
    for name, (file, exposure) in EXAMPLES.items():
        if photograph := file_in("skimage", f"data/{file}"):
            dark = darken(read_rgb(photograph), exposure, generator=np.random.default_rng(0))
            written.append(folder / f"{name}.jpg")
            Image.fromarray(dark).save(written[-1], quality=92)
    return written
