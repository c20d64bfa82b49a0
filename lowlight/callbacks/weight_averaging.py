"""Averaging the weights over the steps of a training."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialAverage(WeightAveraging):
    """Keep an exponential moving average of all weights and statistics; validate, test and save that.

    After each step, ``average = decay * average + (1 - decay) * weights``, beginning with the weights after
    the first step. In a checkpoint ``state_dict`` is the average, so whatever loads it gets that; the weights
    themselves, from which a resumed run goes on, are ``current_model_state``.

    It is Lightning's callback, which resumes exactly, but for two things: all tensors are averaged by one
    call, and on the device they are trained on, where Lightning's stays on the CPU, since it is made
    before the model is moved. (Lightning's ``EMAWeightAveraging`` is the same average; its option
    ``update_every_n_steps`` counts the steps of both optimizers of the GAN: an even number is never due.)

    Args:
        decay: Share of the average that stays in a step, in [0, 1]; about the last ``1 / (1 - decay)`` steps
            count, and a training should have several times as many.

    Raises:
        ValueError: If ``decay`` is outside [0, 1].

    Reference:
        Polyak and Juditsky, 1992, "Acceleration of stochastic approximation by averaging"; Yazıcı et al.,
        2019, "The unusual effectiveness of averaging in GAN training".
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__(multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Move the average to where the weights are by now."""
        if self._average_model is not None:
            self._average_model.to(pl_module.device)
