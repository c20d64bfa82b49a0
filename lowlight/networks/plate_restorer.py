"""A light network that restores licence plates, with two classifiers that decide what it is given."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.channel_norm import ChannelNorm

TALLEST = 4
"""Greatest height of what the classifiers see, in widths: a strip of one pixel would become a tower."""


class PlateRestorer(nn.Module):
    """Restore pictures of licence plates, and find out their problem and whether they are readable.

    The restorer is an encoder-decoder of depthwise separable convolutions with skip connections, which adds a
    correction to its input; it works at half the resolution, with 2x2 pixels unshuffled into channels. Its
    blocks are depthwise 5x5, normalisation over channels, and two 1x1 convolutions with a GELU, with
    identity; levels are linked by 2x2 convolutions of stride 2 and by nearest-neighbour upsampling, which
    leaves no checkerboard. Two classifiers, each with weights of its own, see the input: one names the
    problem, one tells whether the plate can be read at all.

    Args:
        channels: Channels per level, from half to the lowest resolution.
        blocks: Blocks per level, in the encoder as in the decoder.
        classifier_channels: Channels of the classifiers' stages, each of half the resolution before.
        problems: Names of the classes of problems; the first is none.
        undamaged: Least probability of the first class from which an input is left untouched.
        readable: Least probability of being readable below which an input is given up.
        width: Width in pixels to which the classifiers bring a picture, since blur, noise and coarse pixels
            matter by their size beside a character; None for as it is. What would then be higher than
            :data:`TALLEST` widths is squeezed to that, which bounds the memory.

    Attributes:
        stride: Sides of inputs are multiples of this many pixels.
        parts: Submodules that other runtimes may compute; the classifiers stay in torch.

    Raises:
        ValueError: If sizes or probabilities are out of range.

    Reference:
        After LPRGAN, a light autoencoder-like GAN for plates with several problems, of which only the
        abstract was known; the structure is this library's own.
    """

    parts = ("generator",)

    def __init__(
        self,
        channels: Sequence[int] = (24, 48, 96, 128),
        blocks: int = 2,
        classifier_channels: Sequence[int] = (24, 48, 96, 128),
        problems: Sequence[str] = ("undamaged", "damaged"),
        undamaged: float = 0.5,
        readable: float = 0.5,
        width: int | None = 256,
    ) -> None:
        super().__init__()
        if width is not None and width < 1:
            raise ValueError(f"width={width} must be a number of pixels, or null")
        if not (0 <= undamaged <= 1 and 0 <= readable <= 1):
            raise ValueError(
                f"undamaged={undamaged} and readable={readable} must be probabilities, from 0 to 1"
            )
        if len(problems) < 2:
            raise ValueError(f"problems={list(problems)} must be two or more, the first of them none")
        self.stride = 2 ** len(channels)
        self.problems = tuple(problems)
        self.thresholds = (undamaged, readable)
        self.width = width
        self.generator = SeparableUNet(channels, blocks)
        self.problem_classifier = Classifier(classifier_channels, len(problems))
        self.readable_classifier = Classifier(classifier_channels, 1)

    def forward(self, low: Tensor) -> Tensor:
        """Restore pictures of shape (B, 3, H, W) in [0, 1]; the result is not clamped."""
        return cast(Tensor, self.generator(low))

    def classify(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """Classify pictures of shape (B, 3, H, W) in [0, 1], of any size.

        Returns:
            Logits of the problems, shape (B, problems), and of being readable, shape (B,).
        """
        if self.width is not None:
            height = round(low.shape[-2] * self.width / low.shape[-1])
            size = (min(max(1, height), TALLEST * self.width), self.width)
            if low.shape[-2:] != size:
                low = F.interpolate(low, size, mode="bilinear", antialias=True)
        return self.problem_classifier(low), self.readable_classifier(low)[:, 0]

    def judge(self, low: Tensor) -> tuple[str | None, str | None]:
        """Decide whether a picture of shape (1, 3, H, W) in [0, 1] needs work, and is past help.

        Returns:
            The reason ``unreadable`` or ``undamaged``, or None to restore it, and the problem found.
        """
        problems, readable = self.classify(low)
        shares, can_read = problems.softmax(1)[0], float(readable.sigmoid()[0])
        undamaged, least = self.thresholds
        if can_read < least:
            return "unreadable", f"readable with a probability of {can_read:.2f} only"
        if float(shares[0]) >= undamaged:
            return "undamaged", None
        worst = 1 + int(shares[1:].argmax())
        name = self.problems[worst].replace("_", " ")
        return None, f"problem found: {name} (probability {float(shares[worst]):.2f})"


class Block(nn.Module):
    """Depthwise 5x5, normalisation, 1x1 to twice the channels, GELU, 1x1 back; with identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels),
            ChannelNorm(channels),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.GELU(),
            nn.Conv2d(2 * channels, channels, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Transform features of shape (B, C, H, W)."""
        return cast(Tensor, features + self.body(features))


class SeparableUNet(nn.Module):
    """An encoder-decoder of :class:`Block` with skip connections, which adds a correction to its input.

    Args:
        channels: Channels per level, from half to the lowest resolution.
        blocks: Blocks per level, in the encoder as in the decoder; at half the resolution one.
    """

    def __init__(self, channels: Sequence[int], blocks: int) -> None:
        super().__init__()
        if min([*channels, blocks, len(channels) - 1]) < 1:
            raise ValueError(
                f"channels={list(channels)} and blocks={blocks} must be positive, with two levels or more"
            )
        counts = [1, *[blocks] * (len(channels) - 1)]
        pairs = list(pairwise(channels))
        self.first = nn.Conv2d(3 * 4, channels[0], 3, padding=1)
        self.encoder = nn.ModuleList(
            _blocks(one, number) for one, number in zip(channels, counts, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 2, stride=2) for wide, deep in pairs)
        self.up = nn.ModuleList(nn.Conv2d(deep, wide, 1) for wide, deep in pairs)
        self.decoder = nn.ModuleList(
            _blocks(one, number) for one, number in zip(channels[:-1], counts[:-1], strict=True)
        )
        self.last = nn.Conv2d(channels[0], 3 * 4, 3, padding=1)
        with torch.no_grad():  # begins near the identity
            self.last.weight *= 0.05
            cast(Tensor, self.last.bias).zero_()

    def forward(self, low: Tensor) -> Tensor:
        """Restore pictures of shape (B, 3, H, W), sides multiples of ``2 ** levels``."""
        features = self.encoder[0](self.first(F.pixel_unshuffle(low, 2)))
        kept = []
        for down, encode in zip(self.down, list(self.encoder)[1:], strict=True):
            kept.append(features)
            features = encode(down(features))
        for up, decode in zip(reversed(self.up), reversed(self.decoder), strict=True):
            features = decode(F.interpolate(up(features), scale_factor=2.0, mode="nearest") + kept.pop())
        return low + F.pixel_shuffle(self.last(features), 2)


def _blocks(channels: int, number: int) -> nn.Sequential:
    return nn.Sequential(*(Block(channels) for _ in range(number)))


class Classifier(nn.Module):
    """Classify pictures: separable convolutions of stride 2, then the mean and maximum over the picture.

    The first convolution is a full one of 5x5, which sees noise and compression at full resolution.

    Args:
        channels: Channels per stage.
        classes: Number of logits.
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        if not channels or min(*channels, classes) < 1:
            raise ValueError(
                f"channels={list(channels)} and classes={classes} must be positive, at least one of each"
            )
        stages: list[nn.Module] = [
            nn.Conv2d(3, channels[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(),
        ]
        for before, after in pairwise(channels):
            stages += [
                nn.Conv2d(before, before, 5, stride=2, padding=2, groups=before, bias=False),
                nn.Conv2d(before, after, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.Conv2d(after, after, 3, padding=1, groups=after, bias=False),
                nn.Conv2d(after, after, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.features = nn.Sequential(*stages)
        self.last = nn.Linear(2 * channels[-1], classes)

    def forward(self, low: Tensor) -> Tensor:
        """Return logits of shape (B, classes) for pictures of shape (B, 3, H, W) in [0, 1]."""
        features = self.features(2 * low - 1)
        return cast(Tensor, self.last(torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)))
