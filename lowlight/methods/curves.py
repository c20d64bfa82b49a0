"""Training of illumination curves without references."""

from functools import partial
from typing import final

import torch
from torch import Tensor

from lowlight.images import Batch, pad_to_stride
from lowlight.losses import Loss, apply_loss
from lowlight.methods.base import MakeOptimizer, MakeScheduler
from lowlight.methods.single_optimizer import SingleOptimizer
from lowlight.networks.illumination_curves import IlluminationCurves
from lowlight.reference_free import illumination_smoothness


@final
class Curves(SingleOptimizer):
    """Train :class:`lowlight.networks.IlluminationCurves` by losses on its images and on its maps.

    Args:
        net: The network.
        loss: Loss of the brightened images, such as a sum of :func:`lowlight.losses.spatial_consistency`,
            ``exposure_control`` and ``colour_constancy``; see :func:`lowlight.losses.apply_loss`.
        smoothness: Weight of :func:`lowlight.reference_free.illumination_smoothness` of the maps.
        optimizer: Makes the optimizer from the network's parameters.
        scheduler: Makes the learning-rate schedule, stepped once per epoch; None keeps the rate.
    """

    net: IlluminationCurves
    needs_references = False

    def __init__(
        self,
        net: IlluminationCurves,
        loss: Loss,
        smoothness: float = 200.0,
        optimizer: MakeOptimizer = partial(torch.optim.Adam, lr=1e-4, weight_decay=1e-4),
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        self.loss_function = loss
        self.smoothness = smoothness

    @property
    def training_stride(self) -> int:
        """Multiple, in pixels, to which training images are padded: maps are then estimated at full size."""
        return 1

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the loss of brightened images, shape (B, 3, H, W), and of their maps."""
        return self._objective(restored, self.net.maps(pad_to_stride(batch["low"], self.stride)), batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        maps = self.net.maps(batch["low"])
        restored = self.net.bend(batch["low"], maps)
        loss = self._objective(restored, maps, batch)
        self.record(restored, batch, {"loss": loss})
        return loss

    def _objective(self, restored: Tensor, maps: Tensor, batch: Batch) -> Tensor:
        of_images = apply_loss(self.loss_function, restored, batch["high"], batch["low"], self.net)
        return of_images + self.smoothness * illumination_smoothness(maps)
