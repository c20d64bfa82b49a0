"""Properties of an image alone: brightness, clipping, colour cast and noise, without a reference.

None of them is a quality: a high mean luma may be over-exposed, and a sunset has a colour cast. They describe
how methods differ on the same photograph, such as on the page of ``lowlight gallery``.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lowlight.colour import luminance
from lowlight.metrics.delta_e import lab
from lowlight.metrics.metric import Metric


def mean_luma(enhanced: Tensor) -> Tensor:
    """Average the BT.601 luma over the pixels of each image.

    Args:
        enhanced: Images of shape (B, 3, H, W) in [0, 1].

    Returns:
        Mean per image in [0, 1], shape (B,).

    Reference:
        ITU-R BT.601-7, 2011, section 2.5.1.

    Example:
        >>> mean_luma(torch.full((1, 3, 2, 2), 0.25))
        tensor([0.2500])
    """
    return luminance(enhanced).flatten(1).mean(1)


def clipped(enhanced: Tensor) -> Tensor:
    """Measure the share of clipped pixels: at 8 bits, black, or with a channel at its greatest value.

    Detail is lost in both: in a black pixel all three channels are 0; a highlight has lost its lightness or
    its hue once one of them is 255.

    Args:
        enhanced: Images of shape (B, 3, H, W) in [0, 1].

    Returns:
        Per cent of the pixels per image, shape (B,).

    Reference:
        Definition of lowlight; that of the clipping warnings of raw developers.

    Example:
        >>> levels = torch.tensor([0.0, 0.001, 0.5, 1.0]).expand(1, 3, 1, 4)
        >>> clipped(levels)
        tensor([75.])
    """
    greatest = enhanced.float().amax(1).mul(255).round()
    return 100 * ((greatest <= 0) | (greatest >= 255)).flatten(1).float().mean(1)


def colour_cast(enhanced: Tensor) -> Tensor:
    """Measure the chroma of the mean colour of each image in CIE L*a*b*, which a grey world does not have.

    Args:
        enhanced: sRGB images of shape (B, 3, H, W) in [0, 1].

    Returns:
        Distance of the mean (a*, b*) from grey per image, shape (B,); about 2 is just visible.

    Reference:
        Buchsbaum, 1980, "A spatial processor model for object colour perception" (the grey world); the mean
        chroma in L*a*b* is that of Gasparini and Schettini, 2004, "Color balancing of digital photos using
        simple image statistics".

    Example:
        >>> colour_cast(torch.full((1, 3, 2, 2), 0.5)).round(decimals=2)
        tensor([0.])
    """
    with torch.autocast(enhanced.device.type, enabled=False):
        means = lab(enhanced)[:, 1:].flatten(2).mean(2)
    return torch.hypot(means[:, 0], means[:, 1])


def noise(enhanced: Tensor) -> Tensor:
    """Estimate the standard deviation of the noise in each image's BT.601 luma, by Immerkaer's filter.

    The filter is the difference of two Laplacians, which cancels flat areas and straight edges. What remains
    of fine texture counts as noise, so that estimates are comparable on the same photograph only.

    Args:
        enhanced: Images of shape (B, 3, H, W) in [0, 1].

    Returns:
        Standard deviation per image in levels of 255, shape (B,); NaN for a side under three pixels.

    Reference:
        Immerkaer, 1996, "Fast noise variance estimation", Equation 4.

    Example:
        >>> ramp = torch.linspace(0, 1, 64).expand(1, 3, 8, 64)
        >>> noise(ramp).round(decimals=3)
        tensor([0.])
    """
    if min(enhanced.shape[-2:]) < 3:
        return torch.full((len(enhanced),), math.nan, device=enhanced.device)
    with torch.autocast(enhanced.device.type, enabled=False):
        rows = torch.tensor([1.0, -2.0, 1.0], device=enhanced.device)
        kernel = torch.outer(rows, rows)[None, None]
        response = F.conv2d(luminance(enhanced)[:, None], kernel)
    return 255 * math.sqrt(math.pi / 2) / 6 * response.abs().flatten(1).mean(1)


MEAN_LUMA = Metric(
    key="mean_luma",
    heading="Mean luma",
    measure=mean_luma,
    definition="mean BT.601 luma over pixels, from 0 to 1",
    source="ITU-R BT.601",
    decimals=3,
    against=None,
    ranked=False,
)

CLIPPED = Metric(
    key="clipped",
    heading="Clipped",
    measure=clipped,
    definition="share of pixels, in %, that are black at 8 bits, or have a channel at 255",
    source="lowlight; the clipping warning of raw developers",
    decimals=2,
    unit="%",
    against=None,
    ranked=False,
)

COLOUR_CAST = Metric(
    key="colour_cast",
    heading="Colour cast",
    measure=colour_cast,
    definition="chroma of the mean colour in CIELAB; 0 in a grey world, about 2 is just visible",
    source="Buchsbaum, 1980, 'A spatial processor model for object colour perception'; Gasparini and "
    "Schettini, 2004, 'Color balancing of digital photos using simple image statistics'",
    decimals=1,
    against=None,
    ranked=False,
)

NOISE = Metric(
    key="noise",
    heading="Noise",
    measure=noise,
    definition="estimated standard deviation of the noise in the BT.601 luma, in levels of 255; fine texture "
    "counts as noise",
    source="Immerkaer, 1996, 'Fast noise variance estimation'",
    decimals=2,
    against=None,
    ranked=False,
)
