"""Enhancing an archive: many files, streamed through Ray Data to a pool of workers on one machine or more."""

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

from lowlight.inference.batch.jobs import Job, do_job, enhance_job
from lowlight.inference.load import choose
from lowlight.inference.settings import Outcome, Settings

_MOST_BLOCKS = 8192
"""Rows that Ray Data hands out together are a block: one file each up to this many."""

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
    """Do the jobs by several workers, each with the model in its memory; outcomes come in the jobs' order.

    The workers read and write the files themselves: on a cluster, every node must see the same disk under
    the same paths, and have lowlight installed. Messages name files by their absolute paths.
    Files equal those of the plain run under as many threads as a worker has; with another number, sums are
    rounded otherwise, and a value in a million may differ by one. A file that
    kills its worker, as by taking all memory, is tried once more; it has then failed, and is told of last.

    Args:
        jobs: What to do.
        model: Arguments of :func:`lowlight.inference.load.choose`, which each worker calls.
        settings: How to enhance.
        skip_existing: Leave the targets that exist.
        actors: How many workers; by default one a GPU where the model may use one and there are any, or
            one a core. They share the cores evenly.
        address: A running cluster's HOST:PORT; by default Ray is started on this machine, and ended.

    Raises:
        ValueError: If Ray Data is not installed, or nothing answers at the address.
        ConnectionError: If what answers is no cluster that lets us in.
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
    # Only names pass through Ray's memory, of which it would take a third of the machine's.
    memory = 2**28 if address is None else None
    ray.init(
        address=address or "local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=memory,
    )


def _check(address: str) -> None:
    """Refuse an address where nothing answers, which Ray itself tries for minutes."""
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
    context.max_errored_blocks = -1  # a file that kills its worker shall not end the run
    left = dict(enumerate(jobs))
    rows = [{"index": index, "job": pickle.dumps(_absolute(job))} for index, job in left.items()]
    options, threads = share_resources(actors, str(model["device"]), ray.cluster_resources())
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")  # nothing takes its place
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
    """Return a job for a process that may have another working folder."""
    return Job(job.source.absolute(), job.target.absolute())


def _absolute_model(model: Mapping[str, Any]) -> dict[str, Any]:
    checkpoint = model["checkpoint"]
    return {**model, "checkpoint": checkpoint and Path(checkpoint).absolute()}


def share_resources(
    actors: int | None, device: str, resources: Mapping[str, float]
) -> tuple[dict[str, float], int]:
    """Return what Ray Data is told of the workers, and each one's number of threads."""
    cores = resources.get("CPU", 1)
    gpus = 0 if device == "cpu" else resources.get("GPU", 0)
    actors = actors or int(gpus or cores)
    options = {"concurrency": actors, "num_cpus": min(math.floor(cores / actors * 100) / 100, 1)}
    if gpus:  # without a share, Ray hides them
        options["num_gpus"] = min(math.floor(gpus / actors * 100) / 100, 1)
    return options, max(int(cores / actors), 1)


class _Worker:
    """Does jobs in a process of Ray's."""

    def __init__(
        self, model: Mapping[str, Any], settings: Settings, skip_existing: bool, threads: int
    ) -> None:
        torch.set_num_threads(min(threads, os.cpu_count() or 1))
        self.enhancer = choose(**model)
        self.settings = settings
        self.skip_existing = skip_existing

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Map a row with a job to one with its outcome; pickled, for names need not be UTF-8."""
        outcome = do_job(
            pickle.loads(row["job"]),
            lambda job: enhance_job(self.enhancer, job, self.settings),
            skip_existing=self.skip_existing,
        )
        return {"index": row["index"], "outcome": pickle.dumps(outcome)}
