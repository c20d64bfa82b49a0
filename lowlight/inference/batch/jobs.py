"""Batches of files: finding inputs, naming outputs, continuing after failures."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from lowlight.decoding.formats import PHOTO_SUFFIXES
from lowlight.inference.photos.enhance import enhance_file, enhance_pixels
from lowlight.inference.photos.writing import photo_suffix
from lowlight.inference.settings import Outcome, Settings
from lowlight.inference.tiling.enhance import lasting_tile
from lowlight.inference.video.enhance import VIDEO_SUFFIXES, enhance_video, target_suffix
from lowlight.runtimes.enhancer import Enhancer


@dataclass(frozen=True)
class Job:
    """A file to enhance and the file to write."""

    source: Path
    target: Path

    @property
    def is_video(self) -> bool:
        """Whether the file is a video, by its suffix."""
        return self.source.suffix.lower() in VIDEO_SUFFIXES


def find_jobs(paths: Iterable[Path], out: Path) -> tuple[list[Job], list[Outcome]]:
    """List the files to enhance: those given, and the images and videos in folders, at any depth.

    A file keeps its name and its path relative to the folder; ``.png`` or ``.mkv`` is appended if its format
    cannot be written. Hidden files are skipped, and so is ``out`` if it lies in one of the folders.

    Returns:
        The jobs, each target once, and the refusals: empty folders, and files with another file's target.
    """
    jobs: dict[Path, Job] = {}
    refused: list[Outcome] = []
    for path in paths:
        found = list(_below(path, out)) if path.is_dir() else [path]
        if not found:
            refused.append(Outcome(path, out, "failed", f"{path}: no images or videos in this folder"))
        for source in found:
            target = out / _name(source.relative_to(path) if path.is_dir() else Path(source.name))
            other = jobs.get(target)
            if other is None:
                jobs[target] = Job(source, target)
            elif other.source.resolve() != source.resolve():
                reason = f"{source}: would be written to {target}, as {other.source} is; give another --out"
                refused.append(Outcome(source, target, "failed", reason))
    return list(jobs.values()), refused


def _below(folder: Path, out: Path) -> Iterator[Path]:
    root, end = folder.resolve(), out.resolve()
    earlier = end.relative_to(root) if end.is_relative_to(root) and end != root else None
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in below.parts)
        if hidden or (earlier and below.is_relative_to(earlier)):
            continue
        if path.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES and path.is_file():
            yield path


def _name(path: Path) -> Path:
    suffix = path.suffix.lower()
    written = target_suffix(path) if suffix in VIDEO_SUFFIXES else photo_suffix(path)
    return path if written == suffix else path.with_name(path.name + written)


def check_targets(jobs: Sequence[Job], *, skip_existing: bool, overwrite: bool) -> None:
    """Refuse jobs that would overwrite existing files without permission, or their own source.

    Raises:
        ValueError: If there is such a job; the message names the first file.
    """
    for job in jobs:
        if job.target.exists() and job.target.samefile(job.source):
            raise ValueError(f"{job.target}: would be written over itself; give another --out")
    taken = [job.target for job in jobs if job.target.exists()]
    if taken and not (skip_existing or overwrite):
        raise ValueError(
            f"{taken[0]} exists"
            + (f", and {len(taken) - 1} more" if len(taken) > 1 else "")
            + "; --skip-existing does the rest, --overwrite does all"
        )


def run_jobs(
    jobs: Iterable[Job], enhance: Callable[[Job], Outcome], *, skip_existing: bool
) -> Iterator[Outcome]:
    """Run the jobs one after another and yield their outcomes; a failure does not stop the rest."""
    for job in jobs:
        yield do_job(job, enhance, skip_existing=skip_existing)


def do_job(job: Job, enhance: Callable[[Job], Outcome], *, skip_existing: bool) -> Outcome:
    """Run a job; an error becomes an outcome with status ``failed``."""
    if skip_existing and job.target.exists():
        return Outcome(job.source, job.target, "skipped", "exists")
    try:
        return enhance(job)
    except (OSError, ValueError, MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is one
        message = " ".join(str(error).split()) or type(error).__name__
        reason = message if str(job.source) in message else f"{job.source}: {message}"
        return Outcome(job.source, job.target, "failed", reason)


def enhance_job(enhancer: Enhancer, job: Job, settings: Settings) -> Outcome:
    """Enhance a photograph or a video, whose frames are enhanced without the fail-safe.

    Raises:
        ValueError: If the file cannot be read; the message names it.
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
    """Enhances a video's frames, (1, 3, H, W) in [0, 1], like photographs, all in the first frame's tiles."""

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
