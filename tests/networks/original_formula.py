"""Weights and images made by formula, so that no published file need be stored."""

import math
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlight.networks.original import Original


def noise(size: int, phase: float) -> NDArray[np.float64]:
    """Draw reproducible values in [-1, 1)."""
    wave = np.sin(7.1234 * np.arange(size) + phase) * 21943.117
    return np.asarray(2 * (wave - np.floor(wave)) - 1)


def weight(key: str, shape: torch.Size) -> Tensor:
    """Make the weight that is stored under a published key."""
    size = math.prod(shape)
    if key.endswith(("running_var", "running_mean", "num_batches_tracked")):
        return torch.full(shape, float(key.endswith("running_var")))
    if size == 1:
        return torch.full(shape, 0.15)
    values = noise(size, zlib.crc32(key.encode()) % 4099)
    if len(shape) == 1:
        values = 1 + 0.2 * values if key.endswith("weight") else 0.1 * values
    else:
        values = 1.2 * values / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(values.reshape(shape)).float()


def published_state(net: Original) -> dict[str, Tensor]:
    """Make the published state dict of a network; what it shares under several keys is made once."""
    made: dict[int, Tensor] = {}
    return {
        key: made.setdefault(value.data_ptr(), weight(key, value.shape))
        for key, value in net.original_state_dict().items()
    }


def keys_of(net: Original) -> int:
    """Return a checksum of the published keys and their shapes."""
    lines = sorted(f"{key} {list(value.shape)}" for key, value in net.original_state_dict().items())
    return zlib.crc32("\n".join(lines).encode())


def dark_image(height: int, width: int) -> Tensor:
    """Make an image of shape (1, 3, height, width) in [0, 0.4]."""
    values = 0.2 + 0.2 * noise(3 * height * width, 0.5)
    return torch.from_numpy(values.reshape(1, 3, height, width)).float()
