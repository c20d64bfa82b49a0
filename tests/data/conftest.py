"""Small paired folders in the layouts of users."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Write = Callable[..., Path]


@pytest.fixture(scope="session")
def write() -> Write:
    """Write an image of noise; equal seeds and sizes give equal pixels."""

    def write(path: Path, seed: int, size: tuple[int, int] = (24, 16)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def write_pairs(tmp_path: Path, write: Write) -> Write:
    """Write a set in a layout: one pair per stem, references of different scenes."""

    def write_pairs(
        root: str = "LOL",
        split: str = "our485",
        folders: tuple[str, str] = ("low", "high"),
        stems: Sequence[str] = ("1", "2", "5", "10"),
        suffix: str = ".png",
        prefixes: tuple[str, str] = ("", ""),
        size: tuple[int, int] = (24, 16),
    ) -> Path:
        for index, stem in enumerate(stems):
            for side in (0, 1):
                path = tmp_path / root / split / folders[side] / f"{prefixes[side]}{stem}{suffix}"
                write(path, 2 * index + side, size)
        return tmp_path / root

    return write_pairs
