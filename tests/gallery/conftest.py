"""A gallery, made once for all tests that read it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlight.gallery.make import Made, make_gallery
from tests.conftest import photograph

METHODS = ["gamma", "histogram", "clahe"]

NAMES = ["=sum(1)", 'a "quoted", name', "<b>dark&"]
"""Stems of the photographs, which neither HTML nor CSV may take for more than text."""


@pytest.fixture(scope="package")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three dark photographs in ``low``, and their references in ``high``."""
    root = tmp_path_factory.mktemp("photographs")
    for seed, name in enumerate(NAMES):
        high = photograph(seed, 100, 200)
        for role, pixels in {"low": high // 4, "high": high}.items():
            (root / role).mkdir(exist_ok=True)
            Image.fromarray(np.asarray(pixels)).save(root / role / f"{name}.png")
    return root


@pytest.fixture(scope="package")
def made(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A gallery of the photographs, with references and embedded pictures."""
    out = tmp_path_factory.mktemp("gallery") / "page"
    return make_gallery([photographs / "low"], METHODS, out, references=photographs / "high")
