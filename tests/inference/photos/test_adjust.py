"""An enhancement that is adjusted later equals one that is made with the same settings."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lowlight.adjustments import mean_luma
from lowlight.inference.photos.adjust import adjust_pixels, neutral
from lowlight.inference.photos.enhance import enhance_pixels
from lowlight.inference.pixels import floating
from lowlight.inference.settings import Settings
from tests.conftest import photograph
from tests.inference.photos.test_fail_safe import BRIGHTER

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


def test_nothing_to_adjust_is_the_enhancement_itself() -> None:
    network = DARK * 3
    assert adjust_pixels(DARK, network) is network
    assert neutral(Settings(2.0, False, exposure=1, max_pixels=9)) == replace(
        Settings(), fail_safe=False, max_pixels=9
    )
