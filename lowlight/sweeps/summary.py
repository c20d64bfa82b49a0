"""Summaries of sweeps: overrides, status and objective of every job. Imports no torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from omegaconf import DictConfig, OmegaConf

from lowlight.files import first_line, read_json, read_table, write_table, write_text
from lowlight.runs.folder import FAILURE, OVERRIDES, REFUSAL

Status = Literal["done", "resumed", "unfinished", "failed"]
"""``resumed`` is done, after interruptions; ``unfinished`` is still running or was stopped."""

DONE: tuple[Status, ...] = ("done", "resumed")
"""Statuses of finished jobs."""

NUMBERS = ("epochs", "minutes")
"""Columns of numbers, besides the objective's."""

_ORDER: tuple[Status, ...] = ("done", "resumed", "unfinished", "failed")


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Attributes:
        folder: Output folder.
        name: Path of the folder, relative to the sweep's.
        overrides: Values of the command line, by key, as written.
        status: Outcome so far.
        metric: Key of the objective, such as ``val/psnr``; empty if unknown.
        mode: ``max`` or ``min``, whichever is better.
        objective: Best value of the objective; NaN if there is none.
        epochs: Number of epochs trained.
        minutes: Training time in minutes.
        reason: Reason of a failure or an early stop; progress of an unfinished job.
    """

    folder: Path
    name: str
    overrides: dict[str, str]
    status: Status
    metric: str = ""
    mode: str = "max"
    objective: float = math.nan
    epochs: int | None = None
    minutes: float = math.nan
    reason: str = ""


def is_sweep(folder: Path) -> bool:
    """Return whether a folder holds jobs and is not itself a run."""
    return not (folder / "config.yaml").exists() and any(_job_folders(folder))


def read_sweep(folder: Path) -> list[Job]:
    """Read the jobs of a sweep, the best first and the failed last; one that cannot be read has failed.

    Jobs of different objectives stand one group after another, as their values do not compare.

    Raises:
        ValueError: If the folder is missing or holds no job.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    jobs = [_read_job(path, folder) for path in _job_folders(folder)]
    if not jobs:
        raise ValueError(f"{folder}: no job of a sweep in it (a folder with .hydra/overrides.yaml)")
    return sorted(jobs, key=_rank)


def expand(folders: Sequence[Path]) -> list[Path]:
    """Replace each sweep's folder by those of its finished jobs, sorted by name.

    Raises:
        ValueError: If a sweep has no finished job.
    """
    runs: list[Path] = []
    for folder in folders:
        if not is_sweep(folder):
            runs.append(folder)
            continue
        jobs = [job for job in read_sweep(folder) if job.status in DONE]
        if not jobs:
            raise ValueError(f"{folder}: no job of this sweep is finished")
        runs += [job.folder for job in sorted(jobs, key=lambda job: _natural(job.name))]
    return runs


def any_failed(folder: Path, since: float) -> bool:
    """Return whether a job of a sweep has recorded a failure; its other files may be unreadable.

    Args:
        folder: The sweep's folder.
        since: Time before which failures do not count, in seconds since the epoch.
    """
    jobs = _job_folders(folder)
    failures = [record for job in jobs if (record := job / FAILURE).exists()]
    return any((job / REFUSAL).exists() for job in jobs) or any(
        record.stat().st_mtime >= since for record in failures
    )


def _job_folders(folder: Path) -> list[Path]:
    """Return the folders of a sweep's jobs, leaving out nested sweeps."""
    others = [path.parent for path in folder.rglob("multirun.yaml") if path.parent != folder]
    found = {path.parent.parent for path in folder.rglob(".hydra/overrides.yaml")} - {folder}
    return sorted(path for path in found if not any(path.is_relative_to(other) for other in others))


def _rank(job: Job) -> tuple[Any, ...]:
    done = job.status in DONE
    value = -job.objective if job.mode == "max" else job.objective
    ranked = (job.metric, job.mode, math.isnan(value), value) if done else ("", "", False, 0.0)
    return (not done, *ranked, _ORDER.index(job.status), _natural(job.name))


def _natural(name: str) -> list[Any]:
    """Return a sort key by which ``job-2`` precedes ``job-10``."""
    return [(len(part), part) if part.isdigit() else (0, part) for part in name.rsplit("-", 1)]


def _read_job(folder: Path, sweep: Path) -> Job:
    name = folder.relative_to(sweep).as_posix()
    try:
        return _read_readable(folder, name)
    except Exception as error:  # whatever a damaged file makes of its reader
        return Job(folder, name, {}, "failed", reason=f"not readable: {first_line(error)}")


def _read_readable(folder: Path, name: str) -> Job:
    finished = (folder / "manifest.json").exists()
    of_run = finished and (folder / OVERRIDES).exists()
    source = folder / OVERRIDES if of_run else folder / ".hydra" / OVERRIDES
    given = cast(list[str], OmegaConf.to_container(OmegaConf.load(source)))
    overrides = {key.lstrip("+~"): value for key, _, value in (line.partition("=") for line in given)}
    own = folder / "config.yaml"  # of the run; Hydra's is that of the latest command, even of a refused one
    config = cast(DictConfig, OmegaConf.load(own if own.exists() else folder / ".hydra" / "config.yaml"))
    aim = config.get("objective") or {"metric": "test/psnr", "mode": "max"}
    facts: dict[str, Any] = {"metric": aim["metric"], "mode": aim["mode"]}
    status: Status = "unfinished"
    if (folder / FAILURE).exists():
        status, facts["reason"] = "failed", str(read_json(folder / FAILURE)["reason"])
    elif finished:
        manifest, metrics = read_json(folder / "manifest.json"), read_json(folder / "metrics.json")
        status = "resumed" if manifest.get("sittings", 1) > 1 else "done"
        facts["objective"] = float(metrics.get(aim["metric"], math.nan))
        facts["epochs"] = manifest.get("epochs")
        facts["minutes"] = float(manifest.get("train_minutes", math.nan))
        if manifest.get("stopped", "finished") != "finished":
            facts["reason"] = f"stopped by {manifest['stopped']}"
    else:
        facts["epochs"] = _epochs_so_far(folder / "metrics.csv")
        facts["reason"] = f"{facts['epochs']} epochs so far"
    return Job(folder, name, overrides, status, **facts)


def _epochs_so_far(curves: Path) -> int:
    return len(read_table(curves)) if curves.exists() else 0


def swept(jobs: Sequence[Job]) -> list[str]:
    """Return the keys of the overrides that differ between jobs."""
    keys = list(dict.fromkeys(key for job in jobs for key in job.overrides))
    return [key for key in keys if len({job.overrides.get(key) for job in jobs}) > 1]


def objectives(jobs: Sequence[Job]) -> list[str]:
    """Return the keys of the jobs' objectives, mostly one."""
    return list(dict.fromkeys(job.metric for job in jobs if job.metric))


def rows(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return one row per job, all with the same keys, one of them per objective; missing numbers are None."""
    keys, metrics = swept(jobs), objectives(jobs)
    return [
        {
            "job": job.name,
            **{key: job.overrides.get(key, "") for key in keys},
            **{
                one: None if one != job.metric or math.isnan(job.objective) else job.objective
                for one in metrics
            },
            "status": job.status,
            "epochs": job.epochs,
            "minutes": None if math.isnan(job.minutes) else job.minutes,
            "reason": job.reason,
        }
        for job in jobs
    ]


def totals(jobs: Sequence[Job]) -> str:
    """Return the number of jobs per status, such as ``11 done, 1 failed``."""
    counts = {status: sum(job.status == status for job in jobs) for status in _ORDER}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def as_markdown(jobs: Sequence[Job]) -> str:
    """Format the summary as a Markdown table."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in cells(jobs)]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body)]
    return "\n".join((*lines, "", totals(jobs) + ".", ""))


def cells(jobs: Sequence[Job]) -> list[list[str]]:
    """Return the headings, then one row of texts per job."""
    table = rows(jobs)
    return [list(table[0]), *([_cell(value) for value in row.values()] for row in table)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())


def write_summary(folder: Path, jobs: Sequence[Job]) -> None:
    """Write ``sweep.csv`` and ``sweep.md`` into a sweep's folder."""
    write_table(folder / "sweep.csv", rows(jobs))
    write_text(folder / "sweep.md", as_markdown(jobs))
