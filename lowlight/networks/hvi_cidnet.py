"""HVI-CIDNet: two U-Nets, for colour and for intensity, that attend to each other."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.channel_norm import ChannelNorm
from lowlight.networks.hvi import HVI
from lowlight.networks.original import Original
from lowlight.networks.prelu import PReLU
from lowlight.networks.transposed_attention import ChannelWeights, attend, check_heads


def _conv(inputs: int, outputs: int, size: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups, bias=False)


def _bordered(inputs: int, outputs: int) -> nn.Sequential:
    """Convolve after repeating the border's pixels."""
    return nn.Sequential(nn.ReplicationPad2d(1), nn.Conv2d(inputs, outputs, 3, bias=False))


class Down(nn.Module):
    """Convolution, then half the size by interpolation between the corners' pixels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = nn.Sequential(_conv(inputs, outputs, 3))
        self.prelu = PReLU()

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (B, inputs, H, W) to (B, outputs, H/2, W/2)."""
        half = [side // 2 for side in features.shape[2:]]
        smaller = F.interpolate(self.down(features), half, mode="bilinear", align_corners=True)
        return cast(Tensor, self.prelu(smaller))


class Up(nn.Module):
    """Convolution, then twice the size by interpolation, merged with a skip connection."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.up_scale = nn.Sequential(_conv(inputs, outputs, 3))
        self.up = _conv(2 * outputs, outputs, 1)
        self.prelu = PReLU()

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Map features (B, inputs, H, W) and a skip (B, outputs, 2H, 2W) to the skip's shape."""
        larger = F.interpolate(self.up_scale(features), skip.shape[2:], mode="bilinear", align_corners=True)
        return cast(Tensor, self.prelu(self.up(torch.cat([larger, skip], dim=1))))


class CrossAttention(nn.Module):
    """Attention between channels: queries from one branch, keys and values from the other (CAB)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.q = _conv(channels, channels, 1)
        self.q_dwconv = _conv(channels, channels, 3, channels)
        self.kv = _conv(channels, 2 * channels, 1)
        self.kv_dwconv = _conv(2 * channels, 2 * channels, 3, 2 * channels)
        self.project_out = _conv(channels, channels, 1)
        self.weigh = ChannelWeights()

    def forward(self, features: Tensor, other: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W) as both arguments."""
        query = self.q_dwconv(self.q(features))
        key, value = self.kv_dwconv(self.kv(other)).chunk(2, dim=1)
        weights = self.weigh(query, key, self.temperature)
        return attend(weights, value, self.project_out.weight.flatten(1))


class GatedLayer(nn.Module):
    """Gated depthwise layer (IEL): the product of two halves, each with a residual through tanh."""

    def __init__(self, channels: int, factor: float = 2.66) -> None:
        super().__init__()
        hidden = int(channels * factor)
        self.project_in = _conv(channels, 2 * hidden, 1)
        self.dwconv = _conv(2 * hidden, 2 * hidden, 3, 2 * hidden)
        self.dwconv1 = _conv(hidden, hidden, 3, hidden)
        self.dwconv2 = _conv(hidden, hidden, 3, hidden)
        self.project_out = _conv(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        first, second = self.dwconv(self.project_in(features)).chunk(2, dim=1)
        first = first + self.dwconv1(first).tanh()
        second = second + self.dwconv2(second).tanh()
        return cast(Tensor, self.project_out(first * second))


class LCA(nn.Module):
    """Lighten cross-attention: one branch attends to the other, then passes a gated layer.

    Args:
        channels: Channels of both branches.
        heads: Attention heads.
        residual: Whether the gated layer's input is added to its output; so in the intensity branch.
    """

    def __init__(self, channels: int, heads: int, residual: bool) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels, eps=1e-6)
        self.ffn = CrossAttention(channels, heads)
        self.gdfn = GatedLayer(channels)
        self.residual = residual

    def forward(self, features: Tensor, other: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W) as both arguments."""
        features = features + self.ffn(self.norm(features), self.norm(other))
        changed = self.gdfn(self.norm(features))
        return cast(Tensor, features + changed if self.residual else changed)


class Branch(nn.Module):
    """Layers of one U-Net: colour, from all three planes of HVI, or intensity, from its own.

    Args:
        planes: Planes that it reads.
        outputs: Planes that it restores.
        channels: Channels at full resolution, before the first halving, and at each lower resolution.
        heads: Attention heads at half, a quarter and an eighth of the resolution.
        residual: See :class:`LCA`.
    """

    def __init__(
        self, planes: int, outputs: int, channels: Sequence[int], heads: Sequence[int], residual: bool
    ) -> None:
        super().__init__()
        full, half, quarter, eighth = channels
        self.enter = _bordered(planes, full)
        self.down1, self.down2, self.down3 = Down(full, half), Down(half, quarter), Down(quarter, eighth)
        self.up3, self.up2, self.up1 = Up(eighth, quarter), Up(quarter, half), Up(half, full)
        self.leave = _bordered(full, outputs)
        self.attend1, self.attend6 = (LCA(half, heads[0], residual) for _ in range(2))
        self.attend2, self.attend5 = (LCA(quarter, heads[1], residual) for _ in range(2))
        self.attend3, self.attend4 = (LCA(eighth, heads[2], residual) for _ in range(2))


class HVICIDNet(Original):
    """Enhance an image in the HVI colour space, colour and intensity by a U-Net each.

    The defaults are the published network with 1,975,569 parameters, equal to the authors' code.

    Args:
        channels: Channels at full resolution, before the first halving, and at each lower resolution.
        heads: Attention heads at half, a quarter and an eighth of the resolution.

    Attributes:
        stride: Sides of the input must be multiples of it, 8 pixels.
        space: Conversion to and from HVI, with the trained density.

    Raises:
        ValueError: If there are not four numbers of channels and three of heads.

    Reference:
        Yan, Feng, Zhang, Pang, Shi, Wu, Dong, Sun and Zhang, 2025, "HVI: A New Color Space for Low-light
        Image Enhancement", figure 4.

    Differs from the paper:
        As in the authors' code, whose weights would not fit otherwise: the third halving takes the features
        from before the attention of its level, whose result goes to the skip connections only, and the
        intensity's fifth attention has no part in the output. Its weights are kept, so that published files
        are read and written whole, but not trained and not computed with.

    Computes differently:
        Hue is computed for all pixels at once, without uninitialised memory, and the density stays on its
        device, so that no pass waits for it; a hue that is rounded to a whole turn is red, not black. The
        weighted sum of the values and its projection are one product, see
        :func:`lowlight.networks.transposed_attention.attend`.

    Tiles share the attention between channels, which is taken from a small copy of the image. They differ
    from the whole image's result a little more than other networks', since halving and doubling align the
    corners, hence depend on the size.
    """

    RENAMED = (
        (r"^colour\.attend", "HV_LCA"),
        (r"^intensity\.attend", "I_LCA"),
        (r"^colour\.", "HV"),
        (r"^intensity\.", "I"),
        (r"^(HV|I)enter", r"\1E_block0"),
        (r"^(HV|I)leave", r"\1D_block0"),
        (r"^(HV|I)down", r"\1E_block"),
        (r"^(HV|I)up", r"\1D_block"),
        (r"^space\.", "trans."),
    )

    def __init__(self, channels: Sequence[int] = (36, 36, 72, 144), heads: Sequence[int] = (2, 4, 8)) -> None:
        super().__init__()
        if len(channels) != 4 or len(heads) != 3:
            raise ValueError(
                f"HVI-CIDNet has 4 numbers of channels and 3 of heads, got {list(channels)} and {list(heads)}"
            )
        check_heads([1, *heads], channels)
        self.stride = 8
        self.space = HVI()
        self.colour = Branch(3, 2, channels, heads, residual=False)
        self.intensity = Branch(1, 1, channels, heads, residual=True)
        self.intensity.attend5.requires_grad_(False)

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape in [0, 1].
        """
        colour, intensity = self.colour, self.intensity
        hvi = self.space(low)
        c0, i0 = colour.enter(hvi), intensity.enter(hvi[:, 2:])
        c1, i1 = colour.down1(c0), intensity.down1(i0)
        c1, i1 = colour.attend1(c1, i1), intensity.attend1(i1, c1)
        c2, i2 = colour.down2(c1), intensity.down2(i1)
        skip_c2, skip_i2 = colour.attend2(c2, i2), intensity.attend2(i2, c2)
        c3, i3 = colour.down3(c2), intensity.down3(i2)
        c3, i3 = colour.attend3(c3, i3), intensity.attend3(i3, c3)
        c3, i3 = colour.attend4(c3, i3), intensity.attend4(i3, c3)
        c2, i2 = colour.up3(c3, skip_c2), intensity.up3(i3, skip_i2)
        c1, i1 = colour.up2(colour.attend5(c2, i2), c1), intensity.up2(i2, i1)
        c1, i1 = colour.attend6(c1, i1), intensity.attend6(i1, c1)
        c0, i0 = colour.up1(c1, c0), intensity.up1(i1, i0)
        residual = torch.cat([colour.leave(c0), intensity.leave(i0)], dim=1)
        return self.space.to_rgb(residual + hvi)

    def to_space(self, image: Tensor) -> Tensor:
        """Convert images of shape (B, 3, H, W) in [0, 1] to HVI, where a part of the loss is measured."""
        return cast(Tensor, self.space(image))
