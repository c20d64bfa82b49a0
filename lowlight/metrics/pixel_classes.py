"""The study's accuracy, precision, recall and F1: an image's pixels taken as samples of a classification.

The study names these four without saying what is classified. Two readings are given: whether a pixel is
well exposed, and which colour channel dominates it.
"""

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_stat_scores

from lowlight.colour import luminance


def exposure(enhanced: Tensor, high: Tensor, threshold: float = 0.5) -> dict[str, Tensor]:
    """Classify pixels as bright (BT.601 luminance of at least ``threshold``) and score each image.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape; theirs are the true classes.
        threshold: The least luminance of a bright pixel, in [0, 1].

    Returns:
        ``accuracy``, ``precision``, ``recall`` and ``f1``, each of shape (B,) in [0, 1]. A quotient 0/0
        counts 1 where neither image has a bright pixel, else 0.
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
    """Classify pixels by their dominant channel of R, G and B (ties go to the first) and score each image.

    The accuracy is what Keras' ``acc`` computes for a three-channel regression.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape; theirs are the true classes.

    Returns:
        ``accuracy`` (micro) and ``precision``, ``recall`` and ``f1`` (macro over the classes that occur in
        either image; 0/0 counts 0), each of shape (B,) in [0, 1].
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
    """Return the share of pixels of each image, of shape (B,), whose dominant channel is the reference's.

    Equal to ``channel(...)["accuracy"]`` at a fraction of its time: it is logged at every training step.
    """
    return (dominant_channel(enhanced) == dominant_channel(high)).flatten(1).float().mean(1)


def dominant_channel(image: Tensor) -> Tensor:
    """Return the index of the greatest channel of each pixel, the first of equals, of shape (B, H, W)."""
    red, green, blue = image.unbind(1)
    green_or_blue = torch.where(green >= blue, 1, 2)
    return torch.where((red >= green) & (red >= blue), 0, green_or_blue)


def _counts(classes: Tensor, truth: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Count true and false positives, true and false negatives: each of shape (B, number), float32."""
    counts = multiclass_stat_scores(
        classes, truth, number, average=None, multidim_average="samplewise", validate_args=False
    )
    tp, fp, tn, fn, _ = counts.float().unbind(-1)
    return tp, fp, tn, fn


def _quotient(numerator: Tensor, denominator: Tensor, where_empty: Tensor) -> Tensor:
    return torch.where(denominator > 0, numerator / denominator.clamp(min=1), where_empty)
