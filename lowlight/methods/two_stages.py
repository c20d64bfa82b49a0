"""A network of two stages, trained one after the other: the exposure first, the restoration under it."""

from functools import partial
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from lowlight.images import Pair, pad_to_stride
from lowlight.losses import Loss, charbonnier, exposure_matched
from lowlight.methods.base import MakeOptimizer, MakeScheduler, Method, evaluating, scheduled
from lowlight.networks.coarse_to_fine import DARK, WAYS, CoarseToFine, turned
from lowlight.networks.two_pass import Window


@final
class TwoStages(Method):
    """Train a :class:`lowlight.networks.CoarseToFine`: its exposure first, then its restoration under it.

    Batches are whole images of one size. In the first ``coarse_epochs`` the coarse stage learns the averages
    of the references, from dark images whose exposure is changed at random: the exposure of a reference can
    hardly be told from its dark image, and would soon be known by heart. Its loss is Charbonnier, the same of
    all but the exposure, and a little of the squared error of logarithms, which minds the dark parts. Then it
    is left as it is, and the fine stage learns on crops under the exposure that the coarse stage gives the
    whole image, multiplied to the mean of the reference: it learns to restore, and not to guess once more
    what neither the crop nor the image shows.

    Each batch is mirrored and turned at random, so that upright photographs are seen, too, and some dark
    images are brightened in parts, so that what is bright is left as it is, beside what is dark.

    Args:
        net: The network.
        coarse_epochs: The first epochs, in which the coarse stage is trained.
        loss: The fine stage's, of its raw output and the reference, both crops.
        log_weight: Weight of the squared error of logarithms in the coarse stage's loss.
        matched_weight: Weight of :func:`lowlight.losses.exposure_matched` in it.
        brighten: Share of the dark images that are blended with their references, by weights that vary
            smoothly over the image: parts of it are bright already, beside others that are dark.
        exposure: Standard deviation of the logarithm of the factor by which its dark images are made
            brighter or darker; 0 leaves them.
        reference_exposure: Whether the coarse exposure is multiplied to the mean of the reference before the
            fine stage learns under it.
        patch_size: Side of the fine stage's crops in pixels; smaller images are not cropped.
        patches: Crops taken of each image of a batch.
        optimizer: Makes the optimizer of both stages from their parameters.
        coarse_decay: Weight decay of the coarse stage; the optimizer's own is the fine one's.
        scheduler: Makes the learning-rate schedule, stepped each epoch; None keeps the rate.

    Raises:
        ValueError: If ``coarse_epochs`` is negative, there are no crops, their side is no multiple of the
            network's stride, or ``brighten`` is out of its range.
    """

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
        patch_size: int = 160,
        patches: int = 4,
        optimizer: MakeOptimizer = partial(torch.optim.AdamW, lr=1e-3),
        coarse_decay: float = 0.05,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(net)
        if coarse_epochs < 0 or patches < 1:
            raise ValueError(
                f"coarse_epochs={coarse_epochs} must be at least 0 and patches={patches} at least 1"
            )
        if not 0 <= brighten <= 1:
            raise ValueError(f"brighten={brighten} must be in [0, 1]")
        if patch_size < 1 or patch_size % self.stride:
            raise ValueError(
                f"patch_size={patch_size} must be a multiple of the network's stride, {self.stride}"
            )
        self.coarse_epochs = coarse_epochs
        self.loss_function = loss
        self.log_weight = log_weight
        self.matched_weight = matched_weight
        self.brighten = brighten
        self.exposure = exposure
        self.reference_exposure = reference_exposure
        self.patch_size = patch_size
        self.patches = patches
        self.make_optimizer = optimizer
        self.coarse_decay = coarse_decay
        self.make_scheduler = scheduler

    def loss(self, restored: Tensor, batch: Pair) -> Tensor:
        """Compare the raw output of shape (B, 3, H, W) with the reference."""
        return self.loss_function(restored, batch["high"])

    def training_step(self, batch: Pair, batch_idx: int) -> Tensor:
        """Return the loss of a batch of whole images, of the stage whose turn it is."""
        way = int(torch.randint(WAYS, ()))
        batch = _like(batch, turned(batch["low"], way), turned(batch["high"], way))
        is_coarse = self.current_epoch < self.coarse_epochs
        return self._expose(batch) if is_coarse else self._restore(batch)

    def _brightened(self, batch: Pair) -> Pair:
        """Blend some of the dark images with their references, by weights that vary smoothly over each."""
        low, high = batch["low"], batch["high"]
        chosen, level, least = torch.rand(3, len(low), 1, 1, 1, device=low.device)
        relief = torch.rand(len(low), 1, 3, 3, device=low.device)
        darkest, brightest = relief.amin(dim=(2, 3), keepdim=True), relief.amax(dim=(2, 3), keepdim=True)
        relief = (relief - darkest) / (brightest - darkest)
        relief = F.interpolate(relief, low.shape[-2:], mode="bilinear", align_corners=True)
        # A part always stays dark: from nearly all of it (level 0) to a corner (level 1).
        weights = (3 * relief + 2.4 * level - 2.5).clamp(0, 1)
        weights = torch.lerp(0.3 * least, torch.ones_like(least), weights) * (chosen < self.brighten)
        return _like(batch, torch.lerp(low, high, weights), high)

    def _expose(self, batch: Pair) -> Tensor:
        """Train the coarse stage on averages."""
        low, high = self.net.average(batch["low"]), self.net.average(batch["high"])
        # Before bright parts are put in, which are to stay as they are.
        factor = (self.exposure * torch.randn(len(low), 1, 1, 1, device=low.device)).exp()
        averages = self._brightened(_like(batch, (low * factor).clamp(max=1), high))
        low, high = averages["low"], averages["high"]
        bright = self.net.decide(low)
        log_error = ((bright + DARK) / (high + DARK)).log().square().mean()
        loss = (
            charbonnier(bright, high)
            + self.matched_weight * exposure_matched(bright, high)
            + self.log_weight * log_error
        )
        self.record(bright, averages, {"loss": loss})
        return loss

    def _restore(self, batch: Pair) -> Tensor:
        """Train the fine stage on crops, all images of the batch cut at the same places."""
        batch = self._brightened(batch)
        low, high = (pad_to_stride(image, self.stride) for image in (batch["low"], batch["high"]))
        with evaluating(self.net.coarse):
            scene = self.net.scene(low)
        if self.reference_exposure:
            wanted, given = (image.mean(dim=(1, 2, 3), keepdim=True) for image in (high, scene.bright))
            scene = scene._replace(bright=(scene.bright * (wanted / given)).clamp(max=1))
        crops = []
        for _ in range(self.patches):
            rows, columns = (self._place(length) for length in low.shape[-2:])
            dark, bright = (image[..., slice(*rows[:2]), slice(*columns[:2])] for image in (low, high))
            crops.append((dark, bright, *self.net.prepare(dark, scene, rows, columns)))
        dark, bright, features, coarse = (torch.cat(parts) for parts in zip(*crops, strict=True))
        restored = self.net.refine(features, coarse)
        loss = self.loss(restored, _like(batch, dark, bright))
        count = len(low)  # scores have one value a name: that of each image's first crop
        self.record(restored[:count], _like(batch, dark[:count], bright[:count]), {"loss": loss})
        return loss

    def _place(self, length: int) -> Window:
        """Choose where a crop lies along an axis."""
        side = min(self.patch_size, length)
        start = int(torch.randint(length - side + 1, ()))
        return Window(start, start + side, length)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Log the norm of the gradient that the network is about to follow, before any clipping."""
        self.log_gradient_norm(self.net, "gradient_norm")

    def configure_optimizers(self) -> Any:
        """Make the optimizer of both stages and, if wanted, its schedule."""
        groups: list[dict[str, Any]] = [
            {"params": list(self.net.coarse.parameters()), "weight_decay": self.coarse_decay},
            {"params": list(self.net.fine.parameters())},
        ]
        return scheduled(self.make_optimizer(groups), self.make_scheduler)


def _like(batch: Pair, low: Tensor, high: Tensor) -> Pair:
    """Return images that were made from a batch's, under its names."""
    return {"low": low, "high": high, "name": batch["name"]}
