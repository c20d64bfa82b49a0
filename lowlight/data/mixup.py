"""Mixing the pairs of a batch (mixup)."""

import torch
from torch.distributions import Beta

from lowlight.images import Batch


def mix(batch: Batch, concentration: float) -> Batch:
    """Mix each pair of a batch with the one before it, dark image and reference by the same weight.

    The weights are drawn from torch's global generator on the CPU, which a run reseeds each epoch.

    Args:
        batch: Images of shape (B, 3, H, W) in [0, 1]; a lone pair stays as it is.
        concentration: Of the Beta distribution of a pair's weight, both ways: 1 is uniform, more is nearer to
            a half.

    Reference:
        Zhang et al., 2018, "mixup: beyond empirical risk minimization", Equation 1; Zamir et al., 2020, train
        MIRNet so, with a concentration of 1.2.
    """
    low, high = batch["low"], batch["high"]
    weight = Beta(concentration, concentration).sample((len(low), 1, 1, 1)).to(low)
    low, high = (torch.lerp(images.roll(1, 0), images, weight) for images in (low, high))
    return {"low": low, "high": high, "name": batch["name"]}
