"""Benchmark of methods per engine and image size: time, memory, multiply-accumulates, training steps."""

import copy
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from lowlight.benchmark.timing import time_in_turn
from lowlight.checkpoints.load import load_method
from lowlight.checkpoints.recipe import build
from lowlight.config import available, load_config
from lowlight.files import first_line, read_json
from lowlight.images import Pair
from lowlight.memory import peak_of, release, resident
from lowlight.methods import Method
from lowlight.runs.provenance import provenance
from lowlight.runtimes.accelerate import accelerate
from lowlight.runtimes.runtime import torch_device
from lowlight.runtimes.table import RUNTIMES
from lowlight.runtimes.torch_enhancer import TorchEnhancer, to_device
from lowlight.shipped import locate

OF_TORCH = ("torch", "bf16", "fp16", "compile")

ENGINES = (*OF_TORCH, *(runtime.name for runtime in RUNTIMES), "int8")
"""Engines: torch in float32, in autocast, compiled; the runtimes; and OpenVINO in 8-bit integers."""

NOISY = 0.1
"""Relative interquartile range of a constant workload above which a machine is called noisy."""

Run = Callable[[Tensor], Tensor]


class Entry(NamedTuple):
    """A method in an engine."""

    model: str
    engine: str
    method: Method
    run: Run
    memory: Mapping[tuple[int, int], int]
    """Peak of a call in bytes, by width and height; 0 where it is not known."""


def benchmark(
    models: Sequence[str],
    *,
    sizes: Sequence[tuple[int, int]] = ((600, 400),),
    engines: Sequence[str] = ("torch",),
    rounds: int = 10,
    train: tuple[int, int] | None = None,
    device: str = "cpu",
    trust: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure methods in engines at sizes, in turn within each round, so that other load affects all alike.

    Args:
        models: Names of methods, which get random weights; or runs, checkpoints, pretrained folders and
            names of other weights that come with lowlight.
        sizes: Width and height of the images in pixels.
        engines: Some of :data:`ENGINES`; reasons of those that cannot run a method are in the result.
        rounds: Timed calls of each, after a warm-up.
        train: Batch size and crop side in pixels of training steps to time; ``None`` times none.
        device: Device of torch.
        trust: Packages that a checkpoint's recipe may call.

    Returns:
        Plain containers: ``rows``, one per model, engine and size; ``training``; ``failed``; and ``about``,
        how they were measured.

    Raises:
        ValueError: If a model does not exist or an engine is unknown.
    """
    if unknown := set(engines) - set(ENGINES):
        raise ValueError(f"no engine {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    device = torch_device(device)
    methods = {model: to_device(_method(model, trust), device).eval() for model in models}
    failed: list[dict[str, str]] = []
    entries = []
    for model, method in methods.items():
        for engine in engines:
            try:
                run = _run(method, engine, device)
                memory = _memory(run, engine, sizes, device)  # fails here if the engine cannot run it
            except (ValueError, RuntimeError, MemoryError) as error:
                failed.append({"model": model, "engine": engine, "reason": first_line(error)})
            else:
                entries.append(Entry(model, engine, method, run, memory))
    measured = [_at_size(entries, size, rounds, device) for size in sizes]
    rows, spreads = [row for of_size, _ in measured for row in of_size], [spread for _, spread in measured]
    about = provenance() | {"threads": torch.get_num_threads(), "device": device, "rounds": rounds}
    about |= {"spread_of_constant_work": round(max(spreads), 3), "noisy": max(spreads) > NOISY}
    training = []
    for model, method in methods.items():
        if train is None or not method.learns:
            continue
        try:
            training.append({"model": model} | _training(method, *train))
        except (ValueError, RuntimeError, MemoryError) as error:
            failed.append({"model": model, "engine": "training", "reason": first_line(error)})
    return {"rows": rows, "training": training, "failed": failed, "about": about}


_ROUGHER = ("bf16", "fp16", "int8")
"""Engines whose results are not those that the run's PSNR is of."""


def _psnr(model: str) -> float | None:
    """Return the test PSNR in dB of a run folder; None for other models, and where it is unreadable."""
    try:
        psnr = read_json(Path(model) / "metrics.json").get("test/psnr")
    except ValueError:
        return None
    return psnr if isinstance(psnr, float) else None


def _method(model: str, trust: Sequence[str]) -> Method:
    if model in available("method") and not Path(model).exists():
        return build(load_config([f"method={model}"]).method)
    if not (found := locate(model)).exists():
        raise ValueError(
            f"{model} is no method, no run and no checkpoint; methods: {', '.join(available('method'))}"
        )
    return load_method(found, trust)


def _image(width: int, height: int, device: str) -> Tensor:
    return torch.rand(1, 3, height, width, device=device) / 4


def _run(method: Method, engine: str, device: str) -> Run:
    """Return a method's ``enhance`` in an engine."""
    if engine == "torch":
        return TorchEnhancer(method).enhance
    if engine in ("bf16", "fp16"):
        return TorchEnhancer(method, engine).enhance
    if engine == "compile":
        method = copy.deepcopy(method)
        method.net.compile()
        return method.enhance
    calibrate = None
    if engine == "int8":  # ranges suit noise, not photographs: the speed is the same
        engine, calibrate = "openvino", [_image(192, 128, "cpu")]
    return accelerate(copy.deepcopy(method).cpu(), engine, calibrate=calibrate, device=device).enhance


@torch.inference_mode()
def _memory(
    run: Run, engine: str, sizes: Sequence[tuple[int, int]], device: str
) -> dict[tuple[int, int], int]:
    """Return the peak memory in bytes of the first call at each size, the smallest first; 0 if not known.

    On a GPU only torch's memory is known. Runtimes keep their buffers for the next call, so what they hold
    since their set-up counts, too.
    """
    images = {size: _image(*size, device) for size in sorted(sizes, key=math.prod)}
    # What is set up is no part of a call; compiling is done for each size.
    for low in images.values() if engine == "compile" else [_image(16, 16, device)]:
        run(low)
    release()
    start = resident()
    peaks = {size: peak_of(partial(run, low), device, start) for size, low in images.items()}
    return peaks if device == "cpu" or engine in OF_TORCH else dict.fromkeys(peaks, 0)


def _at_size(
    entries: Sequence[Entry], size: tuple[int, int], rounds: int, device: str
) -> tuple[list[dict[str, Any]], float]:
    """Measure entries on one image; return a row per entry and the spread of the constant workload."""
    width, height = size
    low = _image(width, height, device)
    constant = torch.rand(512, 512)
    runs: dict[str, Callable[[Tensor], object]] = {str(n): entry.run for n, entry in enumerate(entries)}
    runs["constant"] = lambda _: [constant @ constant for _ in range(20)]
    methods = {entry.model: entry.method for entry in entries}
    gmac = {model: _gmac(method, low) for model, method in methods.items()}
    *each, noise = time_in_turn(runs, low, rounds=rounds).values()
    rows = []
    for entry, seconds in zip(entries, each, strict=True):
        first, median, third = statistics.quantiles(seconds, n=4, method="inclusive")
        row = {
            "model": entry.model,
            "engine": entry.engine,
            "width": width,
            "height": height,
            "parameters": entry.method.parameter_count,
            "gmac": gmac[entry.model],
            "milliseconds": 1000 * median,
            "quartiles": [1000 * first, 1000 * third],
            "ratio": statistics.median(own / other for own, other in zip(seconds, each[0], strict=True)),
            "memory_mb": entry.memory[size] / 1e6 or None,
            "megapixels_per_s": width * height / 1e6 / median,
            "psnr": _psnr(entry.model) if entry.engine not in _ROUGHER else None,
        }
        rows.append(row)
    first, median, third = statistics.quantiles(noise, n=4, method="inclusive")
    return rows, (third - first) / median


def _gmac(method: Method, low: Tensor) -> float:
    """Return the multiply-accumulates per image, in units of 10^9."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():  # inference mode would count nothing
        method.restore(low)
    return float(counter.get_total_flops()) / 2e9


class _StepTimes(Callback):
    """Record the seconds of each training step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._start = 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        self.seconds.append(time.perf_counter() - self._start)


def _training(method: Method, batch: int, side: int, steps: int = 6) -> dict[str, Any]:
    """Time training steps, optimizer included, on random images."""
    method.prepare_benchmark(side)
    pairs: list[Pair] = [
        {"low": torch.rand(3, side, side) / 4, "high": torch.rand(3, side, side), "name": str(number)}
        for number in range(batch * steps)
    ]
    times = _StepTimes()
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="auto" if method.device.type != "cpu" else "cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[times],
        plugins=[LightningEnvironment()],  # one process, whatever tasks a SLURM job around it announces
    )
    method.train()
    loader: DataLoader[Pair] = DataLoader(pairs, batch_size=batch)  # type: ignore[arg-type]
    memory = peak_of(lambda: trainer.fit(method, loader), str(method.device))
    seconds = statistics.median(times.seconds[1:])
    return {
        "batch": batch,
        "side": side,
        "milliseconds": 1000 * seconds,
        "images_per_s": batch / seconds,
        "memory_mb": memory / 1e6 or None,
    }
