import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lowlight.metrics import channel, channel_accuracy, exposure


def grey(*levels: float) -> torch.Tensor:
    return torch.tensor(levels).reshape(1, 1, 1, -1).expand(1, 3, 1, -1)


def pixels(*colours: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(colours).T.reshape(1, 3, 1, -1)


def test_exposure_by_hand() -> None:
    scores = exposure(grey(0.9, 0.8, 0.1, 0.2, 0.7), grey(0.9, 0.1, 0.6, 0.3, 0.8))
    # true positives 2, false positives 1, false negatives 1, true negatives 1
    expected = {"accuracy": 3 / 5, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3}
    assert {key: value.item() for key, value in scores.items()} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("enhanced", "high", "expected"),
    [
        (
            (0.1, 0.2),
            (0.1, 0.3),
            {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1},
        ),  # none bright in either
        ((0.9, 0.2), (0.1, 0.3), {"accuracy": 0.5, "precision": 0, "recall": 0, "f1": 0}),  # recall is 0/0
        ((0.1, 0.2), (0.9, 0.3), {"accuracy": 0.5, "precision": 0, "recall": 0, "f1": 0}),  # precision is 0/0
    ],
)
def test_exposure_without_positives(
    enhanced: tuple[float, ...], high: tuple[float, ...], expected: dict[str, float]
) -> None:
    scores = exposure(grey(*enhanced), grey(*high))
    assert {key: value.item() for key, value in scores.items()} == pytest.approx(expected)


def test_exposure_uses_bt601_and_its_threshold() -> None:
    green, blue = pixels((0, 1, 0)), pixels((0, 0, 1))
    assert exposure(green, green, threshold=0.5)["recall"].item() == 1
    assert exposure(blue, green, threshold=0.5)["recall"].item() == 0  # luminance 0.114 against 0.587
    assert exposure(blue, green, threshold=0.1)["recall"].item() == 1


def test_channel_by_hand() -> None:
    red, green, blue = (0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (0.1, 0.1, 0.9)
    scores = channel(pixels(red, red, green, blue), pixels(red, green, green, green))
    # red: precision 1/2, recall 1; green: 1/1, 1/3; blue: 0/1, 0/0
    expected = {
        "accuracy": 2 / 4,
        "precision": (1 / 2 + 1 + 0) / 3,
        "recall": (1 + 1 / 3 + 0) / 3,
        "f1": (2 / 3 + 2 / 4 + 0) / 3,
    }
    assert {key: value.item() for key, value in scores.items()} == pytest.approx(expected)


def test_channel_averages_over_the_classes_present() -> None:
    red, green = (0.9, 0.1, 0.1), (0.1, 0.9, 0.1)
    scores = channel(pixels(red, red), pixels(red, green))
    assert scores["recall"].item() == pytest.approx(1 / 2)  # blue is in neither image


def test_ties_go_to_the_first_channel() -> None:
    tied = pixels((0.5, 0.5, 0.5), (0.2, 0.5, 0.5), (0.5, 0.2, 0.5))
    clear = pixels((0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (0.9, 0.1, 0.1))
    assert channel(tied, clear)["accuracy"].item() == 1


def test_images_are_scored_apart() -> None:
    high = torch.rand(3, 3, 8, 8)
    enhanced = torch.rand(3, 3, 8, 8)
    for scores in (exposure, channel):
        alone = [scores(enhanced[i : i + 1], high[i : i + 1]) for i in range(3)]
        for key, values in scores(enhanced, high).items():
            assert values.tolist() == pytest.approx([one[key].item() for one in alone])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_quick_channel_accuracy_is_the_same(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    enhanced, high = (torch.randint(0, 3, (2, 3, 5, 5), generator=generator) / 2 for _ in range(2))
    expected = channel(enhanced, high)["accuracy"].tolist()
    assert channel_accuracy(enhanced, high).tolist() == pytest.approx(expected)
