"""Classical retinex methods, for which an image is reflectance times illumination: LIME and MSRCR."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.precision import in_double


def lime(
    low: Tensor,
    alpha: float = 0.15,
    gamma: float = 0.8,
    sigma: float = 2.0,
    growth: float = 1.5,
    tolerance: float = 1e-5,
    iterations: int = 50,
) -> Tensor:
    """Divide images by a smoothed map of their illumination.

    The map is the maximum over channels, smoothed where there is texture and kept where there is structure:
    the minimum of ``|T - max|^2 + alpha |W dT|_1``, found by the alternating direction method of multipliers
    in the Fourier domain.

    Args:
        low: Images of shape (B, 3, H, W) in [0, 1].
        alpha: Weight of the smoothness term.
        gamma: Exponent of the map before the division; values below 1 brighten less.
        sigma: Standard deviation in pixels of the Gaussian that separates structure from texture.
        growth: Factor of the penalty per iteration.
        tolerance: Iteration ends when the split variable is this close to the map's gradient, relative to the
            norm of the map.
        iterations: Maximum number of iterations.

    Returns:
        Images of the same shape, at least 0; bright values may exceed 1.

    Raises:
        ValueError: If a setting is out of range.

    Reference:
        Guo, Li and Ling, 2017, "LIME: Low-light image enhancement via illumination map estimation": the
        augmented Lagrangian solver, weighting strategy III, and the settings of its experiments.

    Differs from the paper: no denoising by BM3D afterwards.
    """
    if min(sigma, growth) <= 0 or min(alpha, iterations) < 0:
        raise ValueError(
            f"sigma={sigma} and growth={growth} must be positive, alpha={alpha} and "
            f"iterations={iterations} at least 0"
        )
    low = low.float()
    rough = low.amax(1, keepdim=True)
    return low / _refine(rough, alpha, sigma, growth, tolerance, iterations).clamp(1e-3, 1) ** gamma


def _refine(
    rough: Tensor, alpha: float, sigma: float, growth: float, tolerance: float, iterations: int
) -> Tensor:
    """Smooth illumination maps of shape (B, 1, H, W), independently of each other."""
    gradient = _gradient(rough)
    blurred = torch.cat([_blur(part, sigma) for part in gradient.split(1, dim=1)], dim=1)  # type: ignore[no-untyped-call]
    weight = alpha / (blurred.abs() + 1e-3)
    spectrum = _gradient_spectrum(rough)
    scale = rough.flatten(1).norm(dim=1).clamp(min=1e-8)
    split, multiplier, penalty = torch.zeros_like(gradient), torch.zeros_like(gradient), 1.0
    smooth = rough
    for _ in range(iterations):
        right = 2 * rough + _gradient_transposed(penalty * split - multiplier)
        smooth = torch.fft.irfft2(torch.fft.rfft2(right) / (2 + penalty * spectrum), s=rough.shape[-2:])
        gradient = _gradient(smooth)
        shifted = gradient + multiplier / penalty
        split = shifted.sign() * (shifted.abs() - weight / penalty).clamp(min=0)
        residual = gradient - split
        multiplier = multiplier + penalty * residual
        penalty *= growth
        if bool((residual.flatten(1).norm(dim=1) <= tolerance * scale).all()):
            break
    return smooth


def _gradient(image: Tensor) -> Tensor:
    """Return the periodic forward differences of (B, 1, H, W), down and across: (B, 2, H, W)."""
    return torch.cat((image.roll(-1, -2) - image, image.roll(-1, -1) - image), dim=1)


def _gradient_transposed(field: Tensor) -> Tensor:
    """Apply the adjoint of :func:`_gradient`, from (B, 2, H, W) to (B, 1, H, W)."""
    down, across = field[:, :1], field[:, 1:]
    return (down.roll(1, -2) - down) + (across.roll(1, -1) - across)


def _gradient_spectrum(image: Tensor) -> Tensor:
    """Return the factor per frequency of ``rfft2`` of the gradient followed by its adjoint."""
    height, width = image.shape[-2:]
    down = torch.fft.fftfreq(height, device=image.device)[:, None]
    across = torch.fft.rfftfreq(width, device=image.device)
    return 4 * (torch.sin(torch.pi * down).square() + torch.sin(torch.pi * across).square())


def msrcr(
    low: Tensor,
    sigmas: Sequence[float] = (15.0, 80.0, 250.0),
    alpha: float = 125.0,
    beta: float = 46.0,
    clipped: float = 0.01,
) -> Tensor:
    """Multi-scale retinex with colour restoration: compare each pixel with its surround at several scales.

    Args:
        low: Images of shape (B, 3, H, W) in [0, 1].
        sigmas: Standard deviations of the Gaussian surrounds in pixels.
        alpha: Strength of the colour restoration's nonlinearity.
        beta: Gain of the colour restoration.
        clipped: Share of an image's values clipped to 0, and the same share clipped to 1.

    Returns:
        Images of the same shape in [0, 1]; those of one colour unchanged.

    Raises:
        ValueError: If a setting is out of range.

    Reference:
        Jobson, Rahman and Woodell, 1997, "A multiscale retinex for bridging the gap between color images and
        the human observation of scenes".

    Differs from the paper: the published gain and offset do not fit the stated ranges; here each image is
    stretched between two quantiles of its values, as in most implementations.
    """
    if not sigmas or min(sigmas) <= 0:
        raise ValueError(f"sigmas={list(sigmas)} must be positive, at least one")
    if min(alpha, beta) <= 0 or not 0 <= clipped < 0.5:
        raise ValueError(f"alpha={alpha} and beta={beta} must be positive, and clipped={clipped} in [0, 0.5)")
    image = low.float().mul(255).add(1)
    logarithm = image.log()
    surrounds = torch.stack([_blur(image, sigma).log() for sigma in sigmas]).mean(0)
    restoration = beta * ((alpha * image).log() - image.sum(1, keepdim=True).log())
    values = (restoration * (logarithm - surrounds)).flatten(1)
    rank = int(clipped * (values.shape[1] - 1))
    darkest = values.kthvalue(rank + 1, dim=1).values
    brightest = values.kthvalue(values.shape[1] - rank, dim=1).values
    spread = (brightest - darkest)[:, None]
    stretched = (values - darkest[:, None]) / spread.clamp(min=1e-6)
    # One level of 8 bits spreads white by 0.015 beta, all else by more; rounding by less than 1e-5 beta.
    is_flat = spread < 1e-3 * beta
    return torch.where(is_flat, low.float().flatten(1), stretched).clamp(0, 1).view_as(low)


def _blur(image: Tensor, sigma: float) -> Tensor:
    """Filter (B, C, H, W) with a Gaussian of any width, images reflected at their edges as often as needed.

    One matrix product per axis, in a time independent of ``sigma``.
    """
    height, width = image.shape[-2:]
    blurred: Tensor = _blur_matrix(height, sigma, image) @ image @ _blur_matrix(width, sigma, image).T
    return blurred


def _blur_matrix(length: int, sigma: float, like: Tensor) -> Tensor:
    """Return the matrix (length, length) that filters an axis with a Gaussian cut off at 4 sigma."""
    radius, device = int(4 * sigma + 0.5), in_double(like.device)
    offsets = torch.arange(-radius, radius + 1, device=device)
    weights = F.normalize(torch.exp(-offsets.double().square() / (2 * sigma**2)), p=1, dim=0)
    places = (torch.arange(length, device=device)[:, None] + offsets) % (2 * length)
    places = torch.where(places < length, places, 2 * length - 1 - places)
    matrix = torch.zeros(length, length, device=device, dtype=torch.float64)
    return matrix.scatter_add_(1, places, weights.expand_as(places)).to(like)
