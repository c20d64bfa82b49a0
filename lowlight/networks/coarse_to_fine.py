"""CoarseToFine: exposure predicted on a coarse grid, then detail restored at full resolution under it."""

from collections.abc import Iterable, Sequence
from functools import cached_property, reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.luma import luma
from lowlight.networks.receptive_field import receptive_radius
from lowlight.networks.residual_unet import ResidualUNet
from lowlight.networks.two_pass import Window

DARK = 0.004
"""Offset of about one level of 255 that keeps logarithms and ratios finite where an image is black."""

USUAL = 0.05
"""Typical level of a dark photograph, about that of LOL's; logarithms are taken relative to it."""

BLACK, FLAT, ROUNDED = 3.0, 0.7, 0.5
"""Mean level of 255, variance in squared levels over the three colours, and mean level of the darkest colour,
of black without noise of which a colour is rounded to 0."""

WAYS = 8
"""Number of combinations of flips and quarter turns."""


def turned(image: Tensor, way: int, back: bool = False) -> Tensor:
    """Flip and transpose images, or undo that.

    Args:
        image: Images of shape (B, C, H, W).
        way: Index of the orientation from 0, the identity, to ``WAYS - 1``.
        back: Whether to apply the inverse.
    """
    axes = [axis for axis, bit in ((-1, 1), (-2, 2)) if way & bit]
    if not way & 4:
        return image.flip(axes)
    return image.flip(axes).mT if back else image.mT.flip(axes)


class Scene(NamedTuple):
    """Input and prediction of the coarse stage: two small images of shape (B, 3, cells, cells)."""

    low: Tensor
    """Dark image, averaged over the cells of the grid."""
    bright: Tensor
    """Predicted brightness per cell, in [0, 1]."""


class CoarseToFine(nn.Module):
    """Predict the exposure of the whole image on a small grid, then restore the pixels under it.

    The *coarse* stage averages an image of any size over a grid of ``cells`` by ``cells`` and maps it to the
    averages of the bright image by a U-Net, whose bottleneck is modulated by a vector pooled from it. The
    grid is cheap, so predictions for all eight flips and rotations are averaged (test-time augmentation).
    The *fine* stage sees the *ratio image*, which is the dark image times the coarse gain, as sharp and as
    noisy as before, with 2x2 pixels unshuffled into channels, beside both grids. Its U-Net predicts a
    residual that is added to the interpolated coarse image, or to its mixture with the ratio image. Its
    receptive field is bounded, so a large photograph can be cut into tiles that share one :meth:`scene`; see
    :class:`lowlight.networks.two_pass.TwoPass`.

    Args:
        cells: Cells of the grid along each axis.
        coarse_channels: Channels per level of the coarse U-Net; each level has half the size of the last.
        fine_channels: Channels per level of the fine U-Net, whose first level has half the resolution.
        coarse_blocks: Residual blocks per level of the coarse U-Net, in encoder and decoder each.
        fine_blocks: Residual blocks per level of the fine U-Net.
        dropout: Probability of dropping a channel at the bottleneck of the coarse U-Net.
        samples: Averages per cell, along each axis, that the coarse stage sees.
        keeps_detail: Whether the fine U-Net predicts a weight per pixel, too, by which the ratio image is
            mixed into the coarse image before its residual is added. Without it every detail is a residual,
            and bright edges before darkness glow. Recipes saved before it existed lack it.
        greys_black: Whether black without noise, of which a colour is rounded to 0, comes back grey. A
            camera's black has noise; where it has none, JPEG has rounded it away, and the colour with it, so
            that a night sky without its blue came back olive. Not part of the training; recipes saved before
            it existed lack it.

    Attributes:
        stride: Sides of the input must be multiples of this many pixels, ``2**len(fine_channels)``.
        parts: Submodules that take most of the time; compiled, or run by other runtimes, one by one.

    Raises:
        ValueError: If a U-Net has no level, or the grid cannot be halved from level to level.

    Reference:
        Ronneberger et al., 2015, "U-Net"; He et al., 2016, "Deep residual learning for image recognition";
        Perez et al., 2018, "FiLM" (the modulation, here around one). The division into two stages is ours.
    """

    parts = ("coarse", "fine")

    def __init__(
        self,
        cells: int = 32,
        coarse_channels: Sequence[int] = (48, 96, 128),
        fine_channels: Sequence[int] = (48, 96, 144),
        coarse_blocks: int = 1,
        fine_blocks: int = 1,
        dropout: float = 0.3,
        samples: int = 1,
        keeps_detail: bool = False,
        greys_black: bool = False,
    ) -> None:
        super().__init__()
        if not coarse_channels or not fine_channels or cells % 2 ** (len(coarse_channels) - 1):
            raise ValueError(
                f"cells={cells} must be a multiple of 2**(levels - 1), of at least one level each, got "
                f"coarse_channels={tuple(coarse_channels)} and fine_channels={tuple(fine_channels)}"
            )
        if samples < 1:
            raise ValueError(f"samples={samples} must be at least 1")
        self.cells = cells
        self.samples = samples
        self.stride = 2 ** len(fine_channels)
        self.coarse = ResidualUNet(
            6 if samples == 1 else 6 + 3 * samples**2, 3, coarse_channels, coarse_blocks, dropout
        )
        self.keeps_detail = keeps_detail
        self.greys_black = greys_black
        self.fine = ResidualUNet(4 * 3 + 6, 4 * (4 if keeps_detail else 3), fine_channels, fine_blocks)

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.

        Returns:
            Images of the same shape, not clamped.
        """
        return self.restore(low, self.scene(low))

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile both U-Nets with ``torch.compile``; training calls them one by one."""
        for part in self.parts:
            self.get_submodule(part).compile(*args, **kwargs)

    def scene(self, low: Tensor) -> Scene:
        """Predict the exposure of whole images of shape (B, 3, H, W) in [0, 1], of any size."""
        return self.expose(self.average(low))

    def scene_of_windows(self, windows: Iterable[tuple[Tensor, Window, Window]]) -> Scene:
        """Predict the exposure of a whole image from windows that cover it, given with rows and columns."""
        return self.expose(reduce(torch.add, (self.average(*window) for window in windows)))

    @cached_property
    def window_halo(self) -> int | None:
        """Receptive-field radius of :meth:`restore` under a given scene, in pixels; measured once."""

        def under_grey(low: Tensor) -> Tensor:
            grey = low.new_full((1, 3, self.cells, self.cells), 0.5)
            return self.restore(low, Scene(grey, grey))

        return receptive_radius(self, self.stride, forward=under_grey)

    def average(self, image: Tensor, rows: Window | None = None, columns: Window | None = None) -> Tensor:
        """Average images over the cells of the grid, or over ``samples`` by ``samples`` parts of each.

        A pixel that lies on a border counts for each side by area, so any size is possible.

        Args:
            image: Images of shape (B, 3, H, W), or a window of them.
            rows: Rows of the whole image that the window covers; all by default.
            columns: Columns that the window covers.

        Returns:
            Averages of shape (B, 3, N, N), N being ``cells * samples``; for a window, its contribution.
        """
        down, across = (
            averaging_matrix(window or Window(0, length, length), self.cells * self.samples, image)
            for window, length in zip((rows, columns), image.shape[-2:], strict=True)
        )
        return _product(down, image, across.mT)

    def pool(self, averages: Tensor) -> Tensor:
        """Average the parts of each cell, (B, 3, cells, cells), given the result of :meth:`average`."""
        return averages if self.samples == 1 else F.avg_pool2d(averages, self.samples)

    def expose(self, averages: Tensor) -> Scene:
        """Predict the exposure of images, given the result of :meth:`average`.

        The predictions of :meth:`decide` for all eight flips and rotations are averaged.
        """
        views = torch.cat([turned(averages, way) for way in range(WAYS)])
        decided = self.decide(views).reshape(WAYS, -1, 3, self.cells, self.cells)
        bright = torch.stack([turned(decided[way], way, back=True) for way in range(WAYS)])
        return Scene(self.pool(averages), bright.mean(dim=0))

    def decide(self, averages: Tensor) -> Tensor:
        """Predict bright averages in [0, 1], (B, 3, cells, cells), given the result of :meth:`average`.

        No cell gets darker than it is.
        """
        low = self.pool(averages)
        mean = low.mean(dim=(1, 2, 3), keepdim=True)
        features = [_logarithm(low), ((low + DARK) / (mean + DARK)).log()]
        if self.samples > 1:
            parts = F.pixel_unshuffle(averages, self.samples)
            around = low.repeat_interleave(self.samples**2, dim=1)
            features.append(((parts + DARK) / (around + DARK)).log())
        share: Tensor = self.coarse(torch.cat(features, dim=1)).float().sigmoid()  # of the way to white
        return low + (1 - low) * share

    def restore(
        self, low: Tensor, scene: Scene, rows: Window | None = None, columns: Window | None = None
    ) -> Tensor:
        """Restore images under a given scene, or a window of them.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], H and W multiples of ``stride``.
            scene: Result of :meth:`scene` for the whole images.
            rows: Rows of the whole image that the window covers; all by default.
            columns: Columns that the window covers.

        Returns:
            Images of the same shape, not clamped.
        """
        restored = self.refine(*self.prepare(low, scene, rows, columns))
        if not self.greys_black:
            return restored
        restored = restored.float()
        return torch.lerp(luma(restored), restored, self.colour_kept(low))

    def colour_kept(self, low: Tensor) -> Tensor:
        """Return the share of its colour that each pixel keeps, (B, 1, H, W), if black turns grey.

        It is decided by squares of ``stride`` pixels, each smoothed with its neighbours.
        """
        levels = 255 * low.float()
        mean = F.avg_pool2d(levels, self.stride)
        variance = (F.avg_pool2d(levels**2, self.stride) - mean**2).sum(1, keepdim=True)
        black = 1 / (1 + (luma(mean) / BLACK) ** 4)
        rounded = 1 / (1 + (mean.amin(1, keepdim=True) / ROUNDED) ** 4)
        kept = 1 - black * rounded / (1 + (variance / FLAT) ** 2)
        kept = F.avg_pool2d(kept, 3, stride=1, padding=1, count_include_pad=False)
        return F.interpolate(kept, scale_factor=self.stride, mode="bilinear")

    def prepare(
        self, low: Tensor, scene: Scene, rows: Window | None = None, columns: Window | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute the fine U-Net's input and the image that its residual is added to.

        The arguments are those of :meth:`restore`.

        Returns:
            Features of shape (B, 18, H / 2, W / 2), the first 12 the unshuffled ratio image, and the coarse
            image of shape (B, 3, H, W).
        """
        down, across = (
            interpolation_matrix(window or Window(0, length, length), self.cells, low)
            for window, length in zip((rows, columns), low.shape[-2:], strict=True)
        )
        dark, bright = (_product(down, grid, across.mT) for grid in scene)
        ratio = low * bright / (dark + DARK)
        smooth = F.avg_pool2d(torch.cat([bright, _logarithm(dark)], dim=1), 2)
        return torch.cat([F.pixel_unshuffle(ratio, 2), smooth], dim=1), bright

    def refine(self, features: Tensor, coarse: Tensor) -> Tensor:
        """Restore images of shape (B, 3, H, W) from the results of :meth:`prepare`."""
        restored = F.pixel_shuffle(self.fine(features), 2)
        if not self.keeps_detail:
            return coarse + restored
        ratio = F.pixel_shuffle(features[:, :12], 2).clamp(0, 1)
        residual, weight = restored[:, :3], restored[:, 3:].to(coarse).sigmoid()
        return torch.lerp(coarse, ratio.to(coarse), weight) + residual


def _logarithm(dark: Tensor) -> Tensor:
    """Return the logarithm of dark averages, roughly standardised."""
    return ((dark + DARK) / USUAL).log() / 2


def _product(left: Tensor, image: Tensor, right: Tensor) -> Tensor:
    """Multiply an image by a matrix on either side, in full precision even under autocast."""
    device = image.device.type
    if not torch.is_autocast_enabled(device):
        return left @ image @ right
    with torch.autocast(device, enabled=False):
        return left @ image @ right


def _counts(start: int, stop: int, like: Tensor) -> Tensor:
    """Return integers on a tensor's device as floats of at least 32 bits; bfloat16 skips some from 256 on."""
    return torch.arange(start, stop, device=like.device, dtype=torch.promote_types(like.dtype, torch.float32))


def averaging_matrix(window: Window, cells: int, like: Tensor) -> Tensor:
    """Return the matrix of shape (cells, pixels) that averages a window of an axis over equal cells."""
    pixel = _counts(window.start, window.stop, like)
    size = window.length / cells
    cell = _counts(0, cells, like)[:, None] * size
    shared = torch.minimum(pixel + 1, cell + size) - torch.maximum(pixel, cell)
    return (shared.clamp(min=0) / size).to(like.dtype)


def interpolation_matrix(window: Window, cells: int, like: Tensor) -> Tensor:
    """Return the matrix (pixels, cells) that interpolates linearly between cell centres, constant beyond."""
    pixel = _counts(window.start, window.stop, like)[:, None]
    place = ((pixel + 0.5) * (cells / window.length) - 0.5).clamp(0, cells - 1)
    cell = _counts(0, cells, like)
    return (1 - (place - cell).abs()).clamp(min=0).to(like.dtype)
