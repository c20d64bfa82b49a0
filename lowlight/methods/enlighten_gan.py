"""EnlightenGAN: adversarial training without pairs."""

from functools import partial
from typing import cast, final

import torch
from torch import Tensor, nn

from lowlight.images import Batch
from lowlight.losses import AdversarialLoss, Loss, apply_loss, least_squares
from lowlight.methods.adversarial import Adversarial
from lowlight.methods.base import MakeOptimizer, MakeScheduler
from lowlight.networks.enlighten_gan import TwoDiscriminators
from lowlight.perceptual import structure_loss


def relativistic(
    real: Tensor, fake: Tensor, *, generating: bool, loss: AdversarialLoss = least_squares
) -> Tensor:
    """Return the loss of scores relative to the mean of the other images' scores, halved as published.

    Args:
        real: A discriminator's scores of real images, any shape.
        fake: Its scores of enhanced images, any shape.
        generating: Whether the generator is being trained, whose images should look more real than the real
            ones.
        loss: Loss of the relative scores.

    Returns:
        The loss, a scalar.

    Reference:
        Jolicoeur-Martineau, 2019, "The relativistic discriminator: a key element missing from standard GAN";
        Jiang et al., 2021, "EnlightenGAN", Equations 3 and 4.
    """
    above, below = real - fake.mean(), fake - real.mean()
    return (loss(above, real=not generating).mean() + loss(below, real=generating).mean()) / 2


@final
class EnlightenGAN(Adversarial):
    """Train a generator on dark images and on bright ones of other scenes.

    ``batch["high"]`` holds the bright images; no loss compares them with the dark ones pixel by pixel. A
    discriminator of whole images, relativistic, and one of random patches compare enhanced with bright
    images. Whole images and patches shall keep the features of their dark originals.

    Args:
        net: The generator.
        discriminator: A :class:`lowlight.networks.enlighten_gan.TwoDiscriminators`, or a module with its
            ``whole`` and ``patch``.
        preserving: Loss between enhanced and dark images that ignores exposure:
            :func:`lowlight.perceptual.self_feature_loss` as published, which needs a file of VGG's weights,
            or :func:`lowlight.perceptual.structure_loss`, which needs none.
        preserving_weight: Weight of ``preserving`` of whole images plus that of patches.
        patch_size: Side of the patches in pixels.
        patches: Patches per image, each at the same place of all images of a batch.
        optimizer: Makes the generator's optimizer from its parameters.
        discriminator_optimizer: Makes the optimizer of both discriminators.
        scheduler: As the arguments after it, see :class:`lowlight.methods.adversarial.Adversarial`.

    Raises:
        ValueError: If the discriminator lacks one of the two, a size is below 1 or a setting negative.

    Reference:
        Jiang, Gong, Liu, Cheng, Fang, Shen, Yang, Zhou and Wang, 2021, "EnlightenGAN: Deep Light Enhancement
        Without Paired Supervision"; halves and numbers as in the authors' code.

    Differs from the authors' code: the discriminators are trained before the generator, not after it; dark
    images are not darkened further at random.
    """

    unpaired = True

    def __init__(
        self,
        net: nn.Module,
        discriminator: nn.Module,
        preserving: Loss = structure_loss,
        preserving_weight: float = 1.0,
        patch_size: int = 32,
        patches: int = 6,
        optimizer: MakeOptimizer = partial(torch.optim.Adam, lr=1e-4, betas=(0.5, 0.999)),
        discriminator_optimizer: MakeOptimizer = partial(torch.optim.Adam, lr=1e-4, betas=(0.5, 0.999)),
        scheduler: MakeScheduler | None = None,
        gradient_clip: float | None = None,
        accumulate: int = 1,
    ) -> None:
        if not (hasattr(discriminator, "whole") and hasattr(discriminator, "patch")):
            raise ValueError(
                f"{type(discriminator).__name__} does not judge whole images and patches apart; EnlightenGAN "
                "needs lowlight.networks.enlighten_gan.TwoDiscriminators"
            )
        if patch_size < 1 or patches < 1 or preserving_weight < 0:
            raise ValueError(
                f"patch_size={patch_size} and patches={patches} must be at least 1, and "
                f"preserving_weight={preserving_weight} at least 0"
            )
        super().__init__(
            net, discriminator, optimizer, discriminator_optimizer, scheduler, gradient_clip, accumulate
        )
        self.preserving = preserving
        self.preserving_weight = preserving_weight
        self.patch_size = patch_size
        self.patches = patches

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the generator's loss for its raw output, shape (B, 3, H, W): Equation 7."""
        judges, low = cast(TwoDiscriminators, self.discriminator), batch["low"]
        with torch.no_grad():
            real = judges.whole(batch["high"])
        whole = relativistic(real, judges.whole(restored), generating=True)
        patches, low_patches = self.cut(restored, low)
        local = least_squares(judges.patch(patches), real=True, generating=True).mean()
        preserved = self._preserved(restored, low) + self._preserved(patches, low_patches)
        return whole + local + self.preserving_weight * preserved

    def judge(self, restored: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the summed loss of both discriminators, and the accuracy of both on all their scores."""
        judges = cast(TwoDiscriminators, self.discriminator)
        real, fake = judges.whole(batch["high"]), judges.whole(restored)
        real_patches, fake_patches = (judges.patch(one) for one in self.cut(batch["high"], restored))
        local = least_squares(real_patches, real=True).mean() + least_squares(fake_patches, real=False).mean()
        right = [real - fake.mean() > 0.5, fake - real.mean() < 0.5, real_patches > 0.5, fake_patches < 0.5]
        accuracy = torch.cat([one.flatten() for one in right]).float().mean()
        return relativistic(real, fake, generating=False) + local / 2, accuracy

    def cut(self, *images: Tensor) -> list[Tensor]:
        """Cut patches at random places, the same from all images; in evaluation always at the same places.

        Args:
            images: Batches of one shape (B, 3, H, W).

        Returns:
            Patches of each batch, shape (patches * B, 3, h, w); their sides are ``patch_size``, or those of
            the images if these are smaller.
        """
        sides = [min(self.patch_size, side) for side in images[0].shape[-2:]]
        generator = None if self.training else torch.Generator().manual_seed(0)
        places = [
            torch.randint(whole - side + 1, (self.patches,), generator=generator).tolist()
            for whole, side in zip(images[0].shape[-2:], sides, strict=True)
        ]
        windows = [
            (..., slice(top, top + sides[0]), slice(left, left + sides[1]))
            for top, left in zip(*places, strict=True)
        ]
        return [torch.cat([image[window] for window in windows]) for image in images]

    def _preserved(self, restored: Tensor, low: Tensor) -> Tensor:
        return apply_loss(self.preserving, restored, low, low, self.net)
