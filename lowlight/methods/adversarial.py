"""Manual optimisation of a generator and its discriminator in turn."""

from abc import abstractmethod
from typing import Any, cast

from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from lowlight.images import Batch
from lowlight.methods.base import MakeOptimizer, MakeScheduler, Method


class Adversarial(Method):
    """Train a generator and a discriminator in turn, each by an optimizer of its own.

    Each batch trains the discriminator on the generator's image, detached, then the generator through the
    updated discriminator. The generator's image is computed once.

    Abstract base; its subclasses implement ``loss``, the generator's, and ``judge``.

    Args:
        net: The generator, any image network; see :class:`lowlight.methods.Method`.
        discriminator: The discriminator, or several in one module.
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
    """

    manual_settings = frozenset({"gradient_clip", "accumulate"})

    def __init__(
        self,
        net: nn.Module,
        discriminator: nn.Module,
        optimizer: MakeOptimizer,
        discriminator_optimizer: MakeOptimizer,
        scheduler: MakeScheduler | None,
        gradient_clip: float | None,
        accumulate: int,
    ) -> None:
        super().__init__(net)
        if accumulate < 1:
            raise ValueError(f"accumulate must be at least 1 batch, got {accumulate}")
        if gradient_clip is not None and gradient_clip <= 0:
            raise ValueError(f"gradient_clip must be positive or null, got {gradient_clip}")
        self.automatic_optimization = False
        self.discriminator = discriminator
        self.make_optimizers = (optimizer, discriminator_optimizer)
        self.make_scheduler = scheduler
        self.gradient_clip = gradient_clip
        self.accumulate = accumulate

    @abstractmethod
    def judge(self, restored: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the discriminator's loss and its accuracy, both scalars.

        Args:
            restored: Raw output of the generator, detached, shape (B, 3, H, W).
            batch: The images it was computed from.
        """

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train the discriminator, then the generator."""
        generator_step, discriminator_step = cast(list[LightningOptimizer], self.optimizers())
        is_step = (batch_idx + 1) % self.accumulate == 0 or self.trainer.is_last_batch
        restored = self.restore(batch["low"])

        with discriminator_step.toggle_model(sync_grad=is_step):
            discriminator_loss, accuracy = self.judge(restored.detach(), batch)
            self._descend(discriminator_step, discriminator_loss, is_step)

        with generator_step.toggle_model(sync_grad=is_step):
            generator_loss = self.loss(restored, batch)
            self._descend(generator_step, generator_loss, is_step)

        losses = {
            "loss": generator_loss,
            "generator_loss": generator_loss,
            "discriminator_loss": discriminator_loss,
            "discriminator_accuracy": accuracy,
        }
        self.record(restored, batch, losses)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Log the norm of a network's unscaled gradient, then clip it."""
        generator_step, _ = cast(list[Optimizer], self.optimizers(use_pl_optimizer=False))
        part = "generator" if optimizer is generator_step else "discriminator"
        self.log_gradient_norm(optimizer, f"{part}_gradient_norm")
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

    def _descend(self, optimizer: LightningOptimizer, loss: Tensor, is_step: bool) -> None:
        """Accumulate the gradient of ``loss``; if ``is_step``, step and reset it."""
        self.manual_backward(loss / self.accumulate)
        if is_step:
            optimizer.step()
            optimizer.zero_grad()
