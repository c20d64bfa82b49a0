"""A conditional generative adversarial network, under manual optimisation with two optimizers."""

from functools import partial

import torch
from torch import Tensor, nn

from lowlight.images import Batch
from lowlight.losses import AdversarialLoss, Loss, apply_loss, l1, vanilla
from lowlight.methods.adversarial import Adversarial
from lowlight.methods.base import MakeOptimizer, MakeScheduler


class GAN(Adversarial):
    """Train a generator and a discriminator in turn.

    Each batch trains the discriminator on the reference and on the generator's image, detached, by half of
    the summed loss, then the generator through the updated discriminator and against the reference. The
    generator's image is computed once.

    Args:
        net: The generator, any image network; see :class:`lowlight.methods.Method`.
        discriminator: Maps (low, image), two batches of shape (B, 3, H, W) in [0, 1], to logits.
        adversarial: Loss of the logits: :func:`lowlight.losses.vanilla`, ``least_squares`` or ``hinge``.
        pixel: Loss of the generator's raw output; see :func:`lowlight.losses.apply_loss`.
        pixel_weight: Weight of ``pixel``; the adversarial loss has weight 1.
        optimizer: As the arguments after it, see :class:`lowlight.methods.adversarial.Adversarial`.

    Raises:
        ValueError: If ``accumulate`` is below 1 or ``gradient_clip`` not positive.

    Reference:
        Isola et al., 2017, "Image-to-image translation with conditional adversarial networks", Equation 4
        (here with weight 100) and Section 3.3 (halved discriminator loss, Adam at 2e-4 with beta1 0.5).
    """

    def __init__(
        self,
        net: nn.Module,
        discriminator: nn.Module,
        adversarial: AdversarialLoss = vanilla,
        pixel: Loss = l1,
        pixel_weight: float = 100.0,
        optimizer: MakeOptimizer = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999)),
        discriminator_optimizer: MakeOptimizer = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999)),
        scheduler: MakeScheduler | None = None,
        gradient_clip: float | None = None,
        accumulate: int = 1,
    ) -> None:
        super().__init__(
            net, discriminator, optimizer, discriminator_optimizer, scheduler, gradient_clip, accumulate
        )
        self.adversarial = adversarial
        self.pixel = pixel
        self.pixel_weight = pixel_weight

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the generator's adversarial and pixel loss for its raw output, shape (B, 3, H, W)."""
        deceived = self.adversarial(self.discriminator(batch["low"], restored), real=True, generating=True)
        pixel = apply_loss(self.pixel, restored, batch["high"], batch["low"], self.net)
        return deceived.mean() + self.pixel_weight * pixel

    def judge(self, restored: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the discriminator's loss and accuracy on references and on the generator's images."""
        real = self.discriminator(batch["low"], batch["high"])
        fake = self.discriminator(batch["low"], restored)
        accuracy = self._discriminator_accuracy(real.detach(), fake.detach())
        return self._discriminator_loss(real, fake), accuracy

    def _discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return (self.adversarial(real, real=True).mean() + self.adversarial(fake, real=False).mean()) / 2

    def _discriminator_accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of patches classified right, each as the class of the lower loss."""
        right_on_real = self.adversarial(real, real=True) < self.adversarial(real, real=False)
        right_on_fake = self.adversarial(fake, real=False) < self.adversarial(fake, real=True)
        return torch.cat((right_on_real.flatten(), right_on_fake.flatten())).float().mean()
