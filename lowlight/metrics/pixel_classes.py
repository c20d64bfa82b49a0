"""Accuracy, precision, recall and F1 with an image's pixels as the samples of a classification.

The published performance study reports these four without saying what is classified. Both plausible readings
are here: whether a pixel is bright, and which colour channel dominates it.
"""

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_stat_scores

from lowlight.colour import luminance
from lowlight.metrics.metric import Metric


def exposure(enhanced: Tensor, high: Tensor, threshold: float = 0.5) -> dict[str, Tensor]:
    """Classify pixels as bright (BT.601 luminance of at least ``threshold``) and score each image.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape; they give the true classes.
        threshold: Lowest luminance of a bright pixel, in [0, 1].

    Returns:
        ``accuracy``, ``precision``, ``recall`` and ``f1`` per image, each of shape (B,) in [0, 1]. A ratio
        0/0 counts as 1 if neither image has a bright pixel, else as 0.

    Example:
        >>> levels = torch.tensor([[0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.6, 0.3]])
        >>> enhanced, high = levels.view(2, 1, 1, 1, 4).expand(2, 1, 3, 1, 4)
        >>> {part: value.item() for part, value in exposure(enhanced, high).items()}
        {'accuracy': 0.5, 'precision': 0.5, 'recall': 0.5, 'f1': 0.5}
    """
    bright, truth = luminance(enhanced) >= threshold, luminance(high) >= threshold
    tp, fp, tn, fn = (count[:, 1] for count in _counts(bright.long(), truth.long(), 2))
    empty = ((tp + fp + fn) == 0).float()
    return {
        "accuracy": (tp + tn) / (tp + fp + tn + fn),
        "precision": _quotient(tp, tp + fp, empty),
        "recall": _quotient(tp, tp + fn, empty),
        "f1": _quotient(2 * tp, 2 * tp + fp + fn, empty),
    }


def channel(enhanced: Tensor, high: Tensor) -> dict[str, Tensor]:
    """Classify pixels by their dominant channel of R, G and B (the first in a tie) and score each image.

    The accuracy equals Keras' ``acc`` of a three-channel regression.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape; they give the true classes.

    Returns:
        ``accuracy`` (micro), ``precision``, ``recall`` and ``f1`` (macro over the classes in either image;
        0/0 counts as 0) per image, each of shape (B,) in [0, 1].

    Example:
        >>> red, green = torch.eye(3)[:2].view(2, 1, 3, 1, 1)
        >>> channel(torch.cat((red, green), -1), torch.cat((red, red), -1))["accuracy"]
        tensor([0.5000])
    """
    tp, fp, tn, fn = _counts(dominant_channel(enhanced), dominant_channel(high), 3)
    present = (tp + fp + fn) > 0
    zero = torch.zeros_like(tp)

    def macro(scores: Tensor) -> Tensor:
        return (scores * present).sum(-1) / present.sum(-1)

    return {
        "accuracy": tp.sum(-1) / (tp + fp + tn + fn)[:, 0],
        "precision": macro(_quotient(tp, tp + fp, zero)),
        "recall": macro(_quotient(tp, tp + fn, zero)),
        "f1": macro(_quotient(2 * tp, 2 * tp + fp + fn, zero)),
    }


def channel_accuracy(enhanced: Tensor, high: Tensor) -> Tensor:
    """Return the share of pixels per image, shape (B,), whose dominant channel is the reference's.

    Equal to ``channel(...)["accuracy"]`` but much faster, since it is logged at every training step.
    """
    return (dominant_channel(enhanced) == dominant_channel(high)).flatten(1).float().mean(1)


def dominant_channel(image: Tensor) -> Tensor:
    """Return the index of the greatest channel per pixel, the first in a tie: (B, H, W)."""
    red, green, blue = image.unbind(1)
    green_or_blue = torch.where(green >= blue, 1, 2)
    return torch.where((red >= green) & (red >= blue), 0, green_or_blue)


def _counts(classes: Tensor, truth: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Count true and false positives, true and false negatives per class: each (B, number), float32."""
    counts = multiclass_stat_scores(
        classes, truth, number, average=None, multidim_average="samplewise", validate_args=False
    )
    tp, fp, tn, fn, _ = counts.float().unbind(-1)
    return tp, fp, tn, fn


def _quotient(numerator: Tensor, denominator: Tensor, where_empty: Tensor) -> Tensor:
    """Divide counts; an empty denominator gives ``where_empty``."""
    return torch.where(denominator > 0, numerator / denominator.clamp(min=1), where_empty)


_PARTS = {"accuracy": "Acc.", "precision": "Prec.", "recall": "Recall", "f1": "F1"}

EXPOSURE = Metric(
    key="exposure",
    heading="Exposure",
    measure=exposure,
    definition="pixels as samples, positive where the BT.601 luminance is at least 0.5; per image, then "
    "averaged",
    source="the published performance study, read as a classification into bright and dark; ITU-R BT.601",
    decimals=3,
    parts=_PARTS,
)

CHANNEL = Metric(
    key="channel",
    heading="Channel",
    measure=channel,
    definition="pixels as samples, the class is the dominant channel of R, G, B (ties to the first); "
    "accuracy micro, precision, recall and F1 macro over the classes present; per image, then averaged",
    source="the published performance study, read as Keras' accuracy of a three-channel regression",
    decimals=3,
    parts=_PARTS,
)
