"""Mixup: blending the pairs of a batch."""

from typing import cast

import torch
from torch.distributions import Beta

from lowlight.images import Batch


def mix(batch: Batch, concentration: float) -> Batch:
    """Blend each pair of a batch with the one before it, dark image and reference by the same weight.

    The weights are drawn from torch's global generator on the CPU, which is reseeded every epoch of a run.

    Args:
        batch: The pairs; a single one stays unchanged.
        concentration: Both parameters of the weights' Beta distribution: 1 is uniform, larger values are
            closer to one half.

    Reference:
        Zhang et al., 2018, "mixup: beyond empirical risk minimization", Equation 1; the code
        of MIRNet's authors (Zamir et al., 2020) has a concentration of 1.2.
    """
    low, high = batch["low"], batch["high"]
    weight = Beta(concentration, concentration).sample((len(low), 1, 1, 1)).to(low)
    low, high = (torch.lerp(images.roll(1, 0), images, weight) for images in (low, high))
    kept = {key: value for key, value in batch.items() if key != "label"}  # a blend has none
    return cast(Batch, kept | {"low": low, "high": high})
