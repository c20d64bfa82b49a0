"""Losses without references, against cases computed by hand."""

import pytest
import torch
from torch import Tensor

from lowlight.losses import colour_constancy, exposure_control, spatial_consistency
from lowlight.reference_free import illumination_smoothness

NONE = torch.empty(0)
"""In the place of a reference."""


def regions(values: list[list[float]], size: int) -> Tensor:
    """Return a grey image whose regions of ``size`` pixels have these values."""
    grey = torch.tensor(values).repeat_interleave(size, 0).repeat_interleave(size, 1)
    return grey.expand(1, 3, *grey.shape)


def test_spatial_consistency_sums_squared_changes_of_contrast_per_region() -> None:
    """Contrasts across grow by 0.2 in both rows, down by 0.1 in the right column only: twice each, over 4."""
    low = regions([[0.1, 0.2], [0.1, 0.2]], 4)
    enhanced = regions([[0.3, 0.6], [0.3, 0.7]], 4)
    changes = [0.2, 0.3, 0.1, 0.0]
    expected = 2 * sum(change**2 for change in changes) / 4
    torch.testing.assert_close(spatial_consistency(enhanced, NONE, low), torch.tensor(expected))


def test_spatial_consistency_ignores_an_offset_and_detail_within_regions() -> None:
    low = regions([[0.1, 0.2, 0.4]], 4)
    detail = torch.tensor([0.1, -0.1]).repeat(6)
    assert spatial_consistency(low + 0.3 + detail, NONE, low) < 1e-12
    assert spatial_consistency(-low, NONE, low) > 0.01  # an inverted edge is a change


def test_spatial_consistency_is_the_mean_over_images_of_any_size() -> None:
    low = torch.zeros(2, 3, 4, 8)
    enhanced = low.clone()
    enhanced[0, :, :, 4:] = 0.3
    torch.testing.assert_close(spatial_consistency(enhanced, NONE, low), torch.tensor(2 * 0.09 / 2 / 2))
    assert spatial_consistency(torch.rand(1, 3, 1, 1), NONE, torch.rand(1, 3, 1, 1)) == 0


def test_exposure_control_is_the_mean_squared_distance_of_regions_from_the_level() -> None:
    enhanced = regions([[0.6, 0.2], [1.0, 0.7]], 16)
    expected = (0 + 0.16 + 0.16 + 0.01) / 4
    torch.testing.assert_close(exposure_control(enhanced, NONE), torch.tensor(expected))
    assert exposure_control(regions([[0.5]], 3), NONE, level=0.5) == 0


def test_colour_constancy_is_the_norm_of_squared_differences_of_the_channels_means() -> None:
    image = torch.tensor([0.5, 0.4, 0.2]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    expected = (0.1**4 + 0.2**4 + 0.3**4) ** 0.5
    torch.testing.assert_close(colour_constancy(image, NONE), torch.tensor(expected))


def test_colour_constancy_of_grey_has_a_finite_gradient() -> None:
    image = torch.full((1, 3, 4, 4), 0.3, requires_grad=True)
    loss = colour_constancy(image, NONE)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss == 0
    assert image.grad is not None
    assert image.grad.eq(0).all()


def test_illumination_smoothness_is_twice_the_mean_squared_differences_summed_over_maps() -> None:
    """A ramp of 0.1 per column: 0.01 across, 0 down, in each of two maps; in the second image 0."""
    ramp = (0.1 * torch.arange(4)).expand(1, 2, 3, 4)
    torch.testing.assert_close(illumination_smoothness(ramp), torch.tensor(2 * 2 * 0.01))
    torch.testing.assert_close(illumination_smoothness(ramp.mT), torch.tensor(2 * 2 * 0.01))
    both = torch.cat([ramp, torch.zeros_like(ramp)])
    torch.testing.assert_close(illumination_smoothness(both), torch.tensor(2 * 0.01))


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1)])
def test_illumination_smoothness_of_a_line_is_that_of_its_length(size: tuple[int, int]) -> None:
    assert illumination_smoothness(torch.rand(1, 3, *size)).isfinite()
