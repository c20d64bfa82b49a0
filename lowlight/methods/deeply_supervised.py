"""Training of a network whose intermediate images are supervised, too."""

from functools import partial
from typing import cast, final

import torch
from torch import Tensor, nn

from lowlight.images import Batch, pad_to_stride
from lowlight.losses import Loss, apply_loss, charbonnier
from lowlight.methods.base import MakeOptimizer, MakeScheduler
from lowlight.methods.single_optimizer import SingleOptimizer
from lowlight.networks.staged import Staged


@final
class DeeplySupervised(SingleOptimizer):
    """Train a network that makes an image after each stage by one loss on all of them.

    The training loss is that of the last image plus the weighted losses of the earlier ones. Validation and
    test see the last image only, in their loss, too.

    Args:
        net: A :class:`lowlight.networks.staged.Staged` image network.
        loss: Loss of a raw output, with or without a reference; see :func:`lowlight.losses.apply_loss`.
        earlier_weight: Weight of the loss of each image but the last, whose weight is 1.
        optimizer: Makes the optimizer from the network's parameters.
        scheduler: Makes the learning-rate schedule, stepped once per epoch; None keeps the rate.

    Raises:
        ValueError: If the network has no ``stages``, or the weight is negative.

    Reference:
        Lee et al., 2015, "Deeply-supervised nets".
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss = charbonnier,
        earlier_weight: float = 0.5,
        optimizer: MakeOptimizer = partial(torch.optim.AdamW, lr=1e-3),
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        if not isinstance(net, Staged):
            raise ValueError(
                f"{type(net).__name__} makes no image per stage: it needs a method stages(low), see TPET"
            )
        if earlier_weight < 0:
            raise ValueError(f"earlier_weight={earlier_weight} cannot be negative")
        self.loss_function = loss
        self.earlier_weight = earlier_weight

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the loss of one image's raw output, shape (B, 3, H, W)."""
        return apply_loss(self.loss_function, restored, batch["high"], batch["low"], self.net)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch, summed over the stages; log each stage's."""
        height, width = batch["low"].shape[-2:]
        padded = pad_to_stride(batch["low"], self.stride).contiguous(memory_format=torch.channels_last)
        images = [image[..., :height, :width] for image in cast(Staged, self.net).stages(padded)]
        *earlier, last = (self.loss(image, batch) for image in images)
        loss = last + self.earlier_weight * sum(earlier, torch.zeros_like(last))
        stages = {f"loss_stage{number}": one for number, one in enumerate([*earlier, last], start=1)}
        self.record(images[-1], batch, {"loss": loss, **stages})
        return loss
