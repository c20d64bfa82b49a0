"""Loggers: CSV curves, Weights & Biases, TensorBoard."""

from lowlight.loggers.curves import CurveLogger
from lowlight.loggers.tensorboard import TensorBoardCurves
from lowlight.loggers.wandb import WandbCurves

__all__ = ["CurveLogger", "TensorBoardCurves", "WandbCurves"]
