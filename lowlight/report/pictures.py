"""Pictures that runs kept: the grid of test images, and the progress over the epochs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlight.images import read_rgb
from lowlight.report.entries import Entry
from lowlight.report.runs import Run, kept_pictures
from lowlight.report.table import number

MOST_TEST_PICTURES = 6
"""Most test images in the figure; the page shows all kept ones."""


@dataclass(frozen=True)
class Picture:
    """8-bit pixels of shape (H, W, 3), with a caption and a text alternative."""

    pixels: NDArray[np.uint8]
    caption: str
    description: str


@dataclass(frozen=True)
class Strip:
    """A titled row of pictures."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Extreme:
    """A method's best or worst image by PSNR in dB, with its picture if it was kept."""

    method: str
    image: str
    decibels: float
    picture: Picture | None


def extremes(entries: Sequence[Entry], grid: Sequence[Strip]) -> list[tuple[Extreme, Extreme]]:
    """Find the best and the worst test image of each method."""
    found = []
    for entry in entries:
        scores = dict(zip(entry.first.per_image, entry.images("psnr"), strict=True))
        known = {name: value for name, value in scores.items() if not math.isnan(value)}
        if known:
            ends = (max(known, key=known.__getitem__), min(known, key=known.__getitem__))
            best, worst = (
                Extreme(entry.label, name, known[name], _find(grid, name, entry.label)) for name in ends
            )
            found.append((best, worst))
    return found


def _find(grid: Sequence[Strip], image: str, label: str) -> Picture | None:
    """Return a method's picture of an image, or None if the grid lacks it."""
    pictures = [picture for strip in grid if strip.title == image for picture in strip.pictures]
    return next((picture for picture in pictures if picture.caption.split("\n")[0] == label), None)


def grid_of_test_pictures(entries: Sequence[Entry]) -> list[Strip]:
    """Lay out low | each method | reference, one row per test image that the first run of every entry kept.

    A method that returns all of them unchanged is omitted: its column would repeat the first.
    """
    kept = [set(kept_pictures(entry.first)) for entry in entries]
    names = sorted(set.intersection(*kept)) if kept else []
    lows = {name: _test_picture(entries[0].first, name, "low") for name in names}
    changing = [
        entry
        for entry in entries
        if any(not np.array_equal(lows[name], _test_picture(entry.first, name, "enhanced")) for name in names)
    ]
    strips = []
    for name in names:
        title = _image_name(entries[0].first, name)
        pictures = [Picture(lows[name], "low", f"{title}: the dark input")]
        for entry in changing:
            decibels = entry.first.per_image.get(title, {}).get("psnr")
            score = "" if decibels is None else f"{number(decibels, 1)} dB"
            pixels = _test_picture(entry.first, name, "enhanced")
            description = f"{title} enhanced by {entry.label}" + (f", {score}" if score else "")
            pictures.append(Picture(pixels, f"{entry.label}\n{score}".strip(), description))
        if (entries[0].first.folder / "pictures" / "test" / name / "high.png").is_file():
            high = _test_picture(entries[0].first, name, "high")
            pictures.append(Picture(high, "reference", f"{title}: the reference"))
        strips.append(Strip(title, tuple(pictures)))
    return strips


def strips_of_progress(entries: Sequence[Entry]) -> list[Strip]:
    """Lay out one validation image over the epochs, one row per method that kept any."""
    strips = []
    for entry in entries:
        folder = entry.first.folder / "pictures" / "progress"
        stages = [
            (path, f"epoch {int(path.stem.rpartition('-')[2])}")
            for path in sorted(folder.glob("epoch-*.png"))
        ]
        if not stages:
            continue
        ends = [(folder / "low.png", "low"), (folder / "high.png", "reference")]
        pictures = [
            Picture(read_rgb(path), caption, f"A validation image, {entry.label}: {caption}")
            for path, caption in [ends[0], *stages, ends[1]]
            if path.is_file()
        ]
        strips.append(Strip(entry.label, tuple(pictures)))
    return strips


def first_low(entries: Sequence[Entry]) -> NDArray[np.uint8] | None:
    """Return the dark input of the first kept test picture, shape (H, W, 3), or None."""
    for entry in entries:
        for name in kept_pictures(entry.first):
            return _test_picture(entry.first, name, "low")
    return None


def _test_picture(run: Run, name: str, role: str) -> NDArray[np.uint8]:
    """Read the picture of one role: low, enhanced or high."""
    return read_rgb(Path(run.folder / "pictures" / "test" / name / f"{role}.png"))


def _image_name(run: Run, folder: str) -> str:
    """Return the name of the image whose pictures a folder holds; folders replace "/" by "__"."""
    return next((name for name in run.per_image if name.replace("/", "__") == folder), folder)
