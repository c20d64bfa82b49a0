"""Training in two stages, one after the other: exposure, then restoration."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, final

import torch
from omegaconf import DictConfig
from torch import Tensor
from torch.nn import functional as F

from lowlight.adjustments import adjust_exposure, mean_luma, stops_to_mean
from lowlight.images import Batch, pad_to_stride
from lowlight.losses import Loss, apply_loss, charbonnier, exposure_matched
from lowlight.methods.base import MakeOptimizer, MakeScheduler
from lowlight.methods.in_stages import InStages
from lowlight.model import evaluating
from lowlight.networks.coarse_to_fine import DARK, WAYS, CoarseToFine, turned
from lowlight.networks.two_pass import Window

_SHOWING = 256
"""Least side of crops, in pixels, from which the exposure of the whole can be learnt."""


@final
class TwoStages(InStages):
    """Train a :class:`lowlight.networks.CoarseToFine`: its coarse stage first, then its fine stage.

    Batches are whole images of one size. In the first ``coarse_epochs`` the coarse stage learns the local
    averages of the references. A dark image hardly determines the exposure of its reference, which would soon
    be memorised, so the exposure of the dark images is varied at random. The loss is Charbonnier, plus
    Charbonnier after matching the exposure, plus a small squared error of logarithms, which emphasises dark
    parts. Then the coarse stage is frozen, and the fine stage learns on crops, given the coarse stage's
    result for the whole image with its exposure adjusted to the reference's: it learns to restore, not to
    guess an exposure that neither crop nor image shows. The references' exposure may be changed at random as
    well, so that users can choose another one.

    Batches are flipped and turned at random, to cover upright photographs, and some dark images are
    brightened in parts, so that the network learns to leave bright parts beside dark ones as they are.

    Args:
        net: The network.
        coarse_epochs: Number of first epochs that train the coarse stage.
        loss: Loss of the fine stage's raw output on crops; see :func:`lowlight.losses.apply_loss`.
        log_weight: Weight of the squared error of logarithms in the coarse stage's loss.
        matched_weight: Weight of :func:`lowlight.losses.exposure_matched` in the coarse stage's loss.
        brighten: Share of dark images that are blended with their references by weights that vary smoothly
            over the image, in [0, 1].
        exposure: Standard deviation of the logarithm of the random factor on the coarse stage's dark images;
            0 leaves them unchanged.
        reference_exposure: Whether the coarse result is adjusted to the reference's mean luma for the fine
            stage; see :func:`lowlight.adjustments.adjust_exposure`.
        reference_stops: Standard deviation in stops of a random change of the references' exposure in the
            fine stage; 0 leaves them unchanged.
        patch_size: Side of the fine stage's crops in pixels; smaller images are not cropped.
        patches: Crops per image of a batch.
        optimizer: Makes the optimizer of both stages from their parameters.
        coarse_decay: Weight decay of the coarse stage; the fine stage has the optimizer's own.
        scheduler: Makes the learning-rate schedule, stepped once per epoch; None keeps the rate.

    Raises:
        ValueError: If ``coarse_epochs`` is negative, ``patches`` is below 1, ``patch_size`` is no multiple of
            the network's stride, or ``brighten`` is outside [0, 1].
    """

    FIRST_EPOCHS = "coarse_epochs"
    net: CoarseToFine

    def __init__(
        self,
        net: CoarseToFine,
        coarse_epochs: int,
        loss: Loss = charbonnier,
        log_weight: float = 0.02,
        matched_weight: float = 2.0,
        brighten: float = 0.2,
        exposure: float = 0.15,
        reference_exposure: bool = True,
        reference_stops: float = 0.0,
        patch_size: int = 160,
        patches: int = 4,
        optimizer: MakeOptimizer = partial(torch.optim.AdamW, lr=1e-3),
        coarse_decay: float = 0.05,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(net, coarse_epochs, optimizer, scheduler)
        if patches < 1:
            raise ValueError(f"patches={patches} must be at least 1")
        if not 0 <= brighten <= 1:
            raise ValueError(f"brighten={brighten} must be in [0, 1]")
        if patch_size < 1 or patch_size % self.stride:
            raise ValueError(
                f"patch_size={patch_size} must be a multiple of the network's stride, {self.stride}"
            )
        self.loss_function = loss
        self.log_weight = log_weight
        self.matched_weight = matched_weight
        self.brighten = brighten
        self.exposure = exposure
        self.reference_exposure = reference_exposure
        self.reference_stops = reference_stops
        self.patch_size = patch_size
        self.patches = patches
        self.coarse_decay = coarse_decay

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the loss of the raw output, shape (B, 3, H, W)."""
        return apply_loss(self.loss_function, restored, batch["high"], batch["low"], self.net)

    def training_problems(self, config: DictConfig) -> Iterator[str]:
        """Yield a warning per setting under which the first stage sees too little or the second none."""
        yield from super().training_problems(config)
        patch = config.data.get("patch_size")
        if patch is not None and patch < _SHOWING:
            yield (
                f"crops of {patch} pixels do not show the exposure of the whole, which "
                f"method={config.method.name} learns: set data.patch_size=null, or {_SHOWING} or more"
            )

    def prepare_benchmark(self, side: int) -> None:
        """Train the fine stage only, which takes most of the time, on one crop per image."""
        self.first_epochs, self.patches, self.patch_size = 0, 1, side + -side % self.stride

    def _brightened(self, batch: Batch) -> Batch:
        """Blend some dark images with their references, by weights that vary smoothly over the image."""
        low, high = batch["low"], batch["high"]
        chosen, level, least = torch.rand(3, len(low), 1, 1, 1, device=low.device)
        relief = torch.rand(len(low), 1, 3, 3, device=low.device)
        darkest, brightest = relief.amin(dim=(2, 3), keepdim=True), relief.amax(dim=(2, 3), keepdim=True)
        relief = (relief - darkest) / (brightest - darkest)
        relief = F.interpolate(relief, low.shape[-2:], mode="bilinear", align_corners=True)
        # Part of the image stays dark: nearly all at level 0, a corner at level 1.
        weights = (3 * relief + 2.4 * level - 2.5).clamp(0, 1)
        weights = torch.lerp(0.3 * least, torch.ones_like(least), weights) * (chosen < self.brighten)
        return _like(batch, torch.lerp(low, high, weights), high)

    def first_step(self, batch: Batch) -> Tensor:
        """Return the coarse stage's loss on a batch of whole images, on averages."""
        batch = _turned(batch)
        low, high = self.net.average(batch["low"]), self.net.average(batch["high"])
        # Before brightening: bright parts are to stay as they are.
        factor = (self.exposure * torch.randn(len(low), 1, 1, 1, device=low.device)).exp()
        averages = self._brightened(_like(batch, (low * factor).clamp(max=1), high))
        bright = self.net.decide(averages["low"])
        low, high = self.net.pool(averages["low"]), self.net.pool(averages["high"])
        log_error = ((bright + DARK) / (high + DARK)).log().square().mean()
        loss = (
            charbonnier(bright, high)
            + self.matched_weight * exposure_matched(bright, high)
            + self.log_weight * log_error
        )
        self.record(bright, _like(batch, low, high), {"loss": loss})
        return loss

    def second_step(self, batch: Batch) -> Tensor:
        """Return the fine stage's loss on crops, at the same places in all images of the batch."""
        batch = self._brightened(_turned(batch))
        if self.reference_stops:
            stops = self.reference_stops * torch.randn(len(batch["high"]), 1, 1, 1, device=self.device)
            batch = _like(batch, batch["low"], adjust_exposure(batch["high"], stops))
        low, high = (pad_to_stride(image, self.stride) for image in (batch["low"], batch["high"]))
        with evaluating(self.net.coarse):
            scene = self.net.scene(low)
        if self.reference_exposure:
            bright = adjust_exposure(scene.bright, stops_to_mean(scene.bright, mean_luma(high)))
            scene = scene._replace(bright=bright)
        crops = []
        for _ in range(self.patches):
            rows, columns = (self._place(length) for length in low.shape[-2:])
            dark, bright = (image[..., slice(*rows[:2]), slice(*columns[:2])] for image in (low, high))
            crops.append((dark, bright, *self.net.prepare(dark, scene, rows, columns)))
        dark, bright, features, coarse = (torch.cat(parts) for parts in zip(*crops, strict=True))
        restored = self.net.refine(features, coarse)
        loss = self.loss(restored, _like(batch, dark, bright))
        count = len(low)  # scores are kept per name: the first crop of each image counts
        self.record(restored[:count], _like(batch, dark[:count], bright[:count]), {"loss": loss})
        return loss

    def _place(self, length: int) -> Window:
        """Draw the position of a crop along an axis of ``length`` pixels."""
        side = min(self.patch_size, length)
        start = int(torch.randint(length - side + 1, ()))
        return Window(start, start + side, length)

    def parameter_groups(self) -> Iterable[dict[str, Any]]:
        """Return the parameters of both stages; the coarse one has its own weight decay."""
        return [
            {"params": list(self.net.coarse.parameters()), "weight_decay": self.coarse_decay},
            {"params": list(self.net.fine.parameters())},
        ]


def _turned(batch: Batch) -> Batch:
    """Flip and turn a batch at random."""
    way = int(torch.randint(WAYS, ()))
    return _like(batch, turned(batch["low"], way), turned(batch["high"], way))


def _like(batch: Batch, low: Tensor, high: Tensor) -> Batch:
    """Return images derived from a batch, with its names."""
    return {"low": low, "high": high, "name": batch["name"]}
