"""Archives: many files, streamed through Ray Data to a pool of workers on one or more machines."""

import logging
import math
import os
import pickle
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lowlight.inference.batch.enhance import enhance_job
from lowlight.inference.batch.jobs import Job, do_job
from lowlight.inference.load import choose
from lowlight.inference.settings import Outcome, Settings

_MOST_BLOCKS = 8192
"""Largest number of Ray Data blocks; up to as many files, every file is a block of its own."""

_KILLED = "its worker failed or was killed; out of memory?"


def run_jobs_on_ray(
    jobs: Sequence[Job],
    model: Mapping[str, Any],
    settings: Settings,
    *,
    skip_existing: bool,
    actors: int | None = None,
    address: str | None = None,
) -> Iterator[Outcome]:
    """Run the jobs on several workers, each with its own copy of the model, and yield outcomes in job order.

    The workers read and write the files themselves: on a cluster, every node must see the same disk under
    the same paths, and have lowlight installed. Messages name files by their absolute paths. Files equal
    those of the plain run with as many threads as a worker has; with another number of threads sums are
    rounded differently, and a value in a million may differ by one. A file that kills its worker, for
    instance by taking all memory, is tried once more; its failure is then reported last.

    Args:
        jobs: Files to enhance.
        model: Arguments of :func:`lowlight.inference.load.choose`, which each worker calls.
        settings: How to enhance.
        skip_existing: Whether existing targets are left alone.
        actors: Number of workers, which share the cores evenly; by default one per GPU if the model may use
            GPUs and there are any, else one per core.
        address: HOST:PORT of a running cluster; by default Ray is started, and stopped, on this machine.

    Raises:
        ValueError: If Ray Data is not installed, or nothing answers at the address.
        ConnectionError: If the cluster refuses the connection.
    """
    _start(address)
    return _stream(jobs, model, settings, skip_existing, actors)


def _start(address: str | None) -> None:
    if address is not None:
        _check(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray.data
    except ImportError:
        raise ValueError("--engine ray needs an extra: pip install 'lowlight[archive]'") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    # Only file names pass through the object store, for which Ray would take a third of the memory.
    memory = 2**28 if address is None else None
    ray.init(
        address=address or "local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=memory,
    )


def _check(address: str) -> None:
    """Refuse an address where nothing answers; Ray itself would retry for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError):
        raise ValueError(
            f"--ray-address {address}: no cluster answers; give a head node's HOST:PORT"
        ) from None


def _stream(
    jobs: Sequence[Job], model: Mapping[str, Any], settings: Settings, skip_existing: bool, actors: int | None
) -> Iterator[Outcome]:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    context.max_errored_blocks = -1  # a file that kills its worker must not end the run
    left = dict(enumerate(jobs))
    rows = [{"index": index, "job": pickle.dumps(_absolute(job))} for index, job in left.items()]
    options, threads = share_resources(actors, str(model["device"]), ray.cluster_resources())
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")  # without replacement
            outcomes = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS)).map(
                _Worker,
                fn_constructor_args=(_absolute_model(model), settings, skip_existing, threads),
                max_task_retries=1,
                **options,
            )
        for row in outcomes.iter_rows():
            job = left.pop(row["index"])
            yield replace(pickle.loads(row["outcome"]), source=job.source, target=job.target)
    finally:
        ray.shutdown()
    for job in left.values():
        yield Outcome(job.source, job.target, "failed", f"{job.source}: {_KILLED}")


def _absolute(job: Job) -> Job:
    """Return the job with absolute paths, for a process with another working directory."""
    return replace(job, source=job.source.absolute(), target=job.target.absolute())


def _absolute_model(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model's arguments with absolute paths."""
    checkpoint, calibrate = model["checkpoint"], model.get("calibrate", ())
    return {
        **model,
        "checkpoint": checkpoint and Path(checkpoint).absolute(),
        "calibrate": [Path(path).absolute() for path in calibrate],
    }


def share_resources(
    actors: int | None, device: str, resources: Mapping[str, float]
) -> tuple[dict[str, float], int]:
    """Return Ray Data's options for the worker pool, and the number of threads per worker."""
    cores = resources.get("CPU", 1)
    gpus = 0 if device == "cpu" else resources.get("GPU", 0)
    actors = actors or int(gpus or cores)
    options = {"concurrency": actors, "num_cpus": min(math.floor(cores / actors * 100) / 100, 1)}
    if gpus:  # without a share, Ray hides the GPUs
        options["num_gpus"] = min(math.floor(gpus / actors * 100) / 100, 1)
    return options, max(int(cores / actors), 1)


class _Worker:
    """Runs jobs in a Ray process."""

    def __init__(
        self, model: Mapping[str, Any], settings: Settings, skip_existing: bool, threads: int
    ) -> None:
        torch.set_num_threads(min(threads, os.cpu_count() or 1))
        self.enhancer = choose(**model)
        self.settings = settings
        self.skip_existing = skip_existing

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Map a row with a job to one with its outcome; both pickled, since file names need not be UTF-8."""
        outcome = do_job(
            pickle.loads(row["job"]),
            lambda job: enhance_job(self.enhancer, job, self.settings),
            skip_existing=self.skip_existing,
        )
        return {"index": row["index"], "outcome": pickle.dumps(outcome)}
