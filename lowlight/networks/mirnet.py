"""MIRNet: multi-scale residual blocks with a full-resolution stream."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from lowlight.networks._mirnet_original import blur_names, original_names
from lowlight.networks.original import Original
from lowlight.networks.prelu import PReLU


def _conv(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)


class Blur(nn.Module):
    """Halve the size after a fixed [1, 2, 1] blur against aliasing, reflected at the borders.

    Reference:
        Zhang, 2019, Making Convolutional Networks Shift-Invariant Again.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = (0.25, 0.5, 0.25)
        kernel = torch.tensor([[down * across for across in line] for down in line])
        self.register_buffer("kernel", kernel[None, None], persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (B, C, H, W), H and W even, to (B, C, H/2, W/2)."""
        channels = features.shape[1]
        padded = F.pad(features, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, self.kernel.expand(channels, 1, 3, 3), stride=2, groups=channels)


class Down(nn.Module):
    """Residual downsampling to half the size and twice the channels (figure 5b of the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(channels, channels, 1),
            PReLU(),
            _conv(channels, channels, 3),
            PReLU(),
            Blur(),
            _conv(channels, 2 * channels, 1),
        )
        self.blur = Blur()
        self.skip = _conv(channels, 2 * channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (B, C, H, W) to (B, 2C, H/2, W/2)."""
        return cast(Tensor, self.body(features) + self.skip(self.blur(features)))


class Up(nn.Module):
    """Residual upsampling to twice the size and half the channels (figure 5a of the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(channels, channels, 1),
            PReLU(),
            nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1, output_padding=1, bias=False),
            PReLU(),
            _conv(channels, channels // 2, 1),
        )
        self.skip = _conv(channels, channels // 2, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (B, C, H, W) to (B, C/2, 2H, 2W)."""
        # The paper interpolates first; a 1x1 convolution commutes with it and is cheaper before.
        skip = F.interpolate(self.skip(features), scale_factor=2, mode="bilinear", align_corners=False)
        return cast(Tensor, self.body(features) + skip)


def _resize(channels: int, source: int, target: int) -> nn.Sequential:
    """Resample one stream to another's scale; stream ``s`` has ``channels * 2**s`` channels."""
    if target > source:
        return nn.Sequential(*(Down(channels * 2**s) for s in range(source, target)))
    return nn.Sequential(*(Up(channels * 2**s) for s in range(source, target, -1)))


class SKFF(nn.Module):
    """Selective kernel feature fusion: weight branches by a softmax across them (section 3.1)."""

    def __init__(self, channels: int, branches: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze = nn.Sequential(_conv(channels, hidden, 1), PReLU())
        self.excite = nn.ModuleList(_conv(hidden, channels, 1) for _ in range(branches))

    def forward(self, branches: list[Tensor]) -> Tensor:
        """Fuse branches, each of shape (B, C, H, W), into one such tensor."""
        summary = self.squeeze(self.pool(sum(branches[1:], branches[0])))
        weights = torch.stack([excite(summary) for excite in self.excite]).softmax(dim=0)
        return sum((w * b for w, b in zip(weights[1:], branches[1:], strict=True)), weights[0] * branches[0])


class ChannelAttention(nn.Module):
    """Weights per channel from the channels' means over the image."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.weigh = nn.Sequential(
            _conv(channels, hidden, 1), nn.ReLU(), _conv(hidden, channels, 1), nn.Sigmoid()
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return weights in (0, 1), of shape (B, C, 1, 1), for features of shape (B, C, H, W)."""
        return cast(Tensor, self.weigh(self.pool(features)))


class SpatialAttention(nn.Module):
    """Weights per pixel from maximum and mean over the channels in a 5x5 neighbourhood."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = _conv(2, 1, 5)

    def forward(self, features: Tensor) -> Tensor:
        """Return weights in (0, 1), of shape (B, 1, H, W), for features of shape (B, C, H, W)."""
        summary = torch.cat([features.amax(dim=1, keepdim=True), features.mean(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.conv(summary))


class DAU(nn.Module):
    """Dual attention unit: spatial and channel attention in parallel, with a residual (section 3.2).

    Args:
        channels: Input and output channels.
        reduction: Channel attention has ``channels // reduction`` hidden channels.
        activation: Activation between the convolutions; may be shared with other units.
    """

    def __init__(self, channels: int, reduction: int, activation: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(channels, channels, 3), activation, _conv(channels, channels, 3))
        self.spatial = SpatialAttention()
        self.channel = ChannelAttention(channels, reduction)
        self.merge = _conv(2 * channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        body = self.body(features)
        # The paper concatenates both weighted features, then merges them. Weights per pixel commute with a
        # 1x1 convolution, which can be split in two: this avoids the concatenation and stores less.
        by_pixel, by_channel = self.merge.weight.chunk(2, dim=1)
        attended: Tensor = self.spatial(body) * F.conv2d(body, by_pixel)
        return features + attended + F.conv2d(body * self.channel(body), by_channel)


class MRB(nn.Module):
    """Multi-scale residual block: parallel streams with exchange between them (figure 2).

    Unused parts are not built: there is no exchange with one column, and no fusion with one stream.
    """

    def __init__(
        self,
        channels: int,
        streams: int,
        columns: int,
        shared_daus: bool,
        reduction: int,
        activation: nn.Module,
    ) -> None:
        super().__init__()
        self.columns = columns
        widths = [channels * 2**stream for stream in range(streams)]
        own = 1 if shared_daus else columns
        self.daus = nn.ModuleList(
            nn.ModuleList(DAU(width, reduction, PReLU() if column else activation) for column in range(own))
            for width in widths
        )
        routes = [(a, b) for a in range(streams) for b in range(streams) if a != b]
        self.resize = nn.ModuleDict(
            {f"{a}_{b}": _resize(channels, a, b) for a, b in routes if columns > 1 or b == a + 1}
        )
        self.last_up = nn.ModuleDict({str(s): _resize(channels, s, 0) for s in range(1, streams)})
        fused = 0 if streams == 1 else 1 if columns == 1 else streams
        self.fuse = nn.ModuleList(SKFF(width, streams, reduction) for width in widths[:fused])
        self.conv_out = _conv(channels, channels, 3)

    def _attend(self, features: Tensor, stream: int, column: int) -> Tensor:
        daus = cast(nn.ModuleList, self.daus[stream])
        return cast(Tensor, daus[column % len(daus)](features))

    def _exchange(self, streams: list[Tensor], target: int) -> Tensor:
        """Resample every stream to the target's scale and fuse them."""
        if len(streams) == 1:
            return streams[0]
        branches = [
            features if source == target else self.resize[f"{source}_{target}"](features)
            for source, features in enumerate(streams)
        ]
        return cast(Tensor, self.fuse[target](branches))

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W), sides multiples of ``2**(streams - 1)``."""
        streams = [self._attend(features, 0, 0)]
        for s in range(1, len(self.daus)):
            streams.append(self._attend(self.resize[f"{s - 1}_{s}"](streams[-1]), s, 0))
        for column in range(1, self.columns):
            exchanged = [self._exchange(streams, s) for s in range(len(streams))]
            streams = [self._attend(fused, s, column) for s, fused in enumerate(exchanged)]
        last = [streams[0], *(self.last_up[str(s)](streams[s]) for s in range(1, len(streams)))]
        merged = self.fuse[0](last) if len(last) > 1 else last[0]
        return cast(Tensor, features + self.conv_out(merged))


class RRG(nn.Module):
    """Recursive residual group: several MRBs and a convolution, with a residual."""

    def __init__(self, channels: int, blocks: list[MRB], checkpointing: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.conv = _conv(channels, channels, 3)
        self.checkpointing = checkpointing

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        inner = features
        for block in self.blocks:
            if self.checkpointing and self.training:
                inner = cast(Tensor, checkpoint(block, inner, use_reentrant=False))
            else:
                inner = block(inner)
        return cast(Tensor, features + self.conv(inner))


class MIRNet(Original):
    """Enhance an image by a residual computed in parallel streams of several resolutions.

    The defaults are the published network with 31,787,419 parameters (42,239,281 with unshared DAUs), equal
    to the authors' code, whose weights ``load_original`` reads. As there, no convolution has a bias, all DAUs
    share one PReLU, by default the columns of a stream share one DAU, and the exchange and the last fusion
    share the first stream's SKFF.

    Args:
        channels: Channels of the full-resolution stream; each lower stream has twice as many.
        groups: Number of recursive residual groups (RRG).
        blocks: Multi-scale residual blocks (MRB) per group.
        streams: Parallel resolutions per block: 1, 1/2, 1/4, ...
        columns: DAUs per stream, with an exchange between all streams before each but the first.
        shared_daus: Whether the columns of a stream share one DAU's weights.
        reduction: Factor by which attention and fusion reduce the channels.
        checkpointing: Whether training stores only the features between blocks and recomputes the others for
            the gradient: less memory, more time, the same weights.

    Attributes:
        stride: Sides of the input must be multiples of it, ``2**(streams - 1)`` pixels.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        Zamir, Arora, Khan, Hayat, Khan, Yang, Shao, 2020, Learning Enriched Features for Real Image
        Restoration and Enhancement, figures 2 to 5.

    Differs from the paper:
        The sharing is that of the authors' code and needed by the published weights; the text does not
        mention it. Unshared DAUs after the first column have their own activation, too.
    """

    WRAPPER = "state_dict"

    def __init__(
        self,
        channels: int = 64,
        groups: int = 3,
        blocks: int = 2,
        streams: int = 3,
        columns: int = 2,
        shared_daus: bool = True,
        reduction: int = 8,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        sizes = {"channels": channels, "groups": groups, "blocks": blocks, "streams": streams}
        for name, size in {**sizes, "columns": columns, "reduction": reduction}.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        self.stride = 2 ** (streams - 1)
        self.channels = channels
        self.blocks = blocks
        self.columns_of_a_dau = columns if shared_daus else 1
        activation = PReLU()

        def block() -> MRB:
            return MRB(channels, streams, columns, shared_daus, reduction, activation)

        self.conv_in = _conv(3, channels, 3)
        self.groups = nn.Sequential(
            *(RRG(channels, [block() for _ in range(blocks)], checkpointing) for _ in range(groups))
        )
        self.conv_out = _conv(channels, 3, 3)

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped.
        """
        return cast(Tensor, low + self.conv_out(self.groups(self.conv_in(low))))

    def original_names(self, name: str) -> list[str]:
        """Return the original's name, or names, of one of our parameters."""
        return original_names(name, channels=self.channels, blocks=self.blocks, sharing=self.columns_of_a_dau)

    def original_constants(self) -> dict[str, Tensor]:
        """Return the blur kernels, by their names in the original."""
        kernels = {}
        for name, module in self.named_modules(remove_duplicate=False):
            if isinstance(module, Down):
                channels = module.skip.in_channels
                for original in blur_names(name, channels=self.channels, blocks=self.blocks):
                    kernels[original] = Blur().kernel.expand(channels, 1, 3, 3)
        return kernels
