"""Enhancers that learn nothing and see an image as reflectance times illumination: LIME and MSRCR."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


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

    The map is the greatest channel, smoothed where it has texture and kept where it has structure: the
    minimum of ``|T - max|^2 + alpha |W dT|_1``, found by alternating directions in the Fourier domain.

    Args:
        low: Images of shape (B, 3, H, W) in [0, 1].
        alpha: Weight of the smoothness.
        gamma: Exponent that the map is raised to before the division; under 1 brightens less.
        sigma: Deviation, in pixels, of the Gaussian that tells structure from texture.
        growth: What the penalty is multiplied by in each iteration.
        tolerance: Iterations end where the split variable is this near to the map's gradient, relative to
            the map.
        iterations: The most iterations.

    Returns:
        Images of the same shape, at least 0; the brightest may lie above 1.

    Reference:
        Guo, Li and Ling, 2017, "LIME: Low-light image enhancement via illumination map estimation": the
        augmented Lagrangian solver, weighting strategy III, and the settings of its experiments.

    Differs from the paper: no denoising by BM3D afterwards.
    """
    low = low.float()
    rough = low.amax(1, keepdim=True)
    return low / _refine(rough, alpha, sigma, growth, tolerance, iterations).clamp(1e-3, 1) ** gamma


def _refine(
    rough: Tensor, alpha: float, sigma: float, growth: float, tolerance: float, iterations: int
) -> Tensor:
    """Smooth illumination maps of shape (B, 1, H, W), each for itself."""
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
    """Return the forward differences of (B, 1, H, W), around the edges: down and across, (B, 2, H, W)."""
    return torch.cat((image.roll(-1, -2) - image, image.roll(-1, -1) - image), dim=1)


def _gradient_transposed(field: Tensor) -> Tensor:
    """Return the transposed of :func:`_gradient`: of (B, 2, H, W), (B, 1, H, W)."""
    down, across = field[:, :1], field[:, 1:]
    return (down.roll(1, -2) - down) + (across.roll(1, -1) - across)


def _gradient_spectrum(image: Tensor) -> Tensor:
    """Return what the gradient, then its transposed, multiplies each frequency of ``rfft2`` by."""
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
    """Compare each pixel with its surroundings at several scales, and restore colours.

    Args:
        low: Images of shape (B, 3, H, W) in [0, 1].
        sigmas: Deviations of the Gaussian surrounds, in pixels.
        alpha: Strength of the colour restoration's nonlinearity.
        beta: Gain of the colour restoration.
        clipped: Share of an image's values that becomes 0, and as many 1.

    Returns:
        Images of the same shape in [0, 1].

    Reference:
        Jobson, Rahman and Woodell, 1997, "A multiscale retinex for bridging the gap between color images and
        the human observation of scenes".

    Differs from the paper: its final gain and offset suit other ranges than they name; here each image is
    stretched between two quantiles of all its values, as most implementations do.
    """
    image = low.float().mul(255).add(1)
    logarithm = image.log()
    surrounds = torch.stack([_blur(image, sigma).log() for sigma in sigmas]).mean(0)
    restoration = beta * ((alpha * image).log() - image.sum(1, keepdim=True).log())
    values = (restoration * (logarithm - surrounds)).flatten(1)
    rank = int(clipped * (values.shape[1] - 1))
    darkest = values.kthvalue(rank + 1, dim=1).values
    brightest = values.kthvalue(values.shape[1] - rank, dim=1).values
    spread = (brightest - darkest).clamp(min=1e-6)
    return ((values - darkest[:, None]) / spread[:, None]).clamp(0, 1).view_as(low)


def _blur(image: Tensor, sigma: float) -> Tensor:
    """Filter (B, C, H, W) with a Gaussian of any width, images mirrored at their edges as often as needed.

    A product with a matrix an axis: its time does not depend on ``sigma``.
    """
    height, width = image.shape[-2:]
    blurred: Tensor = _blur_matrix(height, sigma, image) @ image @ _blur_matrix(width, sigma, image).T
    return blurred


def _blur_matrix(length: int, sigma: float, like: Tensor) -> Tensor:
    """Return the matrix, (length, length), that filters an axis with a Gaussian cut at four deviations."""
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, device=like.device)
    weights = F.normalize(torch.exp(-offsets.double().square() / (2 * sigma**2)), p=1, dim=0)
    places = (torch.arange(length, device=like.device)[:, None] + offsets) % (2 * length)
    places = torch.where(places < length, places, 2 * length - 1 - places)
    matrix = torch.zeros(length, length, device=like.device, dtype=torch.float64)
    return matrix.scatter_add_(1, places, weights.expand_as(places)).to(like.dtype)
