"""Restoring licence plates: a GAN whose network also classifies its input."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, cast, final

import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import BinaryConfusionMatrix, MulticlassConfusionMatrix

from lowlight.images import Batch
from lowlight.methods.gan import GAN
from lowlight.metrics.classification import classification_scores
from lowlight.metrics.legibility import legibility
from lowlight.networks.plate_restorer import PlateRestorer

_READABLE = ("unreadable", "readable")


@final
class PlateGAN(GAN):
    """Train a restorer of plates against a PatchGAN, and its two classifiers beside it.

    The generator's optimizer trains the classifiers, too; they share no weights with the generator, so each
    is trained by its own loss. The classifier of problems learns the labels of ``data=plates``; of pairs
    without labels it learns only that their dark image is damaged. References count as undamaged and
    readable. A picture counts as readable where its :func:`lowlight.metrics.legibility.legibility` reaches
    ``least_legibility``.

    Args:
        net: A :class:`lowlight.networks.PlateRestorer`, or a network with its ``classify`` and ``problems``.
        discriminator: As for :class:`lowlight.methods.GAN`.
        classification_weight: Weight of the classifiers' loss; the weights of the others are the GAN's.
        least_legibility: Legibility, in [-1, 1], below which a plate counts as unreadable.
        arguments: All other arguments of :class:`lowlight.methods.GAN`.

    Raises:
        ValueError: If the network has no classifiers, or an argument is refused by the GAN.
    """

    further_val_scores: ClassVar[Collection[str]] = [
        f"{name}_{score}"
        for name in ("problem", "readable")
        for score in ("accuracy", "precision", "recall", "f1")
    ]

    def __init__(
        self,
        net: nn.Module,
        discriminator: nn.Module,
        *,
        classification_weight: float = 1.0,
        least_legibility: float = 0.5,
        **arguments: Any,
    ) -> None:
        if not (hasattr(net, "classify") and hasattr(net, "problems")):
            raise ValueError(
                f"{type(net).__name__} has no classifiers; PlateGAN trains a lowlight.networks.PlateRestorer"
            )
        super().__init__(net, discriminator, **arguments)
        self.classification_weight = classification_weight
        self.least_legibility = least_legibility
        self.classification_loss = torch.zeros(())
        number = len(self.problems)
        self.confusions = nn.ModuleDict(
            {
                f"{stage}_{name}": MulticlassConfusionMatrix(number)
                if name == "problem"
                else BinaryConfusionMatrix()
                for stage in ("val", "test")
                for name in ("problem", "readable")
            }
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """Names of the problems; the first is none."""
        return cast(PlateRestorer, self.net).problems

    def training_problems(self, config: DictConfig) -> Iterator[str]:
        """Yield a warning if the plates' characters would be mirrored or cut; see the base class."""
        if config.data.augment or config.data.patch_size is not None:
            yield (
                "data.augment and data.patch_size would mirror and cut the plates' characters: "
                "data=plates sets them to false and null"
            )

    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the generator's loss for its raw output, shape (B, 3, H, W), plus the classifiers'."""
        self.classification_loss = self._classification_loss(batch)
        return super().loss(restored, batch) + self.classification_weight * self.classification_loss

    def record(self, restored: Tensor, batch: Batch, losses: Mapping[str, Tensor]) -> None:
        """Log the classifiers' loss with the others; see :meth:`lowlight.methods.Method.record`."""
        super().record(restored, batch, {**losses, "classification_loss": self.classification_loss})

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Score a batch and its classification; return its enhanced images, rounded to 8 bits."""
        self._count("val", batch)
        return super().validation_step(batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Score a batch and its classification; return its enhanced images, rounded to 8 bits."""
        self._count("test", batch)
        return super().test_step(batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        """Log the validation scores, those of the classifiers as ``val/problem_f1`` and so on."""
        super().on_validation_epoch_end()
        self._log_confusions("val")

    def on_test_epoch_end(self) -> None:
        """Log the test scores; keep the confusion matrices in ``test_details``."""
        super().on_test_epoch_end()
        self.test_details = self._log_confusions("test")

    def _classification_loss(self, batch: Batch) -> Tensor:
        low, high = batch["low"], batch["high"]
        label = self._labels(batch)
        problems, readable = cast(PlateRestorer, self.net).classify(torch.cat([low, high]))
        of_low, of_high = problems.float().chunk(2)
        named = F.cross_entropy(of_low, label.clamp(min=0), reduction="none")
        any_damage = of_low.logsumexp(1) - of_low[:, 1:].logsumexp(1)
        found = torch.where(label >= 0, named, any_damage).mean()
        clean = F.cross_entropy(of_high, torch.zeros_like(label))
        wanted = torch.cat([self._readable(batch).float(), torch.ones_like(label).float()])
        # References are as frequent as all problems together, and easier than a good photograph of a plate.
        return found + 0.25 * clean + F.binary_cross_entropy_with_logits(readable.float(), wanted)

    def _labels(self, batch: Batch) -> Tensor:
        label = batch.get("label")
        if label is None:
            return torch.full((len(batch["low"]),), -1, device=batch["low"].device)
        if int(label.max()) >= len(self.problems):
            raise ValueError(
                f"the data's label {int(label.max())} is beyond the {len(self.problems)} classes of "
                "method.net.problems"
            )
        return label

    def _readable(self, batch: Batch) -> Tensor:
        return legibility(batch["low"], batch["high"]) >= self.least_legibility

    def _count(self, stage: str, batch: Batch) -> None:
        """Add a batch to the confusion matrices; pairs without a label count as readable or not only."""
        problems, readable = cast(PlateRestorer, self.net).classify(batch["low"])
        label = self._labels(batch)
        if (named := label >= 0).any():
            self.confusions[f"{stage}_problem"].update(problems[named].argmax(1), label[named])  # type: ignore[operator]
        self.confusions[f"{stage}_readable"].update((readable > 0).int(), self._readable(batch).int())  # type: ignore[operator]

    def _log_confusions(self, stage: str) -> dict[str, Any]:
        """Log the classifiers' scores and reset the matrices; return these, true classes in rows."""
        details: dict[str, Any] = {}
        for name, classes in (("problem", self.problems), ("readable", _READABLE)):
            matrix = cast(MulticlassConfusionMatrix, self.confusions[f"{stage}_{name}"])
            if not matrix.update_called:
                continue
            counts = matrix.compute()
            scores = classification_scores(counts)
            self.log_dict({f"{stage}/{name}_{key}": value for key, value in scores.items()})
            details[f"{name}_confusion"] = {"classes": list(classes), "counts": counts.tolist()}
            matrix.reset()
        return details
