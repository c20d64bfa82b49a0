"""Loggers: CSV curves, Weights & Biases, TensorBoard, MLflow."""

from lowlight.loggers.curves import CurveLogger
from lowlight.loggers.mlflow import MLflowCurves
from lowlight.loggers.tensorboard import TensorBoardCurves
from lowlight.loggers.wandb import WandbCurves

__all__ = ["CurveLogger", "MLflowCurves", "TensorBoardCurves", "WandbCurves"]
