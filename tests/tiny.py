"""Each method of conf/method small enough for a test; a new method adds a line."""

from collections.abc import Iterable
from functools import cache

import pytest
import torch
from hydra.utils import get_class
from omegaconf import DictConfig

from lowlight.checkpoints import build
from lowlight.config import load_config, read_recipe
from lowlight.methods import Method

_COARSE_TO_FINE = [
    "method.net.greys_black=true",
    "method.net.cells=8",
    "method.net.coarse_channels=[8,8]",
    "method.net.fine_channels=[8,8]",
    "method.coarse_epochs=1",
    "method.patch_size=32",
]

TINY = {
    "autoencoder": ["method.net.channels=[8,8,8,8,8]"],
    "mirnet": [
        "method.net.channels=8",
        "method.net.groups=1",
        "method.net.blocks=1",
        "method.net.reduction=2",
    ],
    "coarse_to_fine": _COARSE_TO_FINE,
    "coarse_to_fine/small": _COARSE_TO_FINE,
    "coarse_to_fine/large": _COARSE_TO_FINE,
    "gan": [
        "method.net.channels=8",
        "method.net.depth=3",
        "method.discriminator.channels=8",
        "method.discriminator.layers=1",
    ],
    "llcnn": ["method.net.width=8", "method.net.modules=1"],
    "tpet": [
        "method.net.channels=4",
        "method.net.blocks=[1,1]",
        "method.net.heads=[1,2]",
        "method.net.detail_units=1",
    ],
    "nafnet": [
        "method.net.width=4",
        "method.net.encoder_blocks=[1,1]",
        "method.net.middle_blocks=1",
        "method.net.decoder_blocks=[1,1]",
    ],
    "retinexformer": ["method.net.channels=4", "method.net.blocks=[1,1]"],
    "hvi_cidnet": ["method.net.channels=[4,4,8,8]", "method.net.heads=[1,2,2]"],
    "iat": ["method.net.channels=4", "method.net.blocks=1", "method.net.global_channels=8"],
    "restormer": [
        "method.net.channels=4",
        "method.net.blocks=[1,1,1,1]",
        "method.net.refinement=1",
        "method.net.heads=[1,1,2,2]",
    ],
    "zero_dce": ["method.net.channels=4"],
    "zero_dce_pp": ["method.net.channels=4", "method.net.scale=4"],
    "sci": ["method.calibration.channels=4", "method.calibration.layers=1", "method.stages=2"],
    "retinexnet": [
        "method.net.decomposition.channels=8",
        "method.net.decomposition.layers=1",
        "method.net.relighting.channels=8",
        "method.net.relighting.levels=2",
        "method.decomposition_epochs=1",
    ],
    "enlighten_gan": [
        "method.net.channels=4",
        "method.discriminator.channels=4",
        "method.discriminator.layers=2",
        "method.discriminator.patch_layers=2",
        "method.patch_size=16",
        "method.patches=2",
    ],
    "fusion": ["method.first=gamma", "method.second=bilateral", "method.net.levels=2"],
    "plate_gan": [
        "method.net.channels=[8,16]",
        "method.net.blocks=1",
        "method.net.classifier_channels=[8,8]",
        "method.discriminator.channels=8",
        "method.discriminator.layers=1",
    ],
    "bilateral": [],
    "clahe": [],
    "lime": [],
    "msrcr": [],
    "identity": [],
    "gamma": [],
    "histogram": [],
}


def target(name: str) -> str:
    """Return the dotted path of a method's class; sizes are another's."""
    return str(read_recipe(name.partition("/")[0])["_target_"])


LEARNT = [name for name in TINY if "/" not in name and get_class(target(name)).learns]

ONE_PER_CLASS = list({target(name): name for name in reversed(LEARNT)}.values())
"""The first learned method of each class: the others differ from it by their networks only."""


def by_class(names: Iterable[str]) -> list[object]:
    """Mark as slow all but the first method of each class: the others differ by their networks only."""
    first = {target(name): name for name in reversed(TINY)}.values()
    return [name if name in first else pytest.param(name, marks=pytest.mark.slow) for name in names]


def tiny(name: str, *overrides: str) -> Method:
    """Build the tiny version of a method, with the same random weights each time, ready to be trained."""
    config = _composed(name, *overrides).copy()
    torch.manual_seed(0)
    return build(config)


@cache
def _composed(name: str, *overrides: str) -> DictConfig:
    """Compose the config of a tiny method once: composing takes longer than building."""
    return load_config([f"method={name}", *TINY[name], *overrides]).method
