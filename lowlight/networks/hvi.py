"""The HVI colour space: hue and saturation on a disc that shrinks in the dark, beside intensity."""

import math

import torch
from torch import Tensor, nn

EPSILON = 1e-8
"""Added to divisors and bases of powers."""


class HVI(nn.Module):
    """Conversion between RGB and the colour space of horizontal, vertical and intensity.

    Intensity is the largest of a pixel's three values. Hue and saturation are a point in the plane whose
    distance from grey is the saturation times ``sin(pi / 2 * intensity) ** k``, so that dark pixels, whose
    hue is noise, come close to each other. ``k`` is trained. Everything is computed in 32-bit floats, also
    under autocast, where powers of ``sin`` near 0 overflow.

    Reference:
        Yan et al., 2025, "HVI: A New Color Space for Low-light Image Enhancement", Section 3.
    """

    def __init__(self) -> None:
        super().__init__()
        self.density_k = nn.Parameter(torch.full([1], 0.2))

    def forward(self, rgb: Tensor) -> Tensor:
        """Convert images of shape (B, 3, H, W) in [0, 1]; horizontal and vertical are in [-1, 1]."""
        with torch.autocast(rgb.device.type, enabled=False):
            rgb = rgb.float()
            red, green, blue = rgb.unbind(1)
            value, least = rgb.amax(1), rgb.amin(1)
            chroma = value - least
            span = chroma + EPSILON
            is_red, is_green = red == value, green == value
            sixths = torch.where(is_green, 2 + (blue - red) / span, 4 + (red - green) / span)
            sixths = torch.where(is_red, ((green - blue) / span) % 6, sixths)
            sixths = torch.where(chroma == 0, 0, sixths)
            radius = self._sensitivity(value, self.density_k) * (chroma / (value + EPSILON))
            angle = sixths * (math.pi / 3)
            return torch.stack([radius * angle.cos(), radius * angle.sin(), value], dim=1)

    def to_rgb(self, hvi: Tensor) -> Tensor:
        """Convert images back, of shape (B, 3, H, W), any range, to [0, 1]; ``k`` gets no gradient here."""
        with torch.autocast(hvi.device.type, enabled=False):
            horizontal, vertical, value = hvi.float().unbind(1)
            value = value.clamp(0, 1)
            scale = self._sensitivity(value, self.density_k.detach()) + EPSILON
            horizontal, vertical = (
                (axis.clamp(-1, 1) / scale).clamp(-1, 1) for axis in (horizontal, vertical)
            )
            hue = (torch.atan2(vertical + EPSILON, horizontal + EPSILON) / (2 * math.pi)) % 1
            saturation = (horizontal.square() + vertical.square() + EPSILON).sqrt().clamp(0, 1)
            return _from_hsv(hue, saturation, value)

    @staticmethod
    def _sensitivity(value: Tensor, density: Tensor) -> Tensor:
        return ((value * (math.pi / 2)).sin() + EPSILON).pow(density)


def _from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Convert hue, saturation and value, each of shape (B, H, W) in [0, 1], to RGB, shape (B, 3, H, W).

    Each channel falls from the value to the least over a sixth of the circle, stays there for two, and rises
    again; the channels differ by a third of the circle.
    """
    depth = value * saturation
    turns = ((hue * 6 + start) % 6 for start in (5, 3, 1))
    return torch.stack([value - depth * torch.minimum(turn, 4 - turn).clamp(0, 1) for turn in turns], dim=1)
