"""Exposure is changed as a camera would, highlights roll off, and saturation is what it says."""

import numpy as np
import pytest
import torch

from lowlight.adjustments import adjust_exposure, adjust_saturation, adjusted, mean_luma, stops_to_mean
from lowlight.colour import luminance, srgb_to_linear

IMAGE = torch.rand(2, 3, 8, 9, generator=torch.Generator().manual_seed(0))


def test_dark_parts_are_multiplied_and_white_stays_white() -> None:
    dark = torch.full((1, 3, 2, 2), 0.05)
    for stops in (-2.0, -0.5, 0.7, 1.5):
        changed = adjust_exposure(dark, stops)
        assert (srgb_to_linear(changed) / srgb_to_linear(dark)).mean() == pytest.approx(2**stops, rel=0.02)
        ends = adjust_exposure(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2), stops).flatten()
        assert ends.tolist() == pytest.approx([0, 1], abs=1e-6)


def test_no_stops_change_nothing_and_changes_add_up() -> None:
    torch.testing.assert_close(adjust_exposure(IMAGE, 0.0), IMAGE, atol=1e-5, rtol=0)
    assert adjusted(IMAGE, 0.0, 1.0) is adjusted(IMAGE, 0, 1) is IMAGE
    twice = adjust_exposure(adjust_exposure(IMAGE, 0.7), -1.2)
    torch.testing.assert_close(twice, adjust_exposure(IMAGE, -0.5), atol=1e-4, rtol=0)
    bright = adjust_exposure(IMAGE, 2.0)
    assert (bright >= IMAGE).all()
    assert (bright.flatten()[IMAGE.flatten().argsort()].diff() >= 0).all()  # order is kept, nothing clips
    assert bright[IMAGE < 0.99].max() < 1


def test_each_image_reaches_its_mean() -> None:
    wanted = torch.tensor([0.2, 0.7]).view(2, 1, 1, 1)
    stops = stops_to_mean(IMAGE, wanted)
    assert stops.shape == (2, 1, 1, 1)
    means = luminance(adjust_exposure(IMAGE, stops)).mean(dim=(1, 2))
    torch.testing.assert_close(means, wanted.flatten(), atol=1e-3, rtol=0)
    torch.testing.assert_close(mean_luma(IMAGE).flatten(), luminance(IMAGE).mean(dim=(1, 2)))
    assert stops_to_mean(torch.zeros(1, 3, 2, 2), 0.5).item() == pytest.approx(8, abs=1e-3)


def test_saturation_is_the_distance_from_grey() -> None:
    assert torch.equal(adjust_saturation(IMAGE, 0.0)[:, 0], adjust_saturation(IMAGE, 0.0)[:, 2])
    half = adjust_saturation(IMAGE, 0.5)
    torch.testing.assert_close(luminance(half), luminance(IMAGE))
    torch.testing.assert_close((half[:, 0] - half[:, 2]) * 2, IMAGE[:, 0] - IMAGE[:, 2])
    vivid = adjust_saturation(IMAGE, 4.0)
    assert (vivid.min(), vivid.max()) == (0, 1)


def test_arrays_are_changed_as_tensors_are() -> None:
    array = IMAGE.numpy()
    for changed, expected in (
        (adjust_exposure(array, 0.7), adjust_exposure(IMAGE, 0.7)),
        (adjust_saturation(array, 1.3), adjust_saturation(IMAGE, 1.3)),
        (stops_to_mean(array, 0.3), stops_to_mean(IMAGE, 0.3)),
    ):
        assert isinstance(changed, np.ndarray)
        torch.testing.assert_close(torch.from_numpy(changed), expected, atol=1e-5, rtol=0)
