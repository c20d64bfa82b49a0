"""Batches of files: finding inputs, naming outputs, continuing after failures.

Imports no torch, so that what needs no model is told at once.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lowlight.decoding.formats import PHOTO_SUFFIXES
from lowlight.files import check_folder, exists, is_folder, reason
from lowlight.inference.photos.writing import FORMATS, photo_suffix
from lowlight.inference.settings import Outcome
from lowlight.inference.video.suffixes import CONTAINERS, VIDEO_SUFFIXES, target_suffix

_LINKED = "a link to a folder, which is not followed; give it by itself"


@dataclass(frozen=True)
class Job:
    """A file to enhance and the file to write."""

    source: Path
    target: Path
    stops: float = 0.0
    """Change of exposure beside that of the settings, in a bracket."""

    @property
    def is_video(self) -> bool:
        """Whether the file is a video, by its suffix."""
        return is_video(self.source)


def find_jobs(paths: Iterable[Path], out: Path, bracket: int = 1) -> tuple[list[Job], list[Outcome]]:
    """List the files to enhance: those given, and the images and videos in folders, at any depth.

    A file keeps its name and its path relative to the folder; ``.png`` or ``.mkv`` is appended if its format
    cannot be written. Hidden files are skipped, and so is ``out`` if it lies in one of the folders. Links to
    files are followed, those to folders only where given.

    Args:
        paths: Files and folders.
        out: Folder to write to; or for one file, the file to write, which ends as its format does.
        bracket: Number of results per file, a stop apart; their names then end in their exposure, as in
            ``dark+1EV.jpg``.

    Returns:
        The jobs, each target once, and the refusals: empty, unreadable or linked folders, pipes, devices,
        broken links, and files with another file's target.

    Raises:
        ValueError: If ``out`` is a file where a folder is needed, or cannot be written from what is given.
    """
    paths = list(paths)
    if is_file := _names_file(out):
        _check_file(paths, out)
    check_folder(out.parent if is_file else out)
    jobs: dict[Path, Job] = {}
    refused: list[Outcome] = []
    for path in paths:
        found, problems = files_of(path, out)
        for source in found:
            name = _name(source.relative_to(path) if is_folder(path) else Path(source.name))
            target = out if is_file else out / name
            for stops in [number - (bracket - 1) / 2 for number in range(bracket)]:
                named = target if bracket == 1 else target.with_stem(f"{target.stem}{stops:+g}EV")
                other = jobs.setdefault(named, Job(source, named, stops))
                if os.path.realpath(other.source) != os.path.realpath(source):
                    problems[source] = (
                        f"would be written to {named}, as {other.source} is; give another --out"
                    )
        for file, problem in problems.items():
            status = "skipped" if problem == _LINKED else "failed"
            refused.append(Outcome(file, out, status, f"{file}: {problem}"))
    return list(jobs.values()), refused


def files_of(path: Path, *written: Path) -> tuple[list[Path], dict[Path, str]]:
    """List the files to read at a path: itself, or the images and videos in a folder at any depth, sorted.

    Args:
        path: A file or a folder.
        written: Folders that are written to, and not searched.

    Returns:
        The files, and reasons why others, such as pipes and broken links, are left out, keyed by path.
    """
    found, problems = _below(path, written) if is_folder(path) else ([path], {})
    if not found and not problems:
        problems = {path: "no images or videos in this folder"}
    special = {source: reason for source in found if (reason := _special(source))}
    return [source for source in found if source not in special], problems | special


def _names_file(out: Path) -> bool:
    """Return whether an output is a file: it ends as photographs or videos do, and is no folder."""
    return out.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES and not is_folder(out)


def _check_file(paths: Sequence[Path], out: Path) -> None:
    """Refuse an output file that is not written from what is given."""
    if not paths:
        raise ValueError(f"{out}: no photograph or video is given to write there")
    if len(paths) != 1 or is_folder(paths[0]):
        raise ValueError(f"{out}: a file for one photograph or video; give --out a folder")
    kind, suffixes = ("videos", CONTAINERS) if is_video(paths[0]) else ("photographs", FORMATS)
    if out.suffix.lower() not in suffixes:
        raise ValueError(f"{out}: {kind} are written as {', '.join(suffixes)}")


def is_video(path: Path) -> bool:
    """Return whether a file is a video, by its suffix."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def _below(folder: Path, written: Sequence[Path]) -> tuple[list[Path], dict[Path, str]]:
    """Return the images and videos below a folder, sorted, and why folders below it are not searched."""
    found, problems, ends = [], {}, [one.resolve() for one in written]

    def tell(error: OSError) -> None:
        problems[Path(error.filename)] = f"cannot be searched ({error.strerror})"

    for place, folders, files in os.walk(folder, onerror=tell):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in links:
            if not name.startswith("."):
                problems[here / name] = _LINKED
        kept = [name for name in folders if name not in links and not name.startswith(".")]
        folders[:] = [name for name in kept if (here / name).resolve() not in ends]
        suffixes = PHOTO_SUFFIXES | VIDEO_SUFFIXES
        names = (name for name in files if not name.startswith("."))
        found += [here / name for name in names if Path(name).suffix.lower() in suffixes]
    return sorted(found), problems


def _special(path: Path) -> str | None:
    """Return what a path is if it is no file that can be read to its end, such as a pipe; else None."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "a link to a file that is missing" if path.is_symlink() else None
    except OSError:  # its reader tells
        return None
    kinds = {stat.S_ISFIFO: "a named pipe", stat.S_ISSOCK: "a socket"}
    kinds |= {stat.S_ISCHR: "a device", stat.S_ISBLK: "a device"}
    return next((f"{kind}, not a file" for test, kind in kinds.items() if test(mode)), None)


def _name(path: Path) -> Path:
    suffix = path.suffix.lower()
    written = target_suffix(path) if is_video(path) else photo_suffix(path)
    return path if written == suffix else path.with_name(path.name + written)


def check_targets(jobs: Sequence[Job], *, skip_existing: bool, overwrite: bool) -> None:
    """Refuse jobs that would overwrite existing files without permission, or any job's source.

    Raises:
        ValueError: If there is such a job; the message names the first file.
    """
    taken = [job.target for job in jobs if exists(job.target)]
    sources = {_identity(job.source): job.source for job in jobs if exists(job.source)}
    for job in jobs:
        original = sources.get(_identity(job.target)) if exists(job.target) else None
        if original == job.source:
            raise ValueError(f"{job.target}: would be written over itself; give another --out")
        if original is not None:
            told = f"{original}: an original, which the result of {job.source} would replace"
            raise ValueError(f"{told}; give another --out")
    if taken and not (skip_existing or overwrite):
        raise ValueError(
            f"{taken[0]} exists"
            + (f", and {len(taken) - 1} more" if len(taken) > 1 else "")
            + "; --skip-existing does the rest, --overwrite does all"
        )


def _identity(path: Path) -> tuple[int, int]:
    """Return what tells a file from others, whatever the names and links that it has."""
    found = path.stat()
    return found.st_dev, found.st_ino


def run_jobs(
    jobs: Iterable[Job], enhance: Callable[[Job], Outcome], *, skip_existing: bool
) -> Iterator[Outcome]:
    """Run the jobs one after another and yield their outcomes; a failure does not stop the rest."""
    for job in jobs:
        yield do_job(job, enhance, skip_existing=skip_existing)


def do_job(job: Job, enhance: Callable[[Job], Outcome], *, skip_existing: bool) -> Outcome:
    """Run a job; any error becomes an outcome with status ``failed``, which names the file."""
    if skip_existing and exists(job.target):
        return _skipped(job)
    try:
        return enhance(job)
    except Exception as error:  # of any reader, whose errors are not known
        message = reason(error)
        told = message if str(job.source) in message else f"{job.source}: {message}"
        return Outcome(job.source, job.target, "failed", told)


def _skipped(job: Job) -> Outcome:
    return Outcome(job.source, job.target, "skipped", "exists")


def without_model(job: Job, *, skip_existing: bool) -> Outcome | None:
    """Return the outcome of a job that needs no model, as its target exists or its source does not."""
    if skip_existing and exists(job.target):
        return _skipped(job)
    try:
        job.source.stat()
    except FileNotFoundError:
        return Outcome(job.source, job.target, "failed", f"{job.source}: no such file")
    except OSError:  # its reader tells
        pass
    return None
