"""Structural similarity at five scales (MS-SSIM)."""

import torch
from torch import Tensor

from lowlight.metrics.metric import Metric
from lowlight.similarity import scales_of, ssim_and_contrast

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, from full size down."""

LEAST = 11 * 2 ** (len(WEIGHTS) - 1)
"""Shortest side in pixels: at the last scale it fills SSIM's window."""


def ms_ssim(enhanced: Tensor, high: Tensor) -> Tensor:
    """Measure the structural similarity at five scales, each half the size of the one before by 2x2 averages.

    Contrast and structure count at every scale, luminance at the last only. Windows are those of
    :func:`lowlight.losses.ssim`; each scale's terms are averaged over red, green and blue, too. Negative
    terms count as 0.

    Args:
        enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
        high: Reference images of the same shape.

    Returns:
        MS-SSIM per image in [0, 1], shape (B,); NaN for an image with a side under 176 pixels.

    Raises:
        ValueError: If the shapes differ or a side is shorter than 11 pixels.

    Reference:
        Wang, Simoncelli and Bovik, 2003, "Multi-scale structural similarity for image quality assessment",
        Equation 7 with the exponents of Section 3.2.

    Example:
        >>> high = torch.full((1, 3, 176, 176), 0.6)
        >>> print(f"{ms_ssim(high, high).item():.3f}, half as bright {ms_ssim(high / 2, high).item():.3f}")
        1.000, half as bright 0.971
    """
    terms = [ssim_and_contrast(*pair) for pair in scales_of(enhanced, high, len(WEIGHTS))]
    if len(terms) < len(WEIGHTS):
        return torch.full((len(enhanced),), float("nan"), device=enhanced.device)
    factors = torch.stack([*(contrast for _, contrast in terms[:-1]), terms[-1][0]])
    exponents = torch.tensor(WEIGHTS, device=enhanced.device)[:, None]
    return (factors.clamp(min=0) ** exponents).prod(0)


MS_SSIM = Metric(
    key="ms_ssim",
    heading="MS-SSIM",
    measure=ms_ssim,
    definition="structural similarity at five scales by 2x2 averages, with the exponents of its authors, "
    "windows and channels as ssim, negative terms as 0; undefined where a side is under 176 pixels",
    source="Wang, Simoncelli and Bovik, 2003, 'Multi-scale structural similarity for image quality "
    "assessment'",
    decimals=3,
    interval=True,
    main=True,
)
