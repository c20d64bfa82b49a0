"""The U-Net generator of pix2pix."""

import torch
from torch import Tensor, nn

from lowlight.networks._pix2pix import Norm, initialise, normalisation
from lowlight.networks.upsampling import SmoothTransposed


def _encoder(widths: list[int], norm: Norm) -> nn.ModuleList:
    """Build the encoder levels; the outermost and the innermost are not normalised."""
    levels = nn.ModuleList()
    for level, outputs in enumerate(widths):
        inputs = 3 if level == 0 else widths[level - 1]
        inner = 0 < level < len(widths) - 1
        levels.append(
            nn.Sequential(
                *([nn.LeakyReLU(0.2)] if level else []),
                nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=not inner or norm != "batch"),
                *(normalisation(norm, outputs) if inner else []),
            )
        )
    return levels


def _decoder(widths: list[int], norm: Norm, dropout: float, *, smooth: bool) -> nn.ModuleList:
    """Build the decoder levels, innermost first; the first ``len(widths) - 5`` have dropout."""
    levels = nn.ModuleList()
    depth = len(widths)
    for level in range(depth):
        last = level == depth - 1
        inputs = widths[depth - 1 - level] * (2 if level else 1)
        outputs = 3 if last else widths[depth - 2 - level]
        bias = last or norm != "batch"
        levels.append(
            nn.Sequential(
                nn.ReLU(),
                SmoothTransposed(inputs, outputs, 4, bias=bias)
                if smooth
                else nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias),
                *([nn.Tanh()] if last else normalisation(norm, outputs)),
                *([nn.Dropout(dropout)] if dropout and level < depth - 5 else []),
            )
        )
    return levels


class UNet(nn.Module):
    """Encoder and decoder with skip connections between levels of equal size.

    The default is the published generator with 54,414,531 parameters: an encoder
    C64-C128-C256-C512-C512-C512-C512-C512 of 4x4 convolutions of stride 2 with LeakyReLU of slope 0.2, a
    decoder CD512-CD512-CD512-C512-C256-C128-C64, and a last convolution with tanh. Inputs are scaled to
    [-1, 1].

    Args:
        channels: Channels of the first level; they double per level, up to eightfold.
        depth: Number of levels, each half the size of the one before.
        norm: ``batch``, ``instance`` or ``none``, after every convolution but the first, the innermost of the
            encoder and the last. For an input of one ``stride`` the innermost level is a single pixel, which
            a norm over a batch of one would erase (the paper's errata).
        dropout: Dropout probability in the first ``depth - 5`` levels of the decoder, three as in the paper
            at the default depth.
        smooth: Whether the transposed convolutions are
            :class:`lowlight.networks.upsampling.SmoothTransposed`, which start as interpolations and leave no
            checkerboard; by default not.

    Attributes:
        stride: Sides of the input must be multiples of it, ``2**depth`` pixels.

    Raises:
        ValueError: If ``channels`` is below 1, ``depth`` below 2 or the norm unknown.

    Reference:
        Isola, Zhu, Zhou, Efros, 2017, Image-to-Image Translation with Conditional Adversarial Networks,
        section 6.1.1.

    Differs from the paper:
        In evaluation mode there is no dropout and batch normalisation uses running averages, so the result
        is deterministic and independent of the batch; the paper keeps both as in training.
    """

    def __init__(
        self,
        channels: int = 64,
        depth: int = 8,
        norm: Norm = "batch",
        dropout: float = 0.5,
        smooth: bool | None = None,
    ) -> None:
        super().__init__()
        if channels < 1 or depth < 2:
            raise ValueError(f"channels must be at least 1 and depth at least 2, got {channels} and {depth}")
        self.stride = 2**depth
        widths = [channels * 2 ** min(level, 3) for level in range(depth)]
        self.down = _encoder(widths, norm)
        self.up = _decoder(widths, norm, dropout, smooth=bool(smooth))
        self.apply(initialise)
        for module in self.modules():
            if isinstance(module, SmoothTransposed):
                module.start_smoothly()

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape in [0, 1], by tanh.
        """
        features, skips = 2 * low - 1, []
        for down in self.down:
            features = down(features)
            skips.append(features)
        features = skips.pop()
        for up in self.up[:-1]:
            features = torch.cat([up(features), skips.pop()], dim=1)
        enhanced: Tensor = self.up[-1](features)
        return (enhanced + 1) / 2
