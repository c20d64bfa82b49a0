"""Legibility ignores brightness and falls with blur, noise and other characters."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.data.plate_drawing import draw_plate
from lowlight.images import from_uint8
from lowlight.metrics.legibility import legibility


def plate(seed: int) -> Tensor:
    return from_uint8(draw_plate(np.random.default_rng(seed)).pixels)[None]


def test_a_plate_is_wholly_legible_in_itself_at_any_brightness() -> None:
    high = plate(0)
    assert legibility(high, high).item() == pytest.approx(1, abs=1e-3)
    assert legibility(high / 4, high).item() > 0.97


def test_blur_noise_and_blackness_lower_it_by_their_amount() -> None:
    high, noise = plate(0), torch.randn(plate(0).shape, generator=torch.Generator().manual_seed(0))
    blurred = [F.avg_pool2d(high, size, 1, size // 2).clamp(0, 1) for size in (5, 11, 21)]
    noisy = [high + level * noise for level in (0.05, 0.3, 2.0)]
    for worse in (blurred, noisy):
        scores = [legibility(one, high).item() for one in worse]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > 0.8
        assert scores[-1] < 0.5
    assert legibility(torch.zeros_like(high), high).item() == 0
    assert legibility(high, torch.full_like(high, 0.5)).item() == 0


def test_images_of_a_batch_are_measured_apart() -> None:
    one, other = plate(0), plate(1)
    both = legibility(torch.cat([one, one]), torch.cat([one, other]))
    assert both.shape == (2,)
    assert both[0] > 0.99
    assert both[1] < 0.5
