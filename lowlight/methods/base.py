"""The base class of all methods: a model with training steps, validation and test scores."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, cast

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lowlight.files import first_line
from lowlight.images import Batch, has_references, round_to_8_bits
from lowlight.metrics import (
    ImageScores,
    Measure,
    all_scores,
    channel,
    channel_accuracy,
    exposure,
    psnr,
    psnr_gtmean,
    ssim,
)
from lowlight.model import Model

log = logging.getLogger(__name__)

MakeOptimizer = Callable[[Iterable[nn.Parameter] | Iterable[dict[str, Any]]], Optimizer]
MakeScheduler = Callable[[Optimizer], LRScheduler]


class Method(Model, pl.LightningModule, ABC):
    """An enhancement method: an image network, its losses and its training step.

    Users call ``enhance``; losses see the network's raw output, ``restore``.

    Abstract base; its subclasses implement ``training_step``, ``configure_optimizers`` and
    ``loss``. Validation and testing are the same for all methods: images at native size, outputs clamped and
    rounded to 8 bits, scores kept per image.

    Args:
        net: The image network; see :class:`lowlight.model.Model`.

    Attributes:
        learns: Whether there is anything to train; a method that learns nothing needs no checkpoint.
        needs_references: Whether the loss uses references; data without them cannot train the method then.
        unpaired: Whether training images need bright images of other scenes in place of their references; see
            :meth:`lowlight.data.PairDataModule.unpair`.
        manual_settings: Which of ``gradient_clip`` and ``accumulate`` a method under manual optimisation
            applies itself, in place of the trainer.
        further_val_scores: Names, without the prefix ``val/``, of scores that its validation logs beside
            those of every method.
        recipe: The method's resolved config as plain containers, stored in its checkpoints; None for a
            method built by hand.
        test_table: Per-image scores of the last test, keyed by image name.
        test_details: Further results of the last test, plain containers, such as a confusion matrix.
    """

    learns: ClassVar[bool] = True
    needs_references: bool = True
    unpaired: ClassVar[bool] = False
    manual_settings: ClassVar[frozenset[str]] = frozenset()
    further_val_scores: ClassVar[Collection[str]] = ()
    test_table: Mapping[str, Mapping[str, float]] = MappingProxyType({})
    test_details: Mapping[str, Any] = MappingProxyType({})
    _lacks_loss = False

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        each_step: dict[str, Measure] = {"psnr": psnr, "channel/accuracy": channel_accuracy}
        each_epoch: dict[str, Measure] = {
            "psnr": psnr,
            "ssim": ssim,
            "psnr_gtmean": psnr_gtmean,
            "exposure": exposure,
            "channel": channel,
        }
        self.train_scores = ImageScores(each_step, prefix="train/")
        self.val_scores = ImageScores(each_epoch, prefix="val/")
        self.test_scores = all_scores()

    @abstractmethod
    def loss(self, restored: Tensor, batch: Batch) -> Tensor:
        """Return the training objective of the image network, a scalar.

        Args:
            restored: Raw output of the network, shape (B, 3, H, W).
            batch: The pairs it was computed from.
        """

    @property
    def training_stride(self) -> int:
        """Multiple, in pixels, to which training images are padded."""
        return self.stride

    def training_problems(self, config: DictConfig) -> Iterator[str]:
        """Yield a warning per setting under which the method would train badly; none by default.

        Args:
            config: A composed ``train`` config.
        """
        yield from ()

    def prepare_benchmark(self, side: int) -> None:
        """Prepare for timing training steps on squares of ``side`` pixels; by default, do nothing."""

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Score a batch; return its enhanced images, rounded to 8 bits."""
        return self._score("val", self.val_scores, batch)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Score a batch; return its enhanced images, rounded to 8 bits."""
        return self._score("test", self.test_scores, batch)

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training scores; step the schedulers that Lightning does not.

        Those are all under manual optimisation; otherwise those of an epoch that ``trainer.max_time`` ended,
        since a run that goes on would lag behind its schedule.

        Lightning calls this before it writes the epoch's checkpoints: the last chance to refuse weights that
        are not finite.

        Raises:
            ValueError: If a weight or a statistic is not finite.
        """
        self._refuse_ruined()
        self._log_scores(self.train_scores)
        if not self.automatic_optimization:
            schedulers = cast(list[LRScheduler] | LRScheduler, self.lr_schedulers() or [])
            for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
                scheduler.step()
        elif not (loop := self.trainer.fit_loop.epoch_loop)._num_ready_batches_reached():
            loop.update_lr_schedulers("epoch", update_plateau_schedulers=False)

    def on_validation_epoch_end(self) -> None:
        """Log the validation scores."""
        self._log_scores(self.val_scores)

    def on_test_epoch_start(self) -> None:
        """Drop the scores of an earlier test."""
        self.test_scores.reset()

    def on_test_epoch_end(self) -> None:
        """Log the test scores and keep the per-image table, both gathered from all processes."""
        self.log_dict(self.test_scores.compute())
        self.test_table = self.test_scores.per_image()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the recipe beside the weights."""
        checkpoint["recipe"] = self.recipe

    def record(self, restored: Tensor, batch: Batch, losses: Mapping[str, Tensor]) -> None:
        """Log the losses of a training batch, averaged over the epoch, and its scores.

        Args:
            restored: Raw output of the network, shape (B, 3, H, W).
            batch: The pairs it was computed from.
            losses: Scalars, keyed by name without the prefix ``train/``.

        Raises:
            ValueError: If a loss is not finite.
        """
        detached = {name: loss.detach() for name, loss in losses.items()}
        if not torch.stack(list(detached.values())).isfinite().all():
            name, value = next((name, float(loss)) for name, loss in detached.items() if not loss.isfinite())
            images = ", ".join(batch["name"])
            raise ValueError(self._stop(f"its {name} is {value} on the images {images}"))
        logged = {f"train/{name}": loss for name, loss in detached.items()}
        self.log_dict(logged, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(batch["low"]))
        with torch.no_grad():
            self.train_scores.update(round_to_8_bits(restored), batch)

    def log_gradient_norm(self, optimizer: Optimizer, name: str) -> None:
        """Log the norm of an optimizer's gradient, averaged over the steps of the epoch.

        Args:
            optimizer: The optimizer, before its step; the gradients of its parameters are unscaled.
            name: Name of the metric without the prefix ``train/``.
        """
        parameters = [one for group in optimizer.param_groups for one in group["params"]]
        norm = nn.utils.get_total_norm([one.grad for one in parameters if one.grad is not None])
        # Under fp16 the scaler skips the step of a gradient that overflows, and halves its scale.
        if self.trainer.precision != "16-mixed" or norm.isfinite():
            self.log(f"train/{name}", norm, on_step=False, on_epoch=True, batch_size=1)

    def _refuse_ruined(self) -> None:
        """Stop a training whose last step left weights or statistics that are not finite."""
        finite = {name: weight.isfinite().all() for name, weight in self.state_dict().items()}
        if not torch.stack(list(finite.values())).all():
            ruined = next(name for name, is_finite in finite.items() if not is_finite)
            raise ValueError(self._stop(f"its last step left values in {ruined} that are not finite"))

    def _stop(self, reason: str) -> str:
        """Return the message of a stopped training: reason, checkpoints kept and remedies."""
        savers = self.trainer.checkpoint_callbacks
        kept = [Path(path).name for one in savers if (path := getattr(one, "best_model_path", ""))]
        return (
            f"training stopped in epoch {self.current_epoch + 1}: {reason}; "
            + (f"kept as of earlier epochs: {', '.join(kept)}" if kept else "no checkpoint was written yet")
            + "; try a lower method.optimizer.lr, trainer.gradient_clip_val=1.0 or a higher trainer.precision"
        )

    def _score(self, stage: str, scores: ImageScores, batch: Batch) -> Tensor:
        restored = self.restore(batch["low"])
        if not restored.isfinite().all():
            if self.trainer.state.fn == "fit":
                self._refuse_ruined()
            raise ValueError(f"{', '.join(batch['name'])}: enhanced to values that are not finite")
        enhanced = round_to_8_bits(restored)
        scores.update(enhanced, batch)
        if has_references(batch) or not self.needs_references:
            try:
                loss = self.loss(restored, batch)
            except ValueError as error:  # weights of a loss that are not here, or an image too small for it
                if stage != "test":
                    raise
                if not self._lacks_loss:
                    log.warning("test/loss is left out: %s", first_line(error))
                self._lacks_loss = True
            else:
                self.log(f"{stage}/loss", loss, on_epoch=True, sync_dist=True, batch_size=len(enhanced))
        return enhanced

    def _log_scores(self, scores: ImageScores) -> None:
        self.log_dict(scores.compute(), prog_bar=True)
        scores.reset()
