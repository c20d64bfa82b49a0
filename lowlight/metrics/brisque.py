"""BRISQUE: how distorted an image looks, learnt from people's opinions, without a reference.

Example:
    >>> brisque(torch.rand(1, 3, 96, 96)) > 50  # doctest: +SKIP
    tensor([True])
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lowlight.metrics.metric import Metric
from lowlight.metrics.natural_scenes import NEIGHBOURS, fit_asymmetric, grey_and_half, normalised
from lowlight.packages import packaged_file, read_arrays
from lowlight.precision import in_double

LEAST = 14
"""Shortest side in pixels: at half size it fills the window of the local statistics."""


class Regression(NamedTuple):
    """A support vector regression, float64.

    Attributes:
        low: Smallest value of each statistic in training, shape (36,).
        high: Greatest value of each statistic.
        vectors: Support vectors, scaled to [-1, 1], shape (N, 36).
        weights: Their weights, shape (N,).
        offset: Constant that is subtracted.
        gamma: Inverse width of the radial kernel.
    """

    low: Tensor
    high: Tensor
    vectors: Tensor
    weights: Tensor
    offset: float
    gamma: float


def brisque(enhanced: Tensor) -> Tensor:
    """Measure the distortion of each image by the Blind Image Spatial Quality Evaluator; lower is better.

    18 statistics of the locally normalised BT.601 grey, at full and half size, are mapped by a support vector
    regression to the opinions that people had of compressed, noisy and blurred photographs: about 0 for an
    undistorted one, 100 for a bad one; values beyond both occur. Dark images were not among them.

    The model is that of the authors' C++ program, from the files of the package brisque
    (``lowlight[brisque]``), which are read without importing it. Values are within 0.2 of that package's for
    8-bit grey images; the authors' MATLAB program has another model.

    Args:
        enhanced: Images of shape (B, 3, H, W) in [0, 1].

    Returns:
        Score per image, shape (B,); NaN for an image with a side under 14 pixels.

    Raises:
        ValueError: If the package is missing or its files hold no such model.

    Reference:
        Mittal, Moorthy and Bovik, 2012, "No-reference image quality assessment in the spatial domain".
    """
    if min(enhanced.shape[-2:]) < LEAST:
        return torch.full((len(enhanced),), float("nan"), device=enhanced.device)
    regression = model()
    image = enhanced.to(in_double(enhanced.device))
    with torch.autocast(image.device.type, enabled=False):
        statistics = torch.cat([_statistics(grey) for grey in grey_and_half(image, antialias=False)], dim=1)
        low, high, vectors, weights = (tensor.to(statistics.device) for tensor in regression[:4])
        scaled = 2 * (statistics - low) / (high - low) - 1
        distances = (scaled[:, None] - vectors).square().sum(-1)
        score = torch.exp(-regression.gamma * distances) @ weights - regression.offset
    return score.float().to(enhanced.device)


def _statistics(grey: Tensor) -> Tensor:
    """Return the 18 statistics of grey images (B, 1, H, W) in [0, 255]: (B, 18), float64."""
    values = normalised(grey)
    shape, _, left, right = fit_asymmetric(values)
    columns = [shape, (left.square() + right.square()) / 2]
    for shift in NEIGHBOURS:
        shape, mean, left, right = fit_asymmetric(_products(values, *shift))
        columns += [shape, mean, left.square(), right.square()]
    return torch.cat(columns, dim=1)


def _products(values: Tensor, down: int, right: int) -> Tensor:
    """Multiply every pixel by its neighbour, where both are inside the image."""
    height, width = values.shape[-2:]
    one = values[..., down:, max(right, 0) : width + min(right, 0)]
    other = values[..., : height - down, max(-right, 0) : width - max(right, 0)]
    return one * other


_file = partial(packaged_file, "brisque", purpose="BRISQUE", extra="brisque")


@lru_cache(maxsize=1)
@torch.inference_mode(False)
def model() -> Regression:
    """Read the authors' model: a text file of libsvm, and a pickle of two lists of numbers.

    Raises:
        ValueError: If the package brisque is missing or its files hold no such model.
    """
    path = _file("models/normalize.pickle")
    ranges = read_arrays(path)
    try:
        low, high = (torch.tensor(ranges[end], dtype=torch.float64) for end in ("min_", "max_"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: holds no ranges min_ and max_ of BRISQUE's statistics") from error
    return Regression(low, high, *_read_libsvm(_file("models/svm.txt"), len(low)))


def _read_libsvm(path: Path, width: int) -> tuple[Tensor, Tensor, float, float]:
    """Read a regression with a radial kernel as libsvm writes it: vectors, weights, offset and gamma."""
    head, _, body = path.read_text(encoding="ascii").partition("\nSV\n")
    facts = dict(line.split(" ", 1) for line in head.splitlines())
    rows = [line.split() for line in body.splitlines()]
    try:
        if (facts["svm_type"], facts["kernel_type"]) != ("epsilon_svr", "rbf"):
            raise ValueError(f"a {facts['svm_type']} with the kernel {facts['kernel_type']}")
        vectors = torch.zeros(len(rows), width, dtype=torch.float64)
        for row, (_, *entries) in enumerate(rows):
            for entry in entries:
                index, value = entry.split(":")
                vectors[row, int(index) - 1] = float(value)
        weights = torch.tensor([float(row[0]) for row in rows], dtype=torch.float64)
        return vectors, weights, float(facts["rho"]), float(facts["gamma"])
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"{path}: is no regression of libsvm with a radial kernel ({error})") from error


BRISQUE = Metric(
    key="brisque",
    heading="BRISQUE",
    measure=brisque,
    definition="distortion without reference, the model of the authors' C++ program, BT.601 grey; lower is "
    "better, undefined where a side is under 14 pixels",
    source="Mittal, Moorthy and Bovik, 2012, 'No-reference image quality assessment in the spatial domain'",
    decimals=1,
    lower_is_better=True,
    against=None,
    ranked=False,  # it has no reference, and its model has seen no dark image
    prepare=model,
)
