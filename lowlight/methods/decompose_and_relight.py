"""Training of a Retinex decomposition first, then of its relighting."""

from collections.abc import Callable
from functools import partial
from typing import final

import torch
from torch import Tensor

from lowlight.illumination import decomposition_loss as published_loss
from lowlight.illumination import structure_smoothness
from lowlight.images import Batch, pad_to_stride
from lowlight.losses import Loss, apply_loss, l1
from lowlight.methods.base import MakeOptimizer, MakeScheduler
from lowlight.methods.in_stages import InStages
from lowlight.model import evaluating
from lowlight.networks.retinexnet import RetinexNet


@final
class DecomposeAndRelight(InStages):
    """Train a :class:`lowlight.networks.retinexnet.RetinexNet`: its decomposition first, then its relighting.

    In the first ``decomposition_epochs`` the decomposition learns from pairs, whose reflectance is the same.
    Then it is frozen, and the relighting learns to make the references.

    Args:
        net: The network, of any decomposition and relighting.
        decomposition_epochs: Number of first epochs that train the decomposition.
        decomposition_loss: Loss of the first stage, with the arguments of
            :func:`lowlight.losses.decomposition_loss`.
        loss: Loss of the enhanced image in the second stage; see :func:`lowlight.losses.apply_loss`.
        smoothness: Weight of :func:`lowlight.illumination.structure_smoothness` of the adjusted illumination
            in the second stage.
        optimizer: Makes the optimizer of both networks from their parameters.
        scheduler: Makes the learning-rate schedule, stepped once per epoch; None keeps the rate.

    Raises:
        ValueError: If ``decomposition_epochs`` is negative.

    Reference:
        Wei et al., 2018, "Deep Retinex decomposition for low-light enhancement", Section 3 (losses; weights
        as in the authors' code).
    """

    FIRST_EPOCHS = "decomposition_epochs"
    net: RetinexNet

    def __init__(
        self,
        net: RetinexNet,
        decomposition_epochs: int,
        decomposition_loss: Callable[..., Tensor] = published_loss,
        loss: Loss = l1,
        smoothness: float = 3.0,
        optimizer: MakeOptimizer = partial(torch.optim.Adam, lr=1e-3),
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(net, decomposition_epochs, optimizer, scheduler)
        self.decomposition_loss = decomposition_loss
        self.loss_function = loss
        self.smoothness = smoothness

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the loss of the raw output, shape (B, 3, H, W), without the illumination's smoothness."""
        return apply_loss(self.loss_function, restored, batch["high"], batch["low"], self.net)

    def first_step(self, batch: Batch) -> Tensor:
        """Return the decomposition's loss; scores are of the dark reflectance in the reference's light."""
        batch = self._padded(batch)
        both = torch.cat([batch["low"], batch["high"]])
        halves = [part.chunk(2) for part in self.net.decomposition(both)]
        of_low, of_high = zip(*halves, strict=True)
        loss = self.decomposition_loss(batch["low"], batch["high"], of_low, of_high)
        self.record(of_low[0] * of_high[1], batch, {"loss": loss})
        return loss

    def second_step(self, batch: Batch) -> Tensor:
        """Return the relighting's loss."""
        batch = self._padded(batch)
        with evaluating(self.net.decomposition):
            reflectance, illumination = self.net.decomposition(batch["low"])
        restored_reflectance, adjusted = self.net.relighting(reflectance, illumination)
        restored = restored_reflectance * adjusted
        loss = self.loss(restored, batch) + self.smoothness * structure_smoothness(adjusted, reflectance)
        self.record(restored, batch, {"loss": loss})
        return loss

    def _padded(self, batch: Batch) -> Batch:
        low, high = (pad_to_stride(image, self.stride) for image in (batch["low"], batch["high"]))
        return {"low": low, "high": high, "name": batch["name"]}
