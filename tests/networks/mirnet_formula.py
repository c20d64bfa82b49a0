"""MIRNet's original state dict with weights and an input made by formula, so that none need be stored."""

import gzip
import json
import math
import re
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / "golden"


def _noise(size: int, phase: float) -> NDArray[np.float64]:
    """Draw reproducible values in [0, 1)."""
    wave = np.sin(7.1234 * np.arange(size) + phase) * 21943.117
    return np.asarray(wave - np.floor(wave))


def _weight(key: str, shape: list[int]) -> Tensor:
    size = math.prod(shape)
    if key.endswith("filt"):
        return (torch.tensor([1.0, 2.0, 1.0]).outer(torch.tensor([1.0, 2.0, 1.0])) / 16).expand(shape)
    if size == 1:
        return torch.full(shape, 0.15)
    values = (2 * _noise(size, zlib.crc32(key.encode()) % 4099) - 1) * 1.2 / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(values.reshape(shape)).float()


def original_state_dict() -> dict[str, Tensor]:
    """Build the original's state dict: its 797 keys and shapes, a shared DAU's weights under each name."""
    shapes = json.loads(gzip.decompress((GOLDEN / "mirnet_original_keys.json.gz").read_bytes()))
    made: dict[str, Tensor] = {}
    for key, shape in shapes.items():
        shared = re.sub(r"blocks\.(\d+)\.\d+\.", r"blocks.\1.0.", key)
        made.setdefault(shared, _weight(shared, shape))
    return {key: made[re.sub(r"blocks\.(\d+)\.\d+\.", r"blocks.\1.0.", key)] for key in shapes}


def dark_image(height: int, width: int) -> Tensor:
    """Make an image of shape (1, 3, height, width) in [0, 0.3]."""
    values = 0.3 * _noise(3 * height * width, 0.5)
    return torch.from_numpy(values.reshape(1, 3, height, width)).float()
