import math

import pytest
import torch

from lowlight.flicker import LIMIT, Flicker, SceneCuts, SteadyExposure


def flicker_of(means: list[float]) -> float:
    flicker = Flicker()
    for number, mean in enumerate(means):
        flicker.add(mean, begins_scene=number == 0)
    return flicker.levels


def smoothed(means: list[float], time_constant: float = 0.5, rate: float = 25) -> list[float]:
    steady = SteadyExposure(time_constant)
    return [
        mean * steady.gain(mean, number / rate, begins_scene=number == 0) for number, mean in enumerate(means)
    ]


def test_alternating_brightness_flickers_by_the_whole_step() -> None:
    assert flicker_of([10 / 255, 14 / 255] * 5) == pytest.approx(4)


def test_light_that_changes_evenly_does_not_flicker() -> None:
    assert flicker_of([number / 255 for number in range(20)]) == pytest.approx(0, abs=1e-9)


def test_cuts_are_no_flicker() -> None:
    flicker = Flicker()
    for number, mean in enumerate([0.1, 0.1, 0.1, 0.6, 0.6, 0.6]):
        flicker.add(mean, begins_scene=number in (0, 3))
    assert flicker.levels == pytest.approx(0)


def test_light_that_cannot_be_measured_is_not_called_steady() -> None:
    assert math.isnan(flicker_of([0.1, 0.2]))
    strobe = Flicker()
    for number in range(6):
        strobe.add(0.1 + 0.3 * (number % 2), begins_scene=True)
    assert math.isnan(strobe.levels)


def test_smoothing_takes_flicker_away() -> None:
    means = [0.4 * (1 + 0.1 * (-1) ** number) for number in range(100)]
    assert flicker_of(smoothed(means)) < flicker_of(means) / 20


def test_without_time_constant_nothing_changes() -> None:
    means = [0.3, 0.4, 0.35]
    assert smoothed(means, time_constant=0) == means


def test_a_lasting_change_is_followed() -> None:
    means = [0.30] * 25 + [0.36] * 50
    result = smoothed(means)
    assert result[25] < 0.31
    assert result[-1] == pytest.approx(0.36, rel=0.01)


def test_the_correction_is_limited() -> None:
    assert smoothed([0.6] * 5 + [0.2])[-1] == pytest.approx(0.2 * LIMIT)


def test_smoothing_does_not_depend_on_the_frame_rate() -> None:
    slow, fast = ([0.3] + [0.4] * number for number in (25, 100))
    assert smoothed(slow, rate=25)[-1] == pytest.approx(smoothed(fast, rate=100)[-1], rel=1e-3)


def test_black_frames_have_a_finite_gain() -> None:
    assert all(math.isfinite(mean) for mean in smoothed([0.0, 0.0, 0.5, 0.0]))


def test_scenes_begin_at_cuts_and_where_light_jumps_only() -> None:
    torch.manual_seed(0)
    coarse = torch.rand(2, 3, 6, 8)
    one, other = (
        torch.nn.functional.interpolate(coarse, (96, 128), mode="bicubic").clamp(0, 1).mul(0.1).split(1)
    )
    noise = 0.02 * torch.randn(one.shape)
    panned, brighter, lamp = one.roll(4, dims=-1), 1.2 * one, 3 * other
    frames = [one, (one + noise).clamp(0, 1), panned, brighter, other, other, lamp]
    begins_scene = SceneCuts()
    assert [begins_scene(frame.numpy()) for frame in frames] == [True, False, False, False, True, False, True]
