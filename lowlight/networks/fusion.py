"""Two image networks whose results are fused by local contrast and exposure over a Laplacian pyramid."""

import math
from functools import cached_property
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.luma import luma
from lowlight.networks.receptive_field import receptive_radius
from lowlight.networks.stride import stride_of

Rule = Literal["contrast", "mean", "first", "second"]
"""How two images become one: by weights of contrast and exposure, averaged, or one of them alone."""

_FLAT = 0.01
"""Local contrast below which a region counts as flat, and exposure alone decides; about the noise's."""
_NONE = 1e-8
"""Smallest weight before normalisation."""


class FusedNetworks(nn.Module):
    """Enhance images by two networks and fuse the results.

    Each result is weighted per pixel by the local contrast of its luma, which is the standard deviation in a
    window, times its well-exposedness, a Gaussian around a middle level. The weights are normalised to sum to
    1 and blend the results level by level of a Laplacian pyramid, so that there are no seams. Parts that one
    network over-illuminates, which are white and flat, are thus taken from the other.

    Args:
        first: Network that sees the dark image.
        second: Network that sees the first one's result, or the dark image, too.
        rule: ``contrast``; or ``mean``, ``first`` or ``second``, to find out what the fusion is worth.
        chained: Whether the second network enhances the first one's result instead of the dark image.
        levels: Levels of the pyramid, each half the size of the one before.
        level: Luma of well-exposed pixels, in [0, 1].
        spread: Standard deviation of the well-exposedness over luma.
        window: Side of the window of the local contrast in pixels, odd.

    Attributes:
        stride: Sides of the input must be multiples of this many pixels, which suits both networks and the
            pyramid.

    Raises:
        ValueError: If the rule is unknown, ``levels`` is negative, ``window`` is even or ``spread`` is not
            positive.

    Reference:
        Mertens, Kautz, Van Reeth, 2007, "Exposure fusion", Section 3 (weights and pyramid); "Low light image
        illumination adjustment using fusion of MIRNet and deep illumination curves" (which networks, and that
        the second continues the first; only its abstract is public).

    Differs from the paper: of two images, not many; local contrast is a standard deviation, which noise
    raises less than a Laplacian; the pyramid has a fixed number of levels, so that tiles are possible.
    """

    kernel: Tensor

    def __init__(
        self,
        first: nn.Module,
        second: nn.Module,
        rule: Rule = "contrast",
        chained: bool = True,
        levels: int = 5,
        level: float = 0.5,
        spread: float = 0.2,
        window: int = 9,
    ) -> None:
        super().__init__()
        if rule not in get_args(Rule):
            raise ValueError(f"rule={rule} is none of {', '.join(get_args(Rule))}")
        if levels < 0 or window < 1 or window % 2 == 0 or spread <= 0:
            raise ValueError(
                f"levels={levels} must be at least 0, window={window} odd and spread={spread} positive"
            )
        self.first, self.second = first, second
        self.rule = rule
        self.chained = chained
        self.levels = levels
        self.level = level
        self.spread = spread
        self.window = window
        self.stride = math.lcm(stride_of(first), stride_of(second), 2**levels)
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", taps.outer(taps)[None, None], persistent=False)

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped.
        """
        if self.rule == "second" and not self.chained:
            return self.second(low).clamp(0, 1)  # type: ignore[no-any-return]
        first = self.first(low).clamp(0, 1)
        if self.rule == "first":
            return cast(Tensor, first)
        return self.fuse(first, self.second(first if self.chained else low).clamp(0, 1))

    def fuse(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse two images of shape (B, 3, H, W) in [0, 1], sides multiples of ``2**levels``."""
        if self.rule != "contrast":
            return {"first": first, "second": second, "mean": (first + second) / 2}[self.rule]
        # Weights sum to 1 at every level, so only the difference has to be blended.
        difference, weight = [second - first], [self.weights(first, second)[:, 1:]]
        for _ in range(self.levels):
            difference.append(self._halve(difference[-1]))
            weight.append(self._halve(weight[-1]))
        blended = weight[-1] * difference[-1]
        for step in range(self.levels - 1, -1, -1):
            detail = difference[step] - _double(difference[step + 1])
            blended = _double(blended) + weight[step] * detail
        return first + blended

    def weights(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the weights of two images of shape (B, 3, H, W), which sum to 1: (B, 2, H, W)."""
        lumas = torch.cat([luma(first.float()), luma(second.float())], dim=1)
        margin = self.window // 2
        centred = lumas - 0.5  # for precision
        moments = F.pad(torch.cat([centred, centred.square()], dim=1), 4 * (margin,), mode="replicate")
        mean, square = F.avg_pool2d(moments, self.window, stride=1).chunk(2, dim=1)
        contrast = ((square - mean.square()).clamp(min=0) + _FLAT**2).sqrt()
        exposed = torch.exp(-(lumas - self.level).square() / (2 * self.spread**2))
        weights = contrast * exposed + _NONE
        return weights / weights.sum(dim=1, keepdim=True)

    @cached_property
    def fuse_halo(self) -> int | None:
        """Radius in pixels of what :meth:`fuse` looks at; measured once."""
        return receptive_radius(self, 2**self.levels, forward=lambda low: self.fuse(low, low.square()))

    def _halve(self, image: Tensor) -> Tensor:
        """Smooth images and halve their size; pixels stay at the centres of the areas they cover."""
        channels = image.shape[1]
        kernel = self.kernel.to(image.dtype).expand(channels, 1, 4, 4)
        return F.conv2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), kernel, stride=2, groups=channels)


def _double(image: Tensor) -> Tensor:
    return F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
