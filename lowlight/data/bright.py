"""Bright photographs: those inside installed packages, and those of a folder.

The embedded photographs are the colour ones of scenes inside packages that lowlight needs anyway, read where
they are installed. In scikit-image: ``astronaut`` (NASA, public domain), ``chelsea`` (Stéfan van der Walt,
CC0), ``coffee`` (Rachel Michetti, CC0), ``rocket`` (SpaceX, public domain), ``motorcycle_left`` and
``motorcycle_right`` (Middlebury 2014 stereo benchmark: Nera Nesic, Porter Westling, Xi Wang, York Kitajima,
Greg Krathwohl and Daniel Scharstein; no licence stated; only trained on). In Matplotlib: ``grace_hopper``
(official portrait of 1984, US Navy, public domain).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lowlight.data.pairs import Split, file_state, list_images, refuse, stem_of
from lowlight.data.splits import hold_out_names
from lowlight.decoding.reading import read_size
from lowlight.images import read_rgb
from lowlight.packages import file_in

EMBEDDED: Mapping[str, Mapping[str, str]] = {
    "train": {
        "skimage/data/astronaut.png": "astronaut",
        "skimage/data/motorcycle_left.png": "motorcycle",
        "skimage/data/motorcycle_right.png": "motorcycle",
        "skimage/data/rocket.jpg": "rocket",
    },
    "val": {"skimage/data/chelsea.png": "chelsea"},
    "test": {
        "skimage/data/coffee.png": "coffee",
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg": "grace_hopper",
    },
}
"""Scene of each embedded photograph, per split, keyed by package and path in it."""


class BrightPicture(Protocol):
    """A bright picture: a file or a rendered room."""

    @property
    def stem(self) -> str:
        """Name, unique in its set."""

    def key(self) -> str:
        """Return a key of the pixels: equal keys mean equal pixels."""

    def size(self) -> tuple[int, int]:
        """Return width and height in pixels; ``ValueError`` names a file that cannot be read."""

    def read(self) -> NDArray[np.uint8]:
        """Return the pixels, 8-bit sRGB of shape (H, W, 3)."""


@dataclass(frozen=True)
class PhotoFile:
    """A photograph by its file."""

    path: Path

    @property
    def stem(self) -> str:
        """Name of the file without its suffix."""
        return stem_of(self.path)

    def key(self) -> str:
        """Return the file's path, size and time."""
        return file_state(self.path)

    def size(self) -> tuple[int, int]:
        """Read width and height from the file's header."""
        return read_size(self.path)

    def read(self) -> NDArray[np.uint8]:
        """Decode the file."""
        return read_rgb(self.path)


def installed(file: str) -> Path:
    """Return the path of a file in an installed package, such as ``skimage/data/coffee.png``.

    Raises:
        ValueError: If the package is not installed or has no such file.
    """
    package, _, inside = file.partition("/")
    if path := file_in(package, inside):
        return path
    raise ValueError(
        f"{file} is not installed: reinstall {package} by pip, whose package has this photograph, "
        "or name photographs of your own (data=darkened data.root=FOLDER)"
    )


def photographs_of(root: Path, split: Split, test_fraction: float) -> dict[Path, str]:
    """Return the photographs of a split of a folder, with their stems; chosen by a hash of these.

    Raises:
        ValueError: If the folder is missing, has fewer than two photographs or two of one stem, or if a
            photograph cannot be read.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; root must hold bright photographs")
    photos: dict[str, Path] = {}
    problems = []
    for path in list_images(root):
        try:
            read_size(path)
        except ValueError as error:
            problems.append(str(error))
        if (stem := stem_of(path)) in photos:
            problems.append(f"{path.name} has the stem of {photos[stem].name}")
        photos.setdefault(stem, path)
    if problems:
        refuse(root, problems, "Replace, rename or remove these files.")
    if len(photos) < 2:
        raise ValueError(f"{root}: {len(photos)} photographs; two or more are needed to split them")
    tests = hold_out_names(photos, test_fraction)
    chosen = {"train": photos.keys() - tests, "val": set[str](), "test": tests}[split]
    return {photos[stem]: stem for stem in sorted(chosen)}
