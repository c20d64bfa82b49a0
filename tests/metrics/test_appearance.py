"""Brightness, clipping, colour cast and noise against calculations by hand and other libraries."""

import math

import pytest
import torch
from skimage.color import rgb2lab

from lowlight.metrics import clipped, colour_cast, mean_luma, noise
from tests.conftest import photograph


def image(*colours: tuple[float, float, float]) -> torch.Tensor:
    """Return one image of a row of colours."""
    return torch.tensor(colours).T[None, :, None, :]


def test_mean_luma_weighs_the_channels_by_bt_601() -> None:
    assert mean_luma(image((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0))).item() == pytest.approx(0.25)
    assert mean_luma(image((1, 0, 0), (0, 1, 0))).item() == pytest.approx((0.299 + 0.587) / 2)


def test_clipped_pixels_are_black_or_have_a_full_channel_after_rounding() -> None:
    half = 0.5 / 255
    assert clipped(image((0, 0, 0), (0.2, 0.2, 1), (1, 1, 1), (0.2, 0, 0.2))).item() == 75
    assert clipped(image((half * 0.9,) * 3, (half * 1.1,) * 3)).item() == 50
    assert clipped(image((1 - half * 0.9, 0.5, 0.5), (1 - half * 1.1, 0.5, 0.5))).item() == 50


def test_the_colour_cast_is_the_chroma_of_the_mean_in_lab() -> None:
    pixels = photograph(1)
    _, a, b = rgb2lab(pixels).reshape(-1, 3).mean(0)
    found = colour_cast(torch.from_numpy(pixels.copy()).movedim(-1, 0)[None] / 255)
    assert found.item() == pytest.approx(math.hypot(a, b), abs=0.05)


def test_opposite_colours_cancel_in_the_mean() -> None:
    strong = colour_cast(image((0.8, 0.2, 0.2))).item()
    assert strong > 40
    assert colour_cast(image((0.8, 0.2, 0.2), (0.2, 0.8, 0.8))).item() < strong / 2


@pytest.mark.parametrize("sigma", [2, 10, 25])
def test_the_noise_of_a_known_deviation_is_found_on_flat_and_sloping_areas(sigma: float) -> None:
    generator = torch.Generator().manual_seed(0)
    slope = torch.linspace(0.3, 0.7, 200).expand(1, 3, 200, 200)
    grey = torch.randn(1, 1, 200, 200, generator=generator) * sigma / 255
    assert noise(slope + grey).item() == pytest.approx(sigma, rel=0.03)


def test_a_straight_edge_is_no_noise_and_two_pixels_have_no_estimate() -> None:
    edge = torch.zeros(1, 3, 16, 16)
    edge[..., 8:] = 1
    assert noise(edge).item() == pytest.approx(0, abs=1e-4)
    assert noise(torch.rand(2, 3, 2, 9)).isnan().tolist() == [True, True]
