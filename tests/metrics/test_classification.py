"""A classifier's scores follow from its confusion matrix."""

import pytest
import torch

from lowlight.metrics.classification import classification_scores


def test_scores_against_values_worked_out_by_hand() -> None:
    # Class a: 3 of 4 found, 1 false; b: 1 of 2 found, 1 false; c never occurs.
    scores = classification_scores(torch.tensor([[3, 1, 0], [1, 1, 0], [0, 0, 0]]))
    assert scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["precision"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert scores["recall"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert scores["f1"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    lopsided = classification_scores(torch.tensor([[4, 0], [3, 1]]))
    assert lopsided["precision"] == pytest.approx((4 / 7 + 1) / 2)
    assert lopsided["recall"] == pytest.approx((1 + 1 / 4) / 2)
    assert lopsided["f1"] == pytest.approx((8 / 11 + 2 / 5) / 2)


def test_a_class_never_predicted_has_no_precision_and_nothing_counted_is_zero() -> None:
    assert classification_scores(torch.tensor([[0, 2], [0, 2]]))["precision"] == pytest.approx(0.25)
    assert set(classification_scores(torch.zeros(3, 3)).values()) == {0.0}
