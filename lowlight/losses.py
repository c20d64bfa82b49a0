"""Losses between an enhanced image and its reference, adversarial losses, and SSIM itself.

``enhanced`` is a network's raw output of shape (B, 3, H, W), any range; ``high`` is its reference, same
shape, in [0, 1]. The adversarial losses take ``logits``, a discriminator's output of any shape, their target
``real``, and ``generating``, whether the generator is being trained; they return one value per logit.
"""

import inspect
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.colour import luminance
from lowlight.illumination import decomposition_loss
from lowlight.reference_free import colour_constancy, exposure_control, spatial_consistency
from lowlight.similarity import ssim, windowed_ssim

__all__ = [
    "AdversarialLoss",
    "Loss",
    "apply_loss",
    "charbonnier",
    "chroma_loss",
    "colour_constancy",
    "decomposition_loss",
    "edge_loss",
    "exposure_control",
    "exposure_matched",
    "hinge",
    "in_space_of_network",
    "l1",
    "least_squares",
    "psnr_loss",
    "spatial_consistency",
    "ssim",
    "ssim_loss",
    "total_variation",
    "vanilla",
    "weighted_sum",
    "windowed_ssim",
]

Loss = Callable[..., Tensor]
"""``loss(enhanced, high)``, also with ``low`` or ``net``, a scalar; see :func:`apply_loss`."""

AdversarialLoss = Callable[..., Tensor]
"""``loss(logits, real, generating)``, one value per logit."""


def apply_loss(
    loss: Loss, enhanced: Tensor, high: Tensor, low: Tensor | None, net: nn.Module | None
) -> Tensor:
    """Call a loss with what it takes beside the images: a parameter ``low`` or ``net`` that is not set yet.

    A reference-free loss is thus a function ``loss(enhanced, high, low)`` that ignores ``high``.

    Args:
        loss: A function, a partial, or a module, whose ``forward`` is inspected.
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: References of the same shape in [0, 1].
        low: Dark images of the same shape in [0, 1]; None if there are none.
        net: The image network, for losses in a space of its own; None if there is none.

    Returns:
        The loss, a scalar.
    """
    try:
        parameters = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters
    except ValueError:  # a builtin without a signature
        return loss(enhanced, high)
    unset = (None, inspect.Parameter.empty)
    more = {"low": low, "net": net}
    return loss(
        enhanced,
        high,
        **{
            key: value
            for key, value in more.items()
            if key in parameters and parameters[key].default in unset
        },
    )


def l1(enhanced: Tensor, high: Tensor) -> Tensor:
    """Return the mean absolute error, the autoencoder's loss in the study."""
    return F.l1_loss(enhanced.float(), high.float())


def charbonnier(enhanced: Tensor, high: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Return the mean of ``sqrt(d^2 + epsilon^2)`` over all differences ``d``, a smooth absolute error.

    Reference:
        Charbonnier et al., 1994, "Two deterministic half-quadratic regularization algorithms for
        computed imaging"; Zamir et al., 2020, "Learning Enriched Features for Real Image Restoration
        and Enhancement", Section 3 (epsilon 1e-3).

    Differs from the paper: there the root is taken of the image's whole squared error; here, as in the
    authors' code, of every value's.
    """
    difference = enhanced.float() - high.float()
    return torch.sqrt(difference.square() + epsilon**2).mean()


def psnr_loss(enhanced: Tensor, high: Tensor) -> Tensor:
    """Return minus the mean PSNR of the images, in dB; 1e-8 is added to each squared error.

    Reference:
        Chen et al., 2022, "Simple Baselines for Image Restoration" train NAFNet by it.
    """
    errors = (enhanced.float() - high.float()).square().mean(dim=(1, 2, 3))
    return 10 * (errors + 1e-8).log10().mean()


def in_space_of_network(
    enhanced: Tensor, high: Tensor, net: nn.Module | None, loss: Loss = l1, low: Tensor | None = None
) -> Tensor:
    """Convert both images by the network's own ``to_space``, then apply a loss, to which all is passed on.

    Raises:
        ValueError: If the network has no such space.

    Reference:
        Yan et al., 2025, "HVI: A New Color Space for Low-light Image Enhancement", Section 4.4.
    """
    to_space = getattr(net, "to_space", None)
    if to_space is None:
        raise ValueError(
            f"{type(net).__name__} has no space of its own: in_space_of_network is for hvi_cidnet"
        )
    return apply_loss(loss, to_space(enhanced), to_space(high), low, net)


def edge_loss(enhanced: Tensor, high: Tensor) -> Tensor:
    """Return the mean squared difference of the images' edges, their finest level of a Laplacian pyramid.

    Args:
        enhanced: Raw output of a network, shape (B, C, H, W), any range.
        high: References of the same shape.

    Reference:
        Burt and Adelson, 1983, "The Laplacian Pyramid as a Compact Image Code"; Zamir et al., 2021,
        "Multi-Stage Progressive Image Restoration", Equation 3, with the square in place of its root.
    """
    return _edges(enhanced.float() - high.float()).square().mean()


def _edges(image: Tensor) -> Tensor:
    """Subtract from an image what is left of it at half the size."""
    kept = torch.zeros_like(image)
    kept[..., ::2, ::2] = 4 * _blur(image)[..., ::2, ::2]
    return image - _blur(kept)


def _blur(image: Tensor) -> Tensor:
    """Filter an image by a Gaussian of five pixels; its border's pixels are repeated."""
    line = image.new_tensor([0.05, 0.25, 0.4, 0.25, 0.05])
    channels = image.shape[1]
    padded = F.pad(image, (2, 2, 2, 2), mode="replicate")
    rows = F.conv2d(padded, line.expand(channels, 1, 1, 5), groups=channels)
    return F.conv2d(rows, line[:, None].expand(channels, 1, 5, 1), groups=channels)


def exposure_matched(
    enhanced: Tensor,
    high: Tensor,
    loss: Loss = charbonnier,
    low: Tensor | None = None,
    net: nn.Module | None = None,
) -> Tensor:
    """Scale each image to the mean of its reference, then apply a loss: it ignores the exposure.

    No gradient passes through the factor, so the exposure is left to other terms. The score ``psnr_gtmean``
    is its counterpart in evaluation. An enhanced mean below 0.01 counts as 0.01. ``low`` and ``net`` are
    passed on.
    """
    wanted, present = (image.detach().float().mean(dim=(1, 2, 3), keepdim=True) for image in (high, enhanced))
    return apply_loss(loss, enhanced.float() * (wanted / present.clamp(min=0.01)), high, low, net)


def ssim_loss(enhanced: Tensor, high: Tensor) -> Tensor:
    """Return one minus the mean :func:`ssim`."""
    return 1 - ssim(enhanced, high).mean()


def total_variation(enhanced: Tensor, high: Tensor) -> Tensor:
    """Return the anisotropic total variation of ``enhanced``; ``high`` is not used.

    It is the mean absolute difference of vertical neighbours plus that of horizontal neighbours.

    Reference:
        Rudin, Osher and Fatemi, 1992, "Nonlinear total variation based noise removal algorithms".
    """
    del high
    image = enhanced.float()
    differences = [image.diff(dim=axis).abs() for axis in (-2, -1)]
    # A line of pixels has no neighbours in one direction.
    return torch.stack([one.sum() / max(one.numel(), 1) for one in differences]).sum()


def chroma_loss(enhanced: Tensor, high: Tensor, size: int = 8) -> Tensor:
    """Return the mean absolute difference of the saturation in windows of ``size`` by ``size`` pixels.

    Saturation is the distance of a pixel from the grey of its luma. An image that is paler than its reference
    is thus penalised even where its hue cannot be told, for which absolute errors reward grey.

    Raises:
        ValueError: If a side is shorter than a window.
    """
    if min(enhanced.shape[-2:]) < size:
        sides = "x".join(map(str, enhanced.shape[-2:]))
        raise ValueError(f"chroma in windows of {size} pixels needs sides of at least as many, got {sides}")
    enhanced, high = (F.avg_pool2d(_saturation(image), size) for image in (enhanced, high))
    return (enhanced - high).abs().mean()


def _saturation(image: Tensor) -> Tensor:
    image = image.float()
    return (image - luminance(image)[:, None]).square().sum(1, keepdim=True).add(1e-6).sqrt()


def weighted_sum(
    enhanced: Tensor,
    high: Tensor,
    terms: Mapping[str, Loss],
    weights: Mapping[str, float],
    low: Tensor | None = None,
    net: nn.Module | None = None,
) -> Tensor:
    """Return the weighted sum of named losses; a missing weight is 1, ``low`` and ``net`` are passed on.

    Raises:
        ValueError: If there is no term, or a weight names none.
    """
    if not terms:
        raise ValueError("a weighted sum of losses needs at least one term")
    if unknown := weights.keys() - terms.keys():
        raise ValueError(f"loss weights for {sorted(unknown)}, but the terms are {sorted(terms)}")
    losses = [
        weights.get(name, 1.0) * apply_loss(term, enhanced, high, low, net) for name, term in terms.items()
    ]
    return torch.stack(losses).sum()


def vanilla(logits: Tensor, real: bool, generating: bool = False) -> Tensor:
    """Return the binary cross-entropy of logits; for the generator, the non-saturating form.

    Args:
        logits: A discriminator's output of any shape.
        real: Target: whether the logits should say "real".
        generating: Whether the generator is being trained; makes no difference here.

    Returns:
        One loss per logit.

    Reference:
        Goodfellow et al., 2014, "Generative adversarial nets", Section 3.
    """
    del generating
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)), reduction="none")


def least_squares(logits: Tensor, real: bool, generating: bool = False) -> Tensor:
    """Return the squared distance of logits to 1 (real) or 0; see :func:`vanilla`.

    Reference:
        Mao et al., 2017, "Least squares generative adversarial networks", Equation 9 without its halves.
    """
    del generating
    return (logits.float() - float(real)).square()


def hinge(logits: Tensor, real: bool, generating: bool = False) -> Tensor:
    """Return the hinge loss of logits, for the generator the negative logit; see :func:`vanilla`.

    Reference:
        Lim and Ye, 2017, "Geometric GAN".
    """
    signed = logits.float() if real else -logits.float()
    return -signed if generating else F.relu(1 - signed)
