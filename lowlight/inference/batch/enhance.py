"""Enhancing one file of a batch."""

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lowlight.inference.batch.jobs import Job
from lowlight.inference.photos.enhance import enhance_file, enhance_pixels
from lowlight.inference.settings import Outcome, Settings
from lowlight.inference.tiling.enhance import lasting_tile
from lowlight.inference.video.enhance import enhance_video
from lowlight.runtimes.enhancer import Enhancer


def enhance_job(enhancer: Enhancer, job: Job, settings: Settings) -> Outcome:
    """Enhance a photograph or a video, whose frames are enhanced without the fail-safe.

    Raises:
        ValueError: If the file cannot be read; the message names it.
        OSError: If the target cannot be written.
    """
    settings = replace(settings, exposure=settings.exposure + job.stops)
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
    """Enhances a video's frames, (1, 3, H, W) in [0, 1], like photographs, all in the first frame's tiles."""

    def __init__(self, enhancer: Enhancer, settings: Settings) -> None:
        self.enhancer = enhancer
        self.settings = replace(settings, fail_safe=False)

    def __call__(self, low: NDArray[np.float32]) -> NDArray[np.float32]:
        pixels = np.moveaxis(low[0], 0, -1)
        if self.settings.tile is None:
            tile = lasting_tile(self.enhancer, pixels, self.settings.memory_limit())
            self.settings = replace(self.settings, tile=tile)
        enhanced, _ = enhance_pixels(self.enhancer, pixels, self.settings)
        return np.moveaxis(enhanced, -1, 0)[None]
