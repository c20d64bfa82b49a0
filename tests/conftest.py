"""Fixtures: one thread (the suite may run beside others), and small paired folders in LOL's layout."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's cache folder, and share one between them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    """Let a test that draws without a seed draw the same each time."""
    torch.manual_seed(0)


def photograph(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Return a smooth 8-bit picture of shape (height, width, 3), different for each seed."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(30, 255, (4, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="session")
def lol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in LOL's official layout: 6 training and 2 test pairs of 48x64, dark ones a quarter."""
    root = tmp_path_factory.mktemp("data") / "LOL"
    for split, stems in {"our485": range(1, 7), "eval15": range(7, 9)}.items():
        for stem in stems:
            high = photograph(stem)
            for role, pixels in {"low": high // 4, "high": high}.items():
                path = root / split / role / f"{stem}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return root
