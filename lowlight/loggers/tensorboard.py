"""Logging to TensorBoard."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from lowlight.loggers.base import EpochCurves, Sample


class TensorBoardCurves(EpochCurves, TensorBoardLogger):
    """Log to TensorBoard, in ``tensorboard/`` of the run folder: curves over epochs, samples and config.

    Args:
        save_dir: Run folder.
        arguments: Arguments of TensorBoard's ``SummaryWriter``.

    Raises:
        ValueError: If TensorBoard is not installed.
    """

    def __init__(self, save_dir: Path | str, **arguments: Any) -> None:
        try:
            super().__init__(str(save_dir), "tensorboard", version="", default_hp_metric=False, **arguments)
        except ModuleNotFoundError as error:
            raise ValueError(
                "logger=tensorboard needs TensorBoard: pip install 'lowlight[tensorboard]'"
            ) from error

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Log the config as text."""
        self.hparams.update(params)
        text = OmegaConf.to_yaml(OmegaConf.create(dict(params)))
        self.experiment.add_text("config", f"```yaml\n{text}```")

    @rank_zero_only
    def log_samples(self, samples: Sequence[Sample], epoch: int) -> None:
        """Log each sample as one image, side by side."""
        for sample in samples:
            self.experiment.add_image(f"samples/{sample.name}", sample.side_by_side, epoch)
