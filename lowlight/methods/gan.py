"""A conditional generative adversarial network, under manual optimisation with two optimizers."""

from functools import partial
from typing import Any, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from lowlight.images import Batch
from lowlight.losses import AdversarialLoss, Loss, apply_loss, l1, vanilla
from lowlight.methods.base import MakeOptimizer, MakeScheduler, Method


class GAN(Method):
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
        optimizer: Makes the generator's optimizer from its parameters.
        discriminator_optimizer: Makes the discriminator's optimizer.
        scheduler: Makes the learning-rate schedule of either optimizer, stepped once per epoch; None keeps
            the rates.
        gradient_clip: Maximum norm of each network's gradient; None does not clip.
        accumulate: Batches whose gradients are averaged per step; the last step of an epoch may have fewer.
            With ``16-mixed`` precision, whose scale may change between the steps of the two networks, one
            average is then weighted unevenly; ``bf16-mixed`` has no scale.

    Raises:
        ValueError: If ``accumulate`` is below 1 or ``gradient_clip`` not positive.

    Reference:
        Isola et al., 2017, "Image-to-image translation with conditional adversarial networks", Equation 4
        (here with weight 100) and Section 3.3 (halved discriminator loss, Adam at 2e-4 with beta1 0.5).
    """

    manual_settings = frozenset({"gradient_clip", "accumulate"})

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
        super().__init__(net)
        if accumulate < 1:
            raise ValueError(f"accumulate must be at least 1 batch, got {accumulate}")
        if gradient_clip is not None and gradient_clip <= 0:
            raise ValueError(f"gradient_clip must be positive or null, got {gradient_clip}")
        self.automatic_optimization = False
        self.discriminator = discriminator
        self.adversarial = adversarial
        self.pixel = pixel
        self.pixel_weight = pixel_weight
        self.make_optimizers = (optimizer, discriminator_optimizer)
        self.make_scheduler = scheduler
        self.gradient_clip = gradient_clip
        self.accumulate = accumulate

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the generator's adversarial and pixel loss for its raw output, shape (B, 3, H, W)."""
        deceived = self.adversarial(self.discriminator(batch["low"], restored), real=True, generating=True)
        pixel = apply_loss(self.pixel, restored, batch["high"], batch["low"], self.net)
        return deceived.mean() + self.pixel_weight * pixel

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train the discriminator, then the generator."""
        generator_step, discriminator_step = cast(list[LightningOptimizer], self.optimizers())
        is_step = (batch_idx + 1) % self.accumulate == 0 or self.trainer.is_last_batch
        restored = self.restore(batch["low"])

        with discriminator_step.toggle_model(sync_grad=is_step):
            real = self.discriminator(batch["low"], batch["high"])
            fake = self.discriminator(batch["low"], restored.detach())
            discriminator_loss = self._discriminator_loss(real, fake)
            self._descend(discriminator_step, discriminator_loss, is_step)

        with generator_step.toggle_model(sync_grad=is_step):
            generator_loss = self.loss(restored, batch)
            self._descend(generator_step, generator_loss, is_step)

        losses = {
            "loss": generator_loss,
            "generator_loss": generator_loss,
            "discriminator_loss": discriminator_loss,
            "discriminator_accuracy": self._discriminator_accuracy(real.detach(), fake.detach()),
        }
        self.record(restored, batch, losses)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Log the norm of a network's unscaled gradient, then clip it."""
        generator_step, _ = cast(list[Optimizer], self.optimizers(use_pl_optimizer=False))
        if optimizer is generator_step:
            self.log_gradient_norm(self.net, "generator_gradient_norm")
        else:
            self.log_gradient_norm(self.discriminator, "discriminator_gradient_norm")
        if self.gradient_clip is not None:
            self.clip_gradients(optimizer, self.gradient_clip, "norm")

    def configure_optimizers(self) -> Any:
        """Make the optimizers of generator and discriminator, and their schedules, if any."""
        make_generators, make_discriminators = self.make_optimizers
        optimizers = [
            make_generators(self.net.parameters()),
            make_discriminators(self.discriminator.parameters()),
        ]
        if self.make_scheduler is None:
            return optimizers
        return optimizers, [self.make_scheduler(optimizer) for optimizer in optimizers]

    def _discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return (self.adversarial(real, real=True).mean() + self.adversarial(fake, real=False).mean()) / 2

    def _discriminator_accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of patches classified right, each as the class of the lower loss."""
        right_on_real = self.adversarial(real, real=True) < self.adversarial(real, real=False)
        right_on_fake = self.adversarial(fake, real=False) < self.adversarial(fake, real=True)
        return torch.cat((right_on_real.flatten(), right_on_fake.flatten())).float().mean()

    def _descend(self, optimizer: LightningOptimizer, loss: Tensor, is_step: bool) -> None:
        """Accumulate the gradient of ``loss``; if ``is_step``, step and reset it."""
        self.manual_backward(loss / self.accumulate)
        if is_step:
            optimizer.step()
            optimizer.zero_grad()
