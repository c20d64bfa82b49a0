"""Public names that have moved: saved configs and other projects still find them under the earlier ones."""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

RENAMED = {
    "lowlight.averaging.ExponentialAverage": "lowlight.callbacks.ExponentialAverage",
    "lowlight.checkpoint.build": "lowlight.checkpoints.build",
    "lowlight.checkpoint.load": "lowlight.checkpoints.load",
    "lowlight.cli.hydra_app.OutputCheck": "lowlight.cli._hydra.OutputCheck",
    "lowlight.cli.multirun.SweepSummary": "lowlight.cli._hydra.SweepSummary",
    "lowlight.cli.study.ContinuedStudy": "lowlight.sweeps.optuna_study.ContinuedStudy",
    "lowlight.pretrained.from_pretrained": "lowlight.checkpoints.from_pretrained",
    "lowlight.pretrained.save_pretrained": "lowlight.checkpoints.save_pretrained",
    "lowlight.stopping.StaysStopped": "lowlight.callbacks.StaysStopped",
    "lowlight.tracking.LearningRate": "lowlight.callbacks.LearningRate",
    "lowlight.tracking.Samples": "lowlight.callbacks.Samples",
    "lowlight.tracking.TensorBoardCurves": "lowlight.loggers.TensorBoardCurves",
    "lowlight.tracking.WandbCurves": "lowlight.loggers.WandbCurves",
}
"""Present dotted name by the one of release 0.1.0; ``lowlight.callbacks.CurveLogger`` is re-exported."""


class _Moved(ModuleType):
    """A module of release 0.1.0 that imports what it held from where that is now."""

    def __getattr__(self, name: str) -> Any:
        present = RENAMED.get(f"{self.__name__}.{name}")
        if present is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        module, _, attribute = present.rpartition(".")
        return getattr(import_module(module), attribute)


def install() -> None:
    """Let Python find the earlier modules; nothing is imported before a name is asked for."""
    for earlier in RENAMED:
        name = earlier.rpartition(".")[0]
        if name not in sys.modules:
            module = _Moved(name, "Moved; see lowlight.renamed.")
            module.__spec__ = ModuleSpec(name, None)
            sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, sys.modules[name])
