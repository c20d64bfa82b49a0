"""Losses on illuminations and decompositions, against cases computed by hand."""

import math

import pytest
import torch
from torch import Tensor

from lowlight.illumination import decomposition_loss, guided_smoothness, structure_smoothness


def grey(rows: list[list[float]], channels: int = 3) -> Tensor:
    return torch.tensor(rows).expand(1, channels, -1, -1)


def test_guided_smoothness_sums_mean_weighted_differences_over_the_neighbours() -> None:
    """Pixels 0, 0.1, 0.3 in a row: neighbours at distance 1 differ by 0.1 and 0.2, at distance 2 by 0.3."""
    illumination, guide = grey([[0.0, 0.1, 0.3]], 1), grey([[0.2, 0.2, 0.4]])
    edge = math.exp(-(0.2**2) / (2 * 0.1**2))  # of greys, whose distance in YUV is that of their lumas
    expected = 2 * ((0.1 + 0.2 * edge) / 2 + 0.3 * edge)
    torch.testing.assert_close(guided_smoothness(illumination, guide), torch.tensor(expected))
    torch.testing.assert_close(guided_smoothness(illumination.mT, guide.mT), torch.tensor(expected))
    near = guided_smoothness(illumination, guide, size=3)
    torch.testing.assert_close(near, torch.tensor(expected - 2 * 0.3 * edge))


def test_guided_smoothness_sees_diagonals_and_sums_channels() -> None:
    """One bright pixel in a corner of four: of the pairs across, down and along one diagonal, half differ."""
    corner = torch.zeros(1, 3, 2, 2)
    corner[..., 0, 0] = 0.5
    flat = torch.full((1, 3, 2, 2), 0.3)
    torch.testing.assert_close(guided_smoothness(corner, flat), torch.tensor(3 * 2 * (0.25 + 0.25 + 0.5)))


def test_colours_of_one_luma_are_apart_in_the_guide() -> None:
    red = torch.tensor([0.5, 0.0, 0.0])
    green = torch.tensor([0.0, 0.5 * 0.299 / 0.587, 0.0])
    guide = torch.stack([red, green], dim=1)[None, :, None]
    luma = 0.5 * 0.299
    distance = (0.877 * 0.5) ** 2  # of V; both lack blue, so that U is equal
    illumination = grey([[0.0, 1.0]], 1)
    expected = 2 * math.exp(-distance / (2 * 0.2**2))
    torch.testing.assert_close(guided_smoothness(illumination, guide, sigma=0.2), torch.tensor(expected))
    assert luma == pytest.approx(float(green[1]) * 0.587)


def test_structure_smoothness_weights_steps_by_the_reflectances_edges() -> None:
    """A step of 0.4 of three columns; the reflectance's edge of 0.2 is averaged over two differences."""
    illumination, reflectance = grey([[0.1, 0.1, 0.5]] * 3, 1), grey([[0.5, 0.7, 0.7]] * 3)
    expected = 0.4 / 2 * math.exp(-10 * 0.1)
    torch.testing.assert_close(structure_smoothness(illumination, reflectance), torch.tensor(expected))
    turned = structure_smoothness(illumination.mT, reflectance.mT)
    torch.testing.assert_close(turned, torch.tensor(expected))
    alike = structure_smoothness(illumination, reflectance, steepness=0)
    torch.testing.assert_close(alike, torch.tensor(0.4 / 2))


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1)])
def test_smoothness_of_a_line_is_finite(size: tuple[int, int]) -> None:
    illumination, image = torch.rand(1, 1, *size), torch.rand(1, 3, *size)
    assert guided_smoothness(illumination, image).isfinite()
    assert structure_smoothness(illumination, image).isfinite()


def test_the_decomposition_is_judged_by_its_products_its_reflectances_and_its_smoothness() -> None:
    low, high = (torch.full((1, 3, 4, 4), value) for value in (0.1, 0.6))
    of_low = torch.full((1, 3, 4, 4), 0.5), torch.full((1, 1, 4, 4), 0.3)
    of_high = torch.full((1, 3, 4, 4), 0.7), torch.full((1, 1, 4, 4), 0.9)
    own = (0.15 - 0.1) + (0.63 - 0.6)
    crossed = (0.7 * 0.3 - 0.1) + (0.6 - 0.5 * 0.9)
    expected = own + 0.001 * crossed + 0.01 * 0.2
    torch.testing.assert_close(decomposition_loss(low, high, of_low, of_high), torch.tensor(expected))
    relief = torch.tensor([[0.3, 0.5], [0.3, 0.5]]).repeat(2, 2).expand(1, 1, 4, 4)
    flat, rough = (
        decomposition_loss(low, high, (of_low[0], light), of_high, smoothness=weight)
        for light, weight in ((relief, 0.0), (relief, 2.0))
    )
    torch.testing.assert_close(rough - flat, torch.tensor(2 * 0.2))
