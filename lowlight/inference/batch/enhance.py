"""Enhancing one file of a batch."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlight.adjustments import stops_to_mean
from lowlight.inference.batch.jobs import Job
from lowlight.inference.photos.enhance import enhance_file, enhance_pixels
from lowlight.inference.photos.fail_safe import why_not_dark
from lowlight.inference.photos.writing import copy_photo
from lowlight.inference.pixels import floating, sampled
from lowlight.inference.settings import Outcome, Settings
from lowlight.inference.tiling.enhance import lasting_tile
from lowlight.inference.video.enhance import enhance_video
from lowlight.inference.video.frames import sample_frames
from lowlight.runtimes.enhancer import Enhancer


def enhance_job(enhancer: Enhancer, job: Job, settings: Settings) -> Outcome:
    """Enhance a photograph or a video.

    A video is judged by some of its frames before, and its frames are not judged after enhancement; one that
    is not dark is copied, or written anew as it is if its suffix changes.

    Raises:
        ValueError: If the file cannot be read; the message names it.
        OSError: If the target cannot be written.
    """
    settings = replace(settings, exposure=settings.exposure + job.stops)
    if not job.is_video:
        return enhance_file(enhancer, job.source, job.target, settings)
    began = time.perf_counter()
    judges = settings.fail_safe and enhancer.judge is None
    reason = "not_dark" if judges and _is_bright(job.source) else None
    if reason is not None and job.source.suffix.lower() == job.target.suffix.lower():
        copy_photo(job.source, job.target)
        return Outcome(job.source, job.target, "unchanged", reason, seconds=time.perf_counter() - began)
    if reason is not None:
        summary = enhance_video(lambda low: low, job.source, job.target, smoothing=0)
    else:
        stops = _choose_stops(enhancer, job.source, settings)
        frame = _Frames(enhancer, replace(settings, brightness=None), stops)
        summary = enhance_video(frame, job.source, job.target, smoothing=settings.smoothing)
    return Outcome(
        job.source,
        job.target,
        "enhanced" if reason is None else "unchanged",
        reason,
        megapixels=summary.frames * summary.width * summary.height / 1e6,
        seconds=time.perf_counter() - began,
        notes=summary.warnings,
        video=summary,
    )


_GLANCED = 8
"""Frames of a video by which its darkness is judged, and its brightness is set."""


def _glance(source: Path) -> Iterator[NDArray[np.float32]]:
    """Yield some frames of a video, of shape (H, W, 3) in [0, 1]; none if it cannot be read."""
    try:
        yield from (pixels for _, pixels in sample_frames(source, _GLANCED))
    except ValueError:
        return  # enhancing the video says why


def _is_bright(source: Path) -> bool:
    """Return whether more than half of some frames of a video are not dark."""
    verdicts = [why_not_dark(frame) is not None for frame in _glance(source)]
    return 2 * sum(verdicts) > len(verdicts)


def _choose_stops(enhancer: Enhancer, source: Path, settings: Settings) -> float:
    """Return the change of exposure in stops by which some frames together get the brightness; else 0."""
    if settings.brightness is None:
        return 0.0
    enhance = _Frames(enhancer, replace(settings, exposure=0.0, brightness=None, saturation=1.0))
    made = [sampled(np.moveaxis(enhance(floating(frame))[0], 0, -1)) for frame in _glance(source)]
    if not made:
        return 0.0
    stops = stops_to_mean(floating(sampled(np.concatenate(made, axis=1))), settings.brightness)
    return float(stops.item())


class _Frames:
    """Enhances a video's frames, (1, 3, H, W) in [0, 1], like photographs, all in the first frame's tiles.

    ``stops`` is a change of exposure beside that of the settings, by which the sum may leave its range.
    """

    def __init__(self, enhancer: Enhancer, settings: Settings, stops: float = 0.0) -> None:
        self.enhancer, self.stops = enhancer, stops
        self.settings = replace(settings, fail_safe=False)

    def __call__(self, low: NDArray[np.float32]) -> NDArray[np.float32]:
        pixels = np.moveaxis(low[0], 0, -1)
        if self.settings.tile is None:
            tile = lasting_tile(self.enhancer, pixels, self.settings.memory_limit())
            self.settings = replace(self.settings, tile=tile)
        enhanced, _ = enhance_pixels(self.enhancer, pixels, self.settings, stops=self.stops)
        return np.moveaxis(enhanced, -1, 0)[None]
