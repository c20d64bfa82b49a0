"""Sizes of networks that do not go together are refused when the network is made, not by its first batch."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from lowlight.networks.coarse_to_fine import CoarseToFine
from lowlight.networks.hvi_cidnet import HVICIDNet
from lowlight.networks.iat import IAT
from lowlight.networks.plate_restorer import Classifier
from lowlight.networks.restormer import Restormer
from lowlight.networks.sci import SelfCalibration


@pytest.mark.parametrize(
    ("network", "sizes", "message"),
    [
        (HVICIDNet, {"heads": (5, 4, 8)}, "heads=5 must divide the 36 channels of its level"),
        (HVICIDNet, {"channels": (0, 36, 72, 144)}, "heads=1 must divide the 0 channels"),
        (Restormer, {"channels": 10, "heads": (3, 2, 4, 8)}, "heads=3 must divide the 10 channels"),
        (Restormer, {"channels": 9}, "channels=9 must be even"),
        (IAT, {"global_channels": 66}, "global_channels=66 must be a multiple of twice heads=4"),
        (IAT, {"heads": 0}, "heads=0"),
        (CoarseToFine, {"samples": 0}, "samples=0 must be at least 1"),
        (Classifier, {"channels": [], "classes": 3}, r"channels=\[\] and classes=3 must be positive"),
        (SelfCalibration, {"channels": 0}, "channels=0 must be at least 1"),
    ],
)
def test_impossible_sizes_are_refused(
    network: Callable[..., nn.Module], sizes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        network(**sizes)
