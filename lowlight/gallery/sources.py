"""The photographs of a gallery, frames of videos among them, with their references."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from lowlight.data.pairs import check_sizes, list_images, match, refuse
from lowlight.decoding.reading import read_photo
from lowlight.files import printable
from lowlight.gallery.page import PAGE, PICTURES
from lowlight.images import read_rgb
from lowlight.inference.batch.jobs import files_of, is_video
from lowlight.inference.pixels import floating
from lowlight.inference.video.frames import sample_frames

Image = NDArray[np.float32]
"""An image of shape (1, 3, H, W) in [0, 1]."""


@dataclass(frozen=True)
class Source:
    """A file to show.

    Attributes:
        path: A photograph or a video.
        name: Name on the page, unique among the sources.
        reference: Its reference image, or None.
    """

    path: Path
    name: str
    reference: Path | None = None


@dataclass(frozen=True)
class Subject:
    """A photograph or a frame, ready to be enhanced.

    Attributes:
        name: Name on the page, unique.
        scene: Name of the source; frames of one video share it.
        low: The dark image.
        high: Its reference, of the same shape, or None.
        is_grey: Whether the photograph is grey, and its enhancements are to be.
        icc: ICC profile of the pixels, or None for sRGB.
    """

    name: str
    scene: str
    low: Image
    high: Image | None = None
    is_grey: bool = False
    icc: bytes | None = None


def find_sources(
    paths: Sequence[Path], out: Path, references: Path | None = None
) -> tuple[list[Source], list[str]]:
    """List the files to show, each once: those given, and the images and videos in folders, at any depth.

    A file is named after its path in the given folder, without the suffix, as far as that is unique. What
    UTF-8 cannot hold of a name, and control characters, are escaped.

    Args:
        paths: Files and folders.
        out: Folder that is written to. It is not searched; where it is one of the given folders, the pictures
            of a gallery in it are not.
        references: Folder of reference images, matched by the stems of the photographs' names; videos have
            none.

    Returns:
        The sources, and one sentence per file or folder that is left out.

    Raises:
        ValueError: If there is nothing to show, or a photograph lacks a reference.
    """
    found: dict[Path, tuple[Path, Path]] = {}
    problems: list[str] = []
    written = [out, out / PICTURES] if (out / PAGE).exists() else [out]
    for path in paths:
        files, refused = files_of(path, *written)
        problems += [f"{file}: {why}" for file, why in refused.items()]
        for file in files:
            within = file.relative_to(path) if path.is_dir() else Path(file.name)
            found.setdefault(file.resolve(), (file, within))
    if not found:
        raise ValueError("; ".join(problems) or "no photographs are given")
    photographs = [file for file, _ in found.values() if not is_video(file)]
    pairs = _references(photographs, references) if references else {}
    names = _names(list(found.values()))
    sources = [
        Source(file, name, pairs.get(file)) for (file, _), name in zip(found.values(), names, strict=True)
    ]
    return sources, problems


def _names(files: Sequence[tuple[Path, Path]]) -> list[str]:
    """Return the shortest printable names that tell all files apart; numbered ones if none do."""
    kinds = (
        [within.with_suffix("").as_posix() for _, within in files],
        [within.as_posix() for _, within in files],
        [(Path(file.absolute().parent.name) / within.name).as_posix() for file, within in files],
        [str(file) for file, _ in files],
    )
    shown = [[printable(name) for name in names] for names in kinds]
    numbered = [f"{number}: {name}" for number, name in enumerate(shown[-1], 1)]
    return next((names for names in shown if len(set(names)) == len(names)), numbered)


def _references(files: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Match every photograph with a reference by its stem."""
    if not folder.is_dir():
        raise ValueError(f"--references {folder}: no such folder")
    pairs, problems = match(files, list_images(folder))
    found = dict(pairs.values())
    missing = [str(file) for file in files if file not in found]
    if missing:
        doubles = [problem for problem in problems if problem.endswith("have the same stem")]
        refuse(
            f"--references {folder}",
            doubles or [f"none for {file}" for file in missing],
            "Every photograph needs exactly one reference with its stem.",
        )
    return found


def read_subjects(source: Source, longest: int | None, frames: int) -> Iterator[Subject]:
    """Read a photograph, or frames of a video.

    Args:
        source: The file.
        longest: Longer side in pixels that larger images are reduced to; None for the native size.
        frames: Number of frames of a video.

    Raises:
        ValueError: If the file or its reference cannot be read, or their sizes differ.
    """
    if is_video(source.path):
        for seconds, pixels in sample_frames(source.path, frames):
            yield Subject(f"{source.name}, {seconds:g} s", source.name, _reduced(floating(pixels), longest))
        return
    photo = read_photo(source.path, remedy="scale it down")
    low, high = floating(photo.pixels), None
    if source.reference:
        high = floating(read_rgb(source.reference))
        check_sizes(str(source.path), _size(low), _size(high))
        high = _reduced(high, longest)
    yield Subject(source.name, source.name, _reduced(low, longest), high, photo.is_grey, photo.icc)


def _size(image: Image) -> tuple[int, int]:
    height, width = image.shape[-2:]
    return width, height


def _reduced(image: Image, longest: int | None) -> Image:
    """Reduce an image to a longer side by antialiased bicubic interpolation; smaller ones are kept."""
    scale = (longest or max(image.shape)) / max(image.shape[-2:])
    if scale >= 1:
        return np.ascontiguousarray(image)
    size = [max(round(side * scale), 1) for side in image.shape[-2:]]
    tensor = torch.from_numpy(np.ascontiguousarray(image))
    small = F.interpolate(tensor, size, mode="bicubic", antialias=True, align_corners=False)
    return np.asarray(small.clamp(0, 1).numpy())
