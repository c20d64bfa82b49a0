"""Callbacks: exact resuming, weight averaging, early stopping, timing, and pictures of a run.

A callback with ``shows_only = True`` displays a run without changing its result, so that a run may be resumed
with other settings of it.
"""

from lowlight.callbacks.checkpoint_io import AtomicCheckpointIO
from lowlight.callbacks.early_stopping import StaysStopped
from lowlight.callbacks.further_checkpoint import FurtherCheckpoint
from lowlight.callbacks.learning_rate import LearningRate
from lowlight.callbacks.pictures import EnhancedImages, ProgressPictures, TestPictures
from lowlight.callbacks.resuming import CurvesFirst, EpochSeed, MovedFolder
from lowlight.callbacks.samples import Samples
from lowlight.callbacks.stopwatch import Stopwatch
from lowlight.callbacks.weight_averaging import ExponentialAverage
from lowlight.loggers.curves import CurveLogger  # its name in release 0.1.0

__all__ = [
    "AtomicCheckpointIO",
    "CurveLogger",
    "CurvesFirst",
    "EnhancedImages",
    "EpochSeed",
    "ExponentialAverage",
    "FurtherCheckpoint",
    "LearningRate",
    "MovedFolder",
    "ProgressPictures",
    "Samples",
    "StaysStopped",
    "Stopwatch",
    "TestPictures",
]
