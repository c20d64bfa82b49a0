"""Losses between an enhanced image and its reference, adversarial losses, and SSIM itself.

``enhanced`` is a network's raw output of shape (B, 3, H, W), any range; ``high`` is its reference, same
shape, in [0, 1]. The adversarial losses take ``logits``, a discriminator's output of any shape, their target
``real``, and ``generating``, whether the generator is being trained; they return one value per logit.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from lowlight.colour import luminance

__all__ = [
    "AdversarialLoss",
    "Loss",
    "apply_loss",
    "charbonnier",
    "chroma_loss",
    "exposure_matched",
    "hinge",
    "l1",
    "least_squares",
    "ssim",
    "ssim_loss",
    "total_variation",
    "vanilla",
    "weighted_sum",
    "windowed_ssim",
]

Loss = Callable[..., Tensor]
"""``loss(enhanced, high)`` or ``loss(enhanced, high, low=low)``, a scalar; see :func:`apply_loss`."""

AdversarialLoss = Callable[..., Tensor]
"""``loss(logits, real, generating)``, one value per logit."""


def apply_loss(loss: Loss, enhanced: Tensor, high: Tensor, low: Tensor | None) -> Tensor:
    """Call a loss; if it has a parameter ``low`` that is not set yet, it gets the dark images, too.

    A reference-free loss is thus a function ``loss(enhanced, high, low)`` that ignores ``high``.

    Args:
        loss: A function, a partial, or a module, whose ``forward`` is inspected.
        enhanced: Raw output of a network, shape (B, 3, H, W).
        high: References of the same shape in [0, 1].
        low: Dark images of the same shape in [0, 1]; None if there are none.

    Returns:
        The loss, a scalar.
    """
    try:
        signature = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss)
    except ValueError:  # a builtin without a signature
        return loss(enhanced, high)
    parameter = signature.parameters.get("low")
    takes_low = parameter and (parameter.default is None or parameter.default is parameter.empty)
    return loss(enhanced, high, low=low) if takes_low else loss(enhanced, high)


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


def exposure_matched(
    enhanced: Tensor, high: Tensor, loss: Loss = charbonnier, low: Tensor | None = None
) -> Tensor:
    """Scale each image to the mean of its reference, then apply a loss: it ignores the exposure.

    No gradient passes through the factor, so the exposure is left to other terms. The score ``psnr_gtmean``
    is its counterpart in evaluation. Means below 0.01 count as 0.01. ``low`` is passed on to the loss.
    """
    wanted, present = (image.detach().float().mean(dim=(1, 2, 3), keepdim=True) for image in (high, enhanced))
    return apply_loss(loss, enhanced.float() * (wanted / present.clamp(min=0.01)), high, low)


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
    return image.diff(dim=-2).abs().mean() + image.diff(dim=-1).abs().mean()


def chroma_loss(enhanced: Tensor, high: Tensor, size: int = 8) -> Tensor:
    """Return the mean absolute difference of the saturation in windows of ``size`` by ``size`` pixels.

    Saturation is the distance of a pixel from the grey of its luma. An image that is paler than its reference
    is thus penalised even where its hue cannot be told, for which absolute errors reward grey.
    """
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
) -> Tensor:
    """Return the weighted sum of named losses; a missing weight is 1, ``low`` is passed on to the losses.

    Raises:
        ValueError: If there is no term, or a weight names none.
    """
    if not terms:
        raise ValueError("a weighted sum of losses needs at least one term")
    if unknown := weights.keys() - terms.keys():
        raise ValueError(f"loss weights for {sorted(unknown)}, but the terms are {sorted(terms)}")
    losses = [weights.get(name, 1.0) * apply_loss(term, enhanced, high, low) for name, term in terms.items()]
    return torch.stack(losses).sum()


def ssim(enhanced: Tensor, high: Tensor) -> Tensor:
    """Return the structural similarity (SSIM) of each image.

    Gaussian window of 11x11 pixels and sigma 1.5, valid positions only, population covariance, data range
    1.0; the mean over channels. BasicSR computes the same, as does scikit-image with
    ``gaussian_weights=True, use_sample_covariance=False``.

    Args:
        enhanced: Images of shape (B, 3, H, W) in [0, 1].
        high: References of the same shape.

    Returns:
        SSIM per image in [-1, 1], shape (B,), float32.

    Raises:
        ValueError: If the shapes differ or a side is shorter than 11 pixels.

    Reference:
        Wang et al., 2004, "Image quality assessment: from error visibility to structural similarity",
        Equation 13 with K1 = 0.01 and K2 = 0.03.
    """
    offsets = torch.arange(-5, 6, device=enhanced.device, dtype=torch.float32)
    window = torch.exp(-offsets.square() / (2 * 1.5**2))
    return windowed_ssim(enhanced, high, window / window.sum())


def windowed_ssim(enhanced: Tensor, high: Tensor, window: Tensor, correction: float = 1.0) -> Tensor:
    """Return the structural similarity of each image for a separable window, at valid positions.

    Args:
        enhanced: Images of shape (B, C, H, W) in [0, 1].
        high: References of the same shape.
        window: Weights along one axis, shape (K,), summing to 1.
        correction: Factor of variances and covariances; 1 is the population's.

    Returns:
        SSIM per image in [-1, 1], the mean over channels, shape (B,), float32.

    Raises:
        ValueError: If the shapes differ or a side is shorter than the window.
    """
    if enhanced.shape != high.shape:
        raise ValueError(f"SSIM compares equal shapes, got {tuple(enhanced.shape)} and {tuple(high.shape)}")
    if min(enhanced.shape[-2:]) < len(window):
        size = "x".join(map(str, enhanced.shape[-2:]))
        raise ValueError(
            f"SSIM needs sides of at least {len(window)} pixels, got {size}; leave out smaller images"
        )
    with torch.autocast(enhanced.device.type, enabled=False):
        similarity = _Similarity.apply(enhanced.float(), high.float(), window, correction)  # type: ignore[no-untyped-call]
    return cast(Tensor, similarity)


class _Similarity(torch.autograd.Function):
    """SSIM with a derivative from three filtered maps, where autograd would keep many."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, window: Tensor, correction: float) -> Tensor:
        # Subtracting the mean changes nothing but rounding: small variances keep ten times the precision.
        level_x, level_y = (image.mean((-2, -1), keepdim=True) for image in (x, y))
        x, y = x - level_x, y - level_y
        means = _filter(torch.cat((x, y, x * x + y * y, x * y), dim=1), window)
        mean_x, mean_y, squares, products = means.chunk(4, dim=1)
        variances = correction * (squares - mean_x.square() - mean_y.square()) + 0.03**2
        contrast = (2 * correction * (products - mean_x * mean_y) + 0.03**2) / variances
        bright_x, bright_y = mean_x + level_x, mean_y + level_y
        brightness = bright_x.square() + bright_y.square() + 0.01**2
        luminance = (2 * bright_x * bright_y + 0.01**2) / brightness
        ctx.save_for_backward(
            x, y, mean_x, mean_y, bright_x, bright_y, variances, contrast, brightness, luminance, window
        )
        ctx.correction = correction
        return (luminance * contrast).flatten(1).mean(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, y, mean_x, mean_y, bright_x, bright_y, variances, contrast, brightness, luminance, window = (
            ctx.saved_tensors
        )
        gradient = (gradients[0] / luminance[0].numel())[:, None, None, None]
        of_products = luminance / variances * (2 * ctx.correction * gradient)
        of_squares = -0.5 * contrast * of_products
        shared = contrast / brightness * (2 * gradient)

        def towards(one: Tensor, other: Tensor, *means: Tensor) -> Tensor:
            mean, other_mean, bright, other_bright = means
            of_mean = shared * (other_bright - bright * luminance)
            of_mean = of_mean - of_products * other_mean - 2 * of_squares * mean
            maps = F.pad(torch.cat((of_mean, of_squares, of_products), dim=1), 4 * (len(window) - 1,))
            with torch.autocast(maps.device.type, enabled=False):
                constant, linear, crossed = _filter(maps, window.flip(0)).chunk(3, dim=1)
            return constant + 2 * one * linear + other * crossed

        to_x = towards(x, y, mean_x, mean_y, bright_x, bright_y) if ctx.needs_input_grad[0] else None
        to_y = towards(y, x, mean_y, mean_x, bright_y, bright_x) if ctx.needs_input_grad[1] else None
        return to_x, to_y, None, None


def _filter(image: Tensor, window: Tensor) -> Tensor:
    """Filter images with a separable window at valid positions."""
    image = image.contiguous(memory_format=torch.channels_last)  # 14 times faster on a CPU
    kernel = window.to(image.dtype).expand(image.shape[1], 1, len(window))
    rows = F.conv2d(image, kernel.unsqueeze(-1), groups=image.shape[1])
    return F.conv2d(rows, kernel.unsqueeze(-2), groups=image.shape[1])


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
