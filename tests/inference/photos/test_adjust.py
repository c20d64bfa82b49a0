"""An enhancement that is adjusted later equals one that is made with the same settings."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lowlight.adjustments import mean_luma
from lowlight.decoding.photo import Photo
from lowlight.inference.load import choose
from lowlight.inference.photos.adjust import adjust_pixels, neutral
from lowlight.inference.photos.enhance import enhance_photo, enhance_pixels
from lowlight.inference.pixels import floating
from lowlight.inference.settings import Settings
from tests.conftest import photograph
from tests.inference.photos.test_fail_safe import BRIGHTER, Stand

DARK = photograph(4, 50, 300) // 6


@pytest.mark.parametrize(
    "chosen",
    [
        {"strength": 0.4},
        {"strength": 1.5},
        {"exposure": 1.0, "saturation": 1.3},
        {"brightness": 0.5},
        {"strength": 0.7, "exposure": -1.0, "brightness": 0.4, "saturation": 0.0},
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_adjusting_equals_enhancing_with_the_settings(
    chosen: dict[str, Any], dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowlight.decoding.bands.BAND", 5 * 300)
    pixels = DARK.astype(dtype) * (257 if dtype == np.uint16 else 1)
    settings = Settings(fail_safe=False, **chosen)
    network, _ = enhance_pixels(BRIGHTER, pixels, neutral(settings))
    expected, _ = enhance_pixels(BRIGHTER, pixels, settings)
    made = adjust_pixels(pixels, network, settings)
    assert made.dtype == dtype
    assert not np.array_equal(made, network)
    assert np.abs(made.astype(int) - expected).max() <= np.iinfo(dtype).max * 2.5 / 255
    if set(chosen) == {"brightness"}:
        assert float(mean_luma(floating(made)).item()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("tile", [None, 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_brightness_is_that_of_the_result_with_its_noise(dtype: Any, tile: int | None) -> None:
    """Averaged over blocks the noise is gone, and the mean of a curve is not the curve of a mean."""
    noise = np.random.default_rng(0).normal(0, 0.08, (600, 900, 3))
    low = (photograph(4, 600, 900) / 255 / 12 + noise).clip(0, 1)
    pixels = (low * (1 if dtype == np.float32 else np.iinfo(dtype).max)).astype(dtype)
    enhancer, settings = choose(method="gamma"), Settings(fail_safe=False, brightness=0.3, tile=tile)
    made, _ = enhance_pixels(enhancer, pixels, settings)
    assert made.dtype == dtype
    assert float(mean_luma(floating(made)).item()) == pytest.approx(0.3, abs=0.004)
    network, _ = enhance_pixels(enhancer, pixels, neutral(settings))
    later = adjust_pixels(pixels, network, settings)
    assert float(mean_luma(floating(later)).item()) == pytest.approx(0.3, abs=0.004)


def test_grey_has_the_brightness_after_it_is_grey() -> None:
    tinted = Stand(lambda low: (low * torch.tensor([7.0, 3.0, 2.0])[:, None, None]).clamp(0, 1))
    photo = Photo(DARK[..., :1].repeat(3, -1), is_grey=True)
    made, _ = enhance_photo(tinted, photo, Settings(fail_safe=False, brightness=0.4))
    assert made.pixels.mean() / 255 == pytest.approx(0.4, abs=0.003)


def test_nothing_to_adjust_is_the_enhancement_itself() -> None:
    network = DARK * 3
    assert adjust_pixels(DARK, network) is network
    assert neutral(Settings(2.0, False, exposure=1, max_pixels=9)) == replace(
        Settings(), fail_safe=False, max_pixels=9
    )
