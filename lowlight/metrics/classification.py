"""Scores of a classifier from its confusion matrix."""

from torch import Tensor


def classification_scores(confusion: Tensor) -> dict[str, float]:
    """Compute scores of a classifier.

    Args:
        confusion: Counts of shape (classes, classes), true classes in rows, predicted ones in columns.

    Returns:
        ``accuracy``, the share of right predictions; and ``precision``, ``recall`` and ``f1``, averaged over
        the classes that occur (macro), where a class that is never predicted has a precision of 0. All 0
        where nothing was counted.

    Reference:
        Sokolova and Lapalme, 2009, "A systematic analysis of performance measures for classification tasks",
        Table 3 (macro averages); F1 is averaged over classes, not computed from the averages.
    """
    counts = confusion.cpu().double()
    right, true, predicted = counts.diag(), counts.sum(1), counts.sum(0)
    occurs = true > 0
    precision = right / predicted.clamp(min=1)
    recall = right / true.clamp(min=1)
    f1 = 2 * right / (true + predicted).clamp(min=1)
    number = max(int(occurs.sum()), 1)
    return {
        "accuracy": float(right.sum() / true.sum().clamp(min=1)),
        "precision": float(precision[occurs].sum() / number),
        "recall": float(recall[occurs].sum() / number),
        "f1": float(f1[occurs].sum() / number),
    }
