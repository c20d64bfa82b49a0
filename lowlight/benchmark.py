"""How fast methods are and what they take: in each engine, at each size, measured side by side."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from lowlight.checkpoint import build
from lowlight.config import available, load_config
from lowlight.images import Pair
from lowlight.inference.engines import TorchEnhancer, load_engine, load_method
from lowlight.inference.exported import torch_device
from lowlight.inference.memory import taken_by
from lowlight.methods import Classical, Method, TwoStages
from lowlight.provenance import provenance
from lowlight.report.figures import LIGHT
from lowlight.report.score_figures import draw_latency
from lowlight.run_folder import write_json

ENGINES = ("torch", "bf16", "compile", "onnx", "openvino")
"""What a method can be run by: torch as it is, in bfloat16 autocast, compiled; and what it is exported to."""

NOISY = 0.1
"""The spread of a constant piece of work beyond which a machine is called noisy."""

Run = Callable[[Tensor], Tensor]


@dataclass
class Entry:
    """A method in an engine, and what was measured of it.

    Attributes:
        seconds: Of each round, by size (width, height) in pixels.
        memory: Bytes that an image takes at its height, by size; 0 on a system that does not tell.
    """

    model: str
    engine: str
    run: Run
    method: Method
    seconds: dict[tuple[int, int], list[float]] = field(default_factory=dict)
    memory: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Method and engine."""
        return self.model if self.engine == "torch" else f"{self.model}, {self.engine}"


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
    """Measure methods in engines at sizes, in turn within each round, so that a busy moment hits all alike.

    Args:
        models: Names of methods, which get random weights, or runs, checkpoints and pretrained folders.
        sizes: Width and height of the images, in pixels.
        engines: Of :data:`ENGINES`; where one cannot run a method, the result says why.
        rounds: How often each is timed, after two calls that are not.
        train: Batch size and side of the crops, in pixels, of training steps to time; ``None`` times none.
        device: Where torch runs.
        trust: Packages that a checkpoint may call.

    Returns:
        Plain containers: ``rows``, one a model, engine and size, and how they were measured.

    Raises:
        ValueError: If a model is none, or an engine unknown.
    """
    if unknown := set(engines) - set(ENGINES):
        raise ValueError(f"no engine {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    methods = {model: _method(model, trust).to(torch_device(device)).eval() for model in models}
    failed: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        entries = []
        for model, method in methods.items():
            for engine in engines:
                try:
                    entries.append(Entry(model, engine, _run(method, engine, Path(folder)), method))
                except (ValueError, RuntimeError) as error:
                    failed.append({"model": model, "engine": engine, "reason": str(error)})
        spread = _time_all(entries, sizes, rounds, device)
        rows = [_row(entry, size, entries[0]) for size in sizes for entry in entries]
    about = provenance() | {"threads": torch.get_num_threads(), "device": device, "rounds": rounds}
    about |= {"spread_of_constant_work": round(spread, 3), "noisy": spread > NOISY}
    training = [] if train is None else [_training(name, one, *train) for name, one in methods.items()]
    return {"rows": rows, "training": [one for one in training if one], "failed": failed, "about": about}


def write(result: dict[str, Any], folder: Path) -> None:
    """Write ``benchmark.json`` and, where runs have test scores, ``latency.png``: PSNR against time.

    Raises:
        OSError: If they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "benchmark.json", result)
    first = result["rows"][0] if result["rows"] else {}
    points = [
        (f"{Path(row['model']).name}, {row['engine']}", row["milliseconds"], row["psnr"])
        for row in result["rows"]
        if row["psnr"] is not None and (row["width"], row["height"]) == (first["width"], first["height"])
    ]
    if points:
        (folder / "latency.png").write_bytes(draw_latency(points, LIGHT))


def _psnr(model: str) -> float | None:
    """Return the test score of a run, if the model is one."""
    scores = Path(model) / "metrics.json"
    psnr = json.loads(scores.read_text()).get("test/psnr") if scores.is_file() else None
    return psnr if isinstance(psnr, float) else None


def _method(model: str, trust: Sequence[str]) -> Method:
    if Path(model).exists():
        return load_method(model, trust)
    if model not in available("method"):
        raise ValueError(
            f"{model} is no method, no run and no checkpoint; methods: {', '.join(available('method'))}"
        )
    return build(load_config([f"method={model}"]).method)


def _run(method: Method, engine: str, folder: Path) -> Run:
    """Return what enhances images by a method in an engine."""
    if engine == "torch":
        return TorchEnhancer(method).enhance
    if engine == "bf16":
        return partial(_in_bf16, method)
    if engine == "compile":
        compiled = torch.compile(method.net)
        compiled(torch.rand(1, 3, 64, 64, device=method.device).contiguous(memory_format=torch.channels_last))
        return partial(_compiled, method, compiled)
    from lowlight.inference.export import WRITERS, export

    path = folder / f"{len(list(folder.iterdir()))}{WRITERS[engine][0]}"
    export(method, path, engine)
    return load_engine(path).enhance


def _in_bf16(method: Method, low: Tensor) -> Tensor:
    with torch.autocast(low.device.type, torch.bfloat16):
        return method.enhance(low)


def _compiled(method: Method, compiled: Run, low: Tensor) -> Tensor:
    net, method.net = method.net, compiled  # type: ignore[assignment]
    try:
        return method.enhance(low)
    finally:
        method.net = net


def _time_all(entries: Sequence[Entry], sizes: Sequence[tuple[int, int]], rounds: int, device: str) -> float:
    """Time entries in turn, and note their memory; return how a constant piece of work spread."""
    constant = torch.rand(512, 512)
    noise = []
    with torch.inference_mode():
        for size in sizes:
            low = torch.rand(1, 3, size[1], size[0], device=torch_device(device)) / 4
            for entry in entries:
                entry.run(low)
                entry.memory[size] = _memory(partial(entry.run, low), low.device)
                entry.seconds[size] = []
            for _ in range(rounds):
                noise.append(_seconds(lambda: [constant @ constant for _ in range(20)]))
                for entry in entries:
                    entry.seconds[size].append(_seconds(partial(entry.run, low)))
    low_end, _, high_end = statistics.quantiles(noise, n=4)
    return (high_end - low_end) / statistics.median(noise)


def _memory(work: Callable[[], object], device: torch.device) -> int:
    if device.type != "cuda":
        return taken_by(work)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    return torch.cuda.max_memory_allocated(device) - before


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _row(entry: Entry, size: tuple[int, int], baseline: Entry) -> dict[str, Any]:
    seconds, others = entry.seconds[size], baseline.seconds[size]
    first, _, third = statistics.quantiles(seconds, n=4)
    median = statistics.median(seconds)
    return {
        "model": entry.model,
        "engine": entry.engine,
        "width": size[0],
        "height": size[1],
        "parameters": sum(weight.numel() for weight in entry.method.net.parameters()),
        "gmac": _gmac(entry.method, size),
        "milliseconds": 1000 * median,
        "quartiles": [1000 * first, 1000 * third],
        "ratio": statistics.median(own / other for own, other in zip(seconds, others, strict=True)),
        "memory_mb": entry.memory[size] / 1e6,
        "megapixels_per_s": size[0] * size[1] / 1e6 / median,
        "psnr": _psnr(entry.model),
    }


def _gmac(method: Method, size: tuple[int, int]) -> float:
    """Return the multiply-accumulates for an image, in thousands of millions."""
    low = torch.rand(1, 3, size[1], size[0], device=method.device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():  # in inference mode it counts nothing
        method.restore(low)
    return float(counter.get_total_flops()) / 2e9


class _StepTimes(Callback):
    """Note the seconds of each training step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._start = 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        self.seconds.append(time.perf_counter() - self._start)


def _training(name: str, method: Method, batch: int, side: int, steps: int = 6) -> Mapping[str, Any] | None:
    """Time whole training steps, of the method's own optimisation, on random images."""
    if isinstance(method, Classical):
        return None
    if isinstance(method, TwoStages):
        method.coarse_epochs = 0  # the fine stage takes nearly all of the time
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
    )
    method.train()
    memory = taken_by(lambda: trainer.fit(method, DataLoader(pairs, batch_size=batch)))  # type: ignore[arg-type]
    seconds = statistics.median(times.seconds[1:])
    return {
        "model": name,
        "batch": batch,
        "side": side,
        "milliseconds": 1000 * seconds,
        "images_per_s": batch / seconds,
        "memory_mb": memory / 1e6,
    }
