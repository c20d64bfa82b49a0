"""Characters are counted by edit distance; the OCR is offline, and named where it is missing."""

import sys

import numpy as np
import pytest

from lowlight.data.plate_drawing import draw_plate
from lowlight.evaluation.plate_reading import characters_right, normalised, plate_reader


@pytest.mark.parametrize(
    ("text", "read", "share"),
    [
        ("AB12", "AB12", 1.0),
        ("AB12", "AB1", 0.75),
        ("AB12", "XAB12", 0.75),
        ("AB12", "A812", 0.75),
        ("AB12", "", 0.0),
        ("AB12", "WXYZQQQQQQ", 0.0),
        ("AB12", "BA12", 0.5),
    ],
)
def test_characters_right_are_counted_by_edit_distance(text: str, read: str, share: float) -> None:
    assert characters_right(text, read) == share


def test_only_letters_and_digits_count() -> None:
    assert normalised("ab-1·2 é京") == "AB12"


def test_a_missing_reader_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    with pytest.raises(ValueError, match=r"pip install 'lowlight\[plates\]'") as caught:
        plate_reader()
    assert "\n" not in str(caught.value)


def test_a_drawn_plate_is_read() -> None:
    pytest.importorskip("rapidocr_onnxruntime")
    read = plate_reader()
    plates = [draw_plate(np.random.default_rng(seed)) for seed in range(4)]
    shares = [characters_right(one.text, read(one.pixels)) for one in plates]
    assert np.mean(shares) > 0.7
