"""Exponential moving average of the weights."""

from collections.abc import Sequence
from functools import partial

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialAverage(WeightAveraging):
    """Keep an exponential moving average of all weights and statistics; validate, test and save the average.

    After each step, ``average = decay * average + (1 - decay) * weights``, starting from the weights after
    the first step. With a warm-up the first averages are of few steps, so that the start is soon forgotten:
    it matters in trainings of some hundred steps, above all to the variances of batch normalisation, whose
    initial 1 may be thousands of times their later values. The ``state_dict`` of a checkpoint is the average,
    so loading it gives the average; the weights themselves, with which a resumed run continues, are
    ``current_model_state``.

    It is Lightning's callback, which resumes exactly, with two differences: all tensors are averaged in one
    call, and on the training device; Lightning's average stays on the CPU, since it is created before the
    model is moved. (Lightning's ``EMAWeightAveraging`` is the same average, but its ``update_every_n_steps``
    counts the steps of both optimizers of the GAN, so that even values never apply.)

    Args:
        decay: Share of the average kept in each step, in [0, 1]; it covers about the last
            ``1 / (1 - decay)`` steps, and a training should have several times as many.
        warmup: Length of the warm-up: after ``n`` steps at most ``(1 + n) / (warmup + n)`` of the average is
            kept. None, or 0, is none.

    Raises:
        ValueError: If ``decay`` is outside [0, 1] or ``warmup`` negative.

    Reference:
        Polyak and Juditsky, 1992, "Acceleration of stochastic approximation by averaging"; Yazıcı et al.,
        2019, "The unusual effectiveness of averaging in GAN training".
    """

    def __init__(self, decay: float = 0.999, warmup: float | None = None) -> None:
        if warmup is not None and warmup < 0:
            raise ValueError(f"warmup={warmup} must be 0 or more steps")
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        super().__init__(multi_avg_fn=partial(_average_warming_up, decay, warmup) if warmup else average)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Move the average to the device of the weights."""
        if self._average_model is not None:
            self._average_model.to(pl_module.device)


def _average_warming_up(
    decay: float, warmup: float, averages: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor
) -> None:
    """Update averages in place after a number of steps."""
    kept = min(decay, (1 + int(steps)) / (warmup + int(steps)))
    get_ema_multi_avg_fn(kept)(averages, weights, steps)  # type: ignore[no-untyped-call]
