"""Choosing what enhances, and doing one job with it."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor

from lowlight.checkpoint import build
from lowlight.config import available, config_folder, load_config
from lowlight.inference.engines import Enhancer, TorchEnhancer, load_engine, to_device
from lowlight.inference.folders import Job
from lowlight.inference.photographs import Outcome, Settings, enhance_file, enhance_pixels
from lowlight.inference.tiles import lasting_tile
from lowlight.inference.video import enhance_video
from lowlight.methods import Method
from lowlight.pretrained import SHIPPED, from_pretrained, shipped

DEFAULT = "coarse_to_fine"
"""The method that enhances where none is named."""

CLASSICAL = "lowlight.methods.Classical"
"""The class of what learns nothing, as the configs of the methods name it."""


def choose(
    checkpoint: Path | str | None = None,
    method: str | None = None,
    device: str = "auto",
    trust: Sequence[str] = (),
) -> Enhancer:
    """Return what a checkpoint or the name of a method stands for, ready to enhance.

    Args:
        checkpoint: A run's folder, a checkpoint, a pretrained folder or an exported network.
        method: One that needs no training, such as ``gamma``; :data:`DEFAULT` where neither is given.
        device: Where to work: ``cpu``, ``cuda`` or, for a GPU where there is one, ``auto``.
        trust: Packages that the checkpoint may call.

    Raises:
        ValueError: If both are given, or one is unusable.
    """
    if checkpoint is not None:
        if method is not None:
            raise ValueError("give --checkpoint or --method, not both")
        return load_engine(checkpoint, device, trust)
    return TorchEnhancer(ready(method or DEFAULT, device))


@cache
def ready(name: str, device: str = "cpu") -> Method:
    """Return a method that needs no training here, by its name; one for all who ask.

    Its weights come with lowlight, or it learns nothing and works on the CPU.

    Raises:
        ValueError: If there is none of that name, it must be trained first, or the device is not available.
    """
    if name not in ready_made():
        problem = "must be trained first" if name in available("method") else "is no method"
        raise ValueError(f"{name} {problem}: give --checkpoint, or one of {', '.join(ready_made())}")
    if name in shipped():
        return to_device(from_pretrained(SHIPPED / name), device)
    return build(load_config([f"method={name}"]).method)


def ready_made() -> list[str]:
    """Return the names of the methods that need no training here, those that have learnt first.

    They are told by their files, since composing each takes long.
    """
    folder = config_folder() / "method"
    configs = {name: OmegaConf.load(folder / f"{name}.yaml") for name in available("method")}
    return shipped() + [
        name for name, config in configs.items() if OmegaConf.select(config, "_target_") == CLASSICAL
    ]


def enhance_job(enhancer: Enhancer, job: Job, settings: Settings) -> Outcome:
    """Enhance a file of any kind; the fail-safe is for photographs, a video's frames are all enhanced.

    Raises:
        ValueError: If it cannot be read; the message names it.
        OSError: If the target cannot be written.
    """
    if not job.is_video:
        return enhance_file(enhancer, job.source, job.target, settings)
    began = time.perf_counter()
    summary = enhance_video(_Frames(enhancer, settings), job.source, job.target, smoothing=settings.smoothing)
    return Outcome(
        job.source,
        job.target,
        "enhanced",
        megapixels=summary.frames * summary.width * summary.height / 1e6,
        seconds=time.perf_counter() - began,
        notes=summary.warnings,
        video=summary,
    )


class _Frames:
    """Enhances a video's frames, (1, 3, H, W) in [0, 1], as photographs, all in the tiles of the first."""

    def __init__(self, enhancer: Enhancer, settings: Settings) -> None:
        self.enhancer = enhancer
        self.settings = replace(settings, fail_safe=False)

    def __call__(self, low: Tensor) -> Tensor:
        pixels = low[0].movedim(0, -1).numpy()
        if self.settings.tile is None:
            tile = lasting_tile(self.enhancer, pixels, self.settings.memory_limit())
            self.settings = replace(self.settings, tile=tile)
        enhanced, _ = enhance_pixels(self.enhancer, pixels, self.settings)
        return torch.from_numpy(enhanced).movedim(-1, 0)[None]
