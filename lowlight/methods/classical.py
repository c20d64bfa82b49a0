"""Functions of the dark image that enhance without learning."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.lazy import importer

__getattr__ = importer(__name__, {"Classical": "lowlight.methods.unlearnt"})  # its home in 0.1.0


def identity(low: Tensor) -> Tensor:
    """Return the images unchanged, the baseline that every method must beat."""
    return low


def gamma(low: Tensor, exponent: float = 0.4) -> Tensor:
    """Raise images of shape (B, 3, H, W) in [0, 1] to a power; an exponent below 1 brightens.

    Raises:
        ValueError: If the exponent is not positive.
    """
    if exponent <= 0:
        raise ValueError(f"exponent={exponent} must be positive")
    return low.clamp(0, 1).pow(exponent)


def histogram(low: Tensor) -> Tensor:
    """Equalise the histogram of each image's BT.601 luma; chroma stays.

    Args:
        low: Images of shape (B, 3, H, W) in [0, 1].

    Returns:
        Images of the same shape in [0, 1]; colours outside the gamut are clipped.

    Reference:
        Gonzalez and Woods, "Digital image processing", section on histogram equalisation; kornia's
        ``equalize`` with 256 bins.
    """
    from kornia.color import rgb_to_ycbcr, ycbcr_to_rgb
    from kornia.enhance import equalize

    image: Tensor = rgb_to_ycbcr(low.float())
    luma, chroma = image[:, :1], image[:, 1:]
    # kornia truncates to 8 bits; a quarter of a level keeps a rounded luma at its level.
    level = luma.clamp(0, 1).mul(255).round().add(0.25).div(255)
    equalised: Tensor = ycbcr_to_rgb(torch.cat((equalize(level), chroma), dim=1))
    return equalised


def clahe(low: Tensor, clip_limit: float = 2.0, grid: int = 8) -> Tensor:
    """Equalise the lightness L* of each tile of an image, with limited contrast.

    Args:
        low: Images of shape (B, 3, H, W) in [0, 1].
        clip_limit: Height at which the tiles' histograms are clipped, in multiples of a flat histogram's.
        grid: Tiles down and across; images with sides below twice that have fewer, two pixels each.

    Returns:
        Images of the same shape in [0, 1].

    Raises:
        ValueError: If a setting is not positive.

    Reference:
        Zuiderveld, 1994, "Contrast limited adaptive histogram equalization", in Graphics Gems IV; kornia's
        ``equalize_clahe`` with 256 bins.
    """
    if min(clip_limit, grid) <= 0:
        raise ValueError(f"clip_limit={clip_limit} and grid={grid} must be positive")
    from kornia.color import lab_to_rgb, rgb_to_lab
    from kornia.enhance import equalize_clahe

    image: Tensor = rgb_to_lab(low.float())
    lightness, chroma = image[:, :1], image[:, 1:]
    tiles = [max(min(grid, side // 2), 1) for side in low.shape[-2:]]
    even = [-side % (2 * count) for side, count in zip(low.shape[-2:], tiles, strict=True)]
    padded = F.pad(lightness / 100, (0, even[1], 0, even[0]), mode="replicate").clamp(0, 1)
    equalised = equalize_clahe(padded, float(clip_limit), (tiles[0], tiles[1]))
    height, width = low.shape[-2:]
    result: Tensor = lab_to_rgb(torch.cat((100 * equalised[..., :height, :width], chroma), dim=1))
    return result


def bilateral(
    low: Tensor, exponent: float = 0.4, size: int = 7, sigma_colour: float = 0.1, sigma_space: float = 2.0
) -> Tensor:
    """Brighten images by :func:`gamma`, then denoise them by a bilateral filter.

    At equal exponents, the difference of its scores from those of ``gamma`` is the filter's effect.

    Args:
        low: Images of shape (B, 3, H, W) in [0, 1].
        exponent: Exponent of the gamma; 1 leaves the brightness unchanged.
        size: Side of the filter's window in pixels, odd.
        sigma_colour: Standard deviation over colour differences, summed over channels, in [0, 1].
        sigma_space: Standard deviation over distances in pixels.

    Returns:
        Images of the same shape in [0, 1].

    Raises:
        ValueError: If the size is even or a setting is not positive.

    Reference:
        Tomasi and Manduchi, 1998, "Bilateral filtering for gray and color images"; kornia's
        ``bilateral_blur``.
    """
    if size < 1 or size % 2 == 0 or min(sigma_colour, sigma_space) <= 0:
        raise ValueError(
            f"size={size} must be odd, and sigma_colour={sigma_colour} and sigma_space={sigma_space} positive"
        )
    from kornia.filters import bilateral_blur

    bright = gamma(low.float(), exponent)
    radius = size // 2  # reflected, as kornia's own padding, only if the image is large enough
    mode = "reflect" if min(low.shape[-2:]) > radius else "replicate"
    padded = F.pad(bright, (radius,) * 4, mode=mode)
    blurred: Tensor = bilateral_blur(padded, size, sigma_colour, (sigma_space, sigma_space), "constant")
    height, width = low.shape[-2:]
    return blurred[..., radius : radius + height, radius : radius + width]
