"""At night skies are black, lamplight ends, and what is lit is as bright as before."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlight.data.low_light import LowLight, LowLightPhoto, illumination
from lowlight.data.night import at_night, lamplight, sky_of


def textured() -> np.ndarray:
    """Return 96x128 pixels of strong texture, so without anything plain."""
    return np.random.default_rng(0).integers(20, 220, (96, 128, 3), dtype=np.uint8)


def under_a_sky() -> np.ndarray:
    """Return texture with a plain sky in its upper half, and a dark mast before it."""
    high = textured()
    high[:48] = (170, 190, 230)
    high[10:48, 60:66] = 30
    return high


@pytest.mark.parametrize("quarters", range(4))
def test_a_sky_is_found_at_any_side_and_what_stands_before_it_is_not(quarters: int) -> None:
    high = np.rot90(under_a_sky(), quarters)
    sky = np.rot90(sky_of(high), -quarters)
    assert sky[2:40, 4:50].min() > 0.95
    assert sky[12:40, 61:65].max() < 0.05
    assert sky[52:].max() < 0.05


def test_a_bright_plain_thing_amid_the_photograph_is_no_sky() -> None:
    high = textured()
    high[30:60, 40:80] = 220
    assert sky_of(high).max() == 0


def test_a_sky_becomes_black_and_the_rest_stays() -> None:
    high = under_a_sky()
    nights = [at_night(high, np.random.default_rng(seed)) for seed in range(20)]
    unlit = [night for night in nights if np.abs(night[56:].astype(int) - high[56:]).max() <= 1]
    assert len(unlit) > 5  # the others are lit by lamps
    for night in unlit:
        assert night.dtype == np.uint8
        assert night[2:40, 4:50].max() < 40
        assert np.abs(night[14:40, 61:65].astype(int) - 30).max() <= 3


@pytest.mark.parametrize("seed", range(8))
def test_lamplight_is_full_somewhere_or_falls_and_never_brightens(seed: int) -> None:
    light = lamplight((60, 100), np.random.default_rng(seed))
    assert light.shape == (60, 100)
    assert 0 < light.min() < light.max() <= 1
    assert np.abs(np.diff(light, axis=0)).max() < 0.25  # smooth


def test_against_the_light_the_sky_keeps_its_exposure_and_the_rest_is_dark() -> None:
    ranges = LowLight(exposure=(-4, -4), uneven=0, vignette=(0, 0), backlit=1, sky=(-0.5, -0.5))
    stops = illumination(under_a_sky(), ranges, np.random.default_rng(0))
    assert stops[2:40, 4:50] == pytest.approx(-0.5, abs=0.2)
    assert stops[12:40, 61:65] == pytest.approx(-4, abs=0.2)
    assert stops[52:] == pytest.approx(-4, abs=0.2)
    assert illumination(textured(), ranges, np.random.default_rng(0)) == pytest.approx(-4)
    assert illumination(under_a_sky(), replace(ranges, sky=(1, 1)), np.random.default_rng(0)).max() == 0


def test_only_training_samples_are_at_night(tmp_path: Path) -> None:
    Image.fromarray(under_a_sky()).save(tmp_path / "day.png")
    day = LowLightPhoto("x/day", "day", tmp_path / "day.png", LowLight())
    night = replace(day, ranges=LowLight(night=1))
    pixels = np.stack([under_a_sky(), under_a_sky()])
    assert (night.read()[1] == under_a_sky()).all()
    assert (day.sample(pixels, np.random.default_rng(0))[1] == under_a_sky()).all()
    references = [night.sample(pixels, np.random.default_rng(seed))[1] for seed in range(5)]
    assert all(reference.mean() < under_a_sky().mean() - 20 for reference in references)
