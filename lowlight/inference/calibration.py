"""Photographs that 8-bit integers are calibrated on."""

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from lowlight.decoding.formats import PHOTO_SUFFIXES, images_below
from lowlight.images import read_image

COUNT = 16
"""Number of photographs that ranges are chosen on."""

LONGEST = 640
"""Longest side that they are scaled down to, in pixels."""


def calibration_photographs(paths: Iterable[Path | str], count: int = COUNT) -> list[Tensor]:
    """Read up to ``count`` photographs, evenly spaced among those given; what cannot be read is left out.

    Args:
        paths: Photographs, and folders that are searched at any depth.
        count: Largest number of photographs read.

    Returns:
        Images of shape (1, 3, H, W) in [0, 1], their sides at most :data:`LONGEST`.

    Raises:
        ValueError: If a path does not exist, a folder has none, or none can be read.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise ValueError(f"{path}: no such file or folder, to calibrate 8-bit integers on")
        found = images_below(path, PHOTO_SUFFIXES) if path.is_dir() else [path]
        if not found:
            raise ValueError(f"{path}: no photographs in this folder, to calibrate 8-bit integers on")
        files += [file for file in found if file.suffix.lower() in PHOTO_SUFFIXES]
    photographs = []
    for place in range(min(count, len(files))):
        try:
            image = read_image(files[place * len(files) // min(count, len(files))])[None]
        except ValueError:  # told when, and if, it is enhanced
            continue
        scale = LONGEST / max(image.shape[-2:])
        photographs.append(F.interpolate(image, scale_factor=scale, mode="area") if scale < 1 else image)
    if not photographs:
        raise ValueError(
            "8-bit integers need dark photographs that can be read to be calibrated on: --calibrate FOLDER "
            "(lowlight.load(..., calibrate=[FOLDER]))"
        )
    return photographs
