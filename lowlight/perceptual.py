"""Losses of structure: SSIM in disjoint blocks and at several scales, gradients, features of VGG, LPIPS.

``enhanced`` is a network's raw output of shape (B, 3, H, W), any range; ``high`` is its reference, same
shape, in [0, 1]. See :mod:`lowlight.losses` for the others.
"""

from collections.abc import Mapping
from functools import lru_cache

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.colour import luminance
from lowlight.deep_features import VGG_WIDTHS, Backbone, lpips, vgg_blocks
from lowlight.files import first_line
from lowlight.losses import ssim_loss, total_variation
from lowlight.similarity import scales_of

__all__ = [
    "block_ssim_loss",
    "gradient_loss",
    "lpips_loss",
    "multi_scale_ssim_loss",
    "self_feature_loss",
    "structure_loss",
    "vgg_loss",
]


def block_ssim_loss(
    enhanced: Tensor,
    high: Tensor,
    channels: int = 3,
    size: int = 8,
    stride: int = 8,
    c1: float = 1e-4,
    c2: float = 1e-3,
) -> Tensor:
    """Return one minus the mean SSIM of square windows of equal weights, as LLCNN's loss.

    Args:
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: References of the same shape in [0, 1].
        channels: 1 to compare the BT.601 luma, 3 to average over red, green and blue.
        size: Side of the windows in pixels.
        stride: Distance of neighbouring windows in pixels; pixels beyond the last whole window do not count.
        c1: Constant of the luminance term.
        c2: Constant of the contrast term.

    Returns:
        The loss in [0, 2], a scalar.

    Raises:
        ValueError: If ``channels`` is neither 1 nor 3, or a side is shorter than a window.

    Reference:
        Wang et al., 2004, "Image quality assessment: from error visibility to structural similarity",
        Equation 13; Tao et al., 2017, "LLCNN: a convolutional neural network for low-light image
        enhancement", size, distance and constants of the windows by the authors' published Caffe model.

    Differs from the authors' code: their model file calls the windows Gaussian, of which 3 sigma fit in, and
    the layer for Caffe that takes its settings sums over windows and channels in place of averaging (64 times
    as much on crops of 64 pixels and one channel) and counts windows that reach beyond the image.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 (luma) or 3 (RGB), got {channels}")
    if min(enhanced.shape[-2:]) < size:
        sides = "x".join(map(str, enhanced.shape[-2:]))
        raise ValueError(f"SSIM in windows of {size} pixels needs sides of at least as many, got {sides}")
    x, y = (luminance(image)[:, None] if channels == 1 else image.float() for image in (enhanced, high))
    # Subtracting the mean changes nothing but rounding: small variances keep their precision.
    level_x, level_y = (image.detach().mean((-2, -1), keepdim=True) for image in (x, y))
    x, y = x - level_x, y - level_y
    with torch.autocast(x.device.type, enabled=False):
        means = F.avg_pool2d(torch.cat((x, y, x * x + y * y, x * y), dim=1), size, stride)
    mean_x, mean_y, squares, products = means.chunk(4, dim=1)
    variances, covariance = squares - mean_x.square() - mean_y.square(), products - mean_x * mean_y
    mean_x, mean_y = mean_x + level_x, mean_y + level_y
    brightness = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    contrast = (2 * covariance + c2) / (variances.clamp(min=0) + c2)
    return 1 - (brightness * contrast).mean()


def multi_scale_ssim_loss(enhanced: Tensor, high: Tensor, scales: int = 3) -> Tensor:
    """Return one minus the mean of :func:`lowlight.losses.ssim` at several scales.

    Args:
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: References of the same shape in [0, 1].
        scales: Number of scales, each half the size of the one before by 2x2 averages. Those that would be
            shorter than SSIM's window of 11 pixels are left out.

    Returns:
        The loss in [0, 2], a scalar.

    Raises:
        ValueError: If ``scales`` is below 1, or a side is shorter than 11 pixels.

    Reference:
        Wang, Simoncelli and Bovik, 2003, "Multi-scale structural similarity for image quality assessment".

    Differs from the paper: scales are averaged, not multiplied, so negative similarities need no care.
    """
    if scales < 1:
        raise ValueError(f"scales must be at least 1, got {scales}")
    return torch.stack([ssim_loss(*pair) for pair in scales_of(enhanced, high, scales)]).mean()


def gradient_loss(enhanced: Tensor, high: Tensor) -> Tensor:
    """Return the mean absolute difference of the images' gradients: edges count, levels do not.

    Gradients are differences of vertical and of horizontal neighbours; both means are added.
    """
    return total_variation(enhanced.float() - high.float(), high)


def lpips_loss(enhanced: Tensor, high: Tensor, net: Backbone = "vgg") -> Tensor:
    """Return the mean of :func:`lowlight.deep_features.lpips`.

    The weights, of ``lowlight[lpips]``, are read when the loss is first computed: a checkpoint works without.

    Args:
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: References of the same shape in [0, 1].
        net: VGG-16, or AlexNet (``alex``), which takes a twentieth of the time.
    """
    return lpips(enhanced, high, net).mean()


def vgg_loss(enhanced: Tensor, high: Tensor, weights: str, blocks: int = 4) -> Tensor:
    """Return the mean absolute difference of VGG features, averaged over the network's first blocks.

    The features are those after each block's last rectifier, for VGG-16 ``relu1_2``, ``relu2_2``, ``relu3_3``
    and ``relu4_3``.

    Args:
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: References of the same shape in [0, 1].
        weights: File of VGG-16 or VGG-19 weights trained on ImageNet, named as torchvision names them, as
            ``.safetensors`` or as a torch file of tensors only; lowlight downloads none. It is read when the
            loss is first computed, so a checkpoint works without it.
        blocks: Number of blocks compared, 1 to 5.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If the file is missing or holds no such weights, or a side is shorter than
            ``2**(blocks - 1)`` pixels.

    Reference:
        Johnson, Alahi and Fei-Fei, 2016, "Perceptual losses for real-time style transfer and
        super-resolution" (there squared differences); Simonyan and Zisserman, 2015, "Very deep convolutional
        networks for large-scale image recognition", configurations D and E.
    """
    if min(enhanced.shape[-2:]) < 2 ** (blocks - 1):
        sides = "x".join(map(str, enhanced.shape[-2:]))
        raise ValueError(f"{blocks} blocks of VGG need sides of {2 ** (blocks - 1)} pixels, got {sides}")
    features = _for_vgg(enhanced, high)
    losses = []
    for block in _vgg(weights, blocks, str(high.device)):
        features = block(features)
        losses.append(F.l1_loss(*features.float().chunk(2)))
    return torch.stack(losses).mean()


def structure_loss(enhanced: Tensor, high: Tensor, scales: int = 3, size: int = 7, c: float = 1e-5) -> Tensor:
    """Return one minus the mean correlation of the images in local windows: gain and offset do not count.

    It is the structure term of SSIM, by windows of equal weights, per channel and at several scales. With the
    dark images as ``high`` it keeps their structure under any smooth change of exposure.

    Args:
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: References, or the dark images, of the same shape in [0, 1].
        scales: Number of scales, each half the size of the one before by 2x2 averages; those that would be
            shorter than a window are left out.
        size: Side of the windows in pixels, at most that of the images.
        c: Variance below which structure counts as noise: 1e-5 is nearly that of rounding to 8 bits.

    Returns:
        The loss in [0, 2], a scalar.

    Raises:
        ValueError: If ``scales`` or ``size`` is below 1.

    Reference:
        Wang et al., 2004, "Image quality assessment: from error visibility to structural similarity",
        Equation 10, with each variance plus ``c`` in place of ``c`` added to the product's root.
    """
    if scales < 1 or size < 1:
        raise ValueError(f"scales and size must be at least 1, got {scales} and {size}")
    size = min(size, *enhanced.shape[-2:])
    x, y = enhanced.float(), high.float()
    losses: list[Tensor] = []
    while len(losses) < scales and (not losses or min(x.shape[-2:]) >= size):
        with torch.autocast(x.device.type, enabled=False):
            means = F.avg_pool2d(torch.cat((x, y, x * x, y * y, x * y), dim=1), size, stride=1)
            mean_x, mean_y, square_x, square_y, product = means.chunk(5, dim=1)
            variance_x = (square_x - mean_x.square()).clamp(min=0)
            variance_y = (square_y - mean_y.square()).clamp(min=0)
            covariance = product - mean_x * mean_y
            correlation = (covariance + c) / ((variance_x + c) * (variance_y + c)).sqrt()
            losses.append(1 - correlation.mean())
            x, y = F.avg_pool2d(x, 2, ceil_mode=True), F.avg_pool2d(y, 2, ceil_mode=True)
    return torch.stack(losses).mean()


def self_feature_loss(enhanced: Tensor, high: Tensor, weights: str) -> Tensor:
    """Return the mean squared difference of VGG features without their means and scales, EnlightenGAN's.

    The features are those of ``relu5_1``, each channel of an image normalised, so that exposure hardly
    counts; with the dark images as ``high``, their content is preserved. As in the authors' code the fourth
    pooling is left out.

    Args:
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: References, or the dark images, of the same shape in [0, 1].
        weights: File of VGG-16 or VGG-19 weights; see :func:`vgg_loss`.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If the file is missing or holds no such weights, or a side is shorter than 16 pixels.

    Reference:
        Jiang et al., 2021, "EnlightenGAN: Deep Light Enhancement Without Paired Supervision", Equation 6.

    Differs from the authors' code: inputs are normalised as torchvision's weights expect; theirs are Caffe's.
    """
    if min(enhanced.shape[-2:]) < 16:
        sides = "x".join(map(str, enhanced.shape[-2:]))
        raise ValueError(f"normalised VGG features need sides of 16 pixels, got {sides}")
    features = _for_vgg(enhanced, high)
    *blocks, last = _vgg(weights, len(VGG_WIDTHS), str(high.device))
    for block in blocks:
        features = block(features)
    ours, theirs = F.instance_norm(last[1:3](features).float()).chunk(2)
    return F.mse_loss(ours, theirs)


def _for_vgg(enhanced: Tensor, high: Tensor) -> Tensor:
    """Join images to a batch, normalised as VGG expects."""
    mean, deviation = (torch.tensor(one, device=high.device).view(3, 1, 1) for one in (_MEAN, _DEVIATION))
    return (torch.cat([enhanced.float(), high.float()]) - mean) / deviation


_MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's red, green and blue, which torchvision's weights expect to be subtracted."""

_DEVIATION = (0.229, 0.224, 0.225)


@lru_cache(maxsize=2)
@torch.inference_mode(False)  # a validation may come first; its tensors could not be trained through
def _vgg(path: str, blocks: int, device: str) -> tuple[nn.Sequential, ...]:
    """Build VGG's first blocks with the weights of a file."""
    if not 1 <= blocks <= len(VGG_WIDTHS):
        raise ValueError(f"VGG has {len(VGG_WIDTHS)} blocks, got blocks={blocks}")
    state = {key.removeprefix("features."): value for key, value in _tensors(path).items()}
    depths = (2, 2, 4, 4, 4) if "16.weight" in state else (2, 2, 3, 3, 3)
    with torch.device("meta"):
        built = vgg_blocks(depths[:blocks])
    for index, layer in enumerate(layer for block in built for layer in block):
        for name, parameter in list(layer.named_parameters()):
            given = state.get(f"{index}.{name}")
            if given is None or given.shape != parameter.shape:
                raise ValueError(
                    f"{path}: no VGG-16 or VGG-19 weights as torchvision names them: "
                    f"features.{index}.{name} of shape {tuple(parameter.shape)} is missing"
                )
            setattr(layer, name, nn.Parameter(given.float(), requires_grad=False))
    return tuple(block.to(device) for block in built)


def _tensors(path: str) -> Mapping[str, Tensor]:
    """Read a file of tensors, running nothing that it holds."""
    try:
        if path.endswith(".safetensors"):
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such file; vgg_loss needs weights of VGG-16 or VGG-19") from error
    except Exception as error:  # each format has errors of its own
        reason = first_line(error)
        raise ValueError(f"{path}: is no file of VGG weights, tensors only ({reason})") from error
    if not (isinstance(state, Mapping) and all(isinstance(value, Tensor) for value in state.values())):
        raise ValueError(f"{path}: is no file of VGG weights: it holds more than named tensors")
    return state
