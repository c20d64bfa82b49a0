"""Training of an illumination without references, in stages that a module calibrates."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import chain
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.illumination import guided_smoothness
from lowlight.images import Batch
from lowlight.methods.base import MakeOptimizer, MakeScheduler
from lowlight.methods.single_optimizer import SingleOptimizer
from lowlight.networks.sci import SCI


@final
class SelfCalibrated(SingleOptimizer):
    """Train a :class:`lowlight.networks.sci.SCI` in stages that share its weights, without references.

    Each stage estimates the illumination of what it is given: the first of the dark image, each further one
    of the dark image plus what ``calibration`` makes of the stage before. The illumination of each stage
    should be what it was given, and smooth. Afterwards one stage is enough, so ``calibration`` is part of the
    training alone, and of its checkpoints.

    The running statistics of the network's batch normalisation are those of the first stage, the only one
    that is run afterwards. Batch normalisation by itself would average all stages into them, whose images
    differ by far until the calibration has converged: after 112 epochs of 18 batches, enhanced images came
    back nearly white.

    Args:
        net: The network.
        calibration: Maps enhanced images of shape (B, 3, H, W) in [0, 1] to what is added to the dark ones.
        stages: Stages in training; 1 trains without calibration.
        fidelity: Weight of the mean squared distance of an illumination from what its stage was given.
        smoothness: Weight of :func:`lowlight.illumination.guided_smoothness`.
        sigma: Its colour distance.
        optimizer: Makes the optimizer from the parameters of network and calibration.
        scheduler: Makes the learning-rate schedule, stepped once per epoch; None keeps the rate.

    Raises:
        ValueError: If ``stages`` is below 1.

    Reference:
        Ma et al., 2022, "Toward fast, flexible, and robust low-light image enhancement", Section 2.
    """

    net: SCI
    needs_references = False

    def __init__(
        self,
        net: SCI,
        calibration: nn.Module,
        stages: int = 3,
        fidelity: float = 1.5,
        smoothness: float = 1.0,
        sigma: float = 0.1,
        optimizer: MakeOptimizer = partial(torch.optim.Adam, lr=3e-4, weight_decay=3e-4),
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        if stages < 1:
            raise ValueError(f"stages={stages} must be at least 1")
        self.calibration = calibration
        self.stages = stages
        self.fidelity = fidelity
        self.smoothness = smoothness
        self.sigma = sigma

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the loss of all stages on the dark images, which are run again."""
        del restored
        return self._cascade(batch["low"])[1]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch, the sum over stages."""
        restored, loss = self._cascade(batch["low"])
        self.record(restored, batch, {"loss": loss})
        return loss

    def _cascade(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first stage's image, the only one at test time, and the loss of all stages."""
        given = low
        images: list[Tensor] = []
        losses: list[Tensor] = []
        for stage in range(self.stages):
            if stage:
                given = low + self.calibration(images[-1].clamp(0, 1))
            with _statistics_kept(self.net) if stage else nullcontext():
                illumination = self.net.illumination(given)
            images.append(low / illumination)
            losses.append(
                self.fidelity * F.mse_loss(illumination.float(), given.float())
                + self.smoothness * guided_smoothness(illumination, given, self.sigma)
            )
        return images[0], torch.stack(losses).sum()

    def parameter_groups(self) -> Iterable[nn.Parameter]:
        """Return the parameters of the network, then those of the calibration."""
        return chain(self.net.parameters(), self.calibration.parameters())


@contextmanager
def _statistics_kept(net: nn.Module) -> Iterator[None]:
    """Leave the running statistics of batch normalisation as they are."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
