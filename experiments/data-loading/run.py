"""Time an epoch of training crops, decoded anew and read from the cache.

Without ``--root``, 600x400 PNG pairs made from the embedded photographs are written to a temporary folder.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from lowlight.data import DarkenedPhotographs, PairDataModule


def write_pairs(root: Path, views: int) -> None:
    items = DarkenedPhotographs(views=views, size=(600, 400), exposures=1).items("train", "views")
    for item in items:
        for role, pixels in zip(("low", "high"), item.read(), strict=True):
            path = root / "train" / role / f"{Path(item.name).name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


def set_up(root: Path, cache_dir: Path | None, workers: int) -> PairDataModule:
    data = PairDataModule(
        root,
        batch_size=16,
        val_fraction=0,
        num_workers=workers,
        cache=cache_dir is not None,
        cache_dir=cache_dir,
    )
    data.setup("fit")
    return data


def time_epochs(data: PairDataModule, epochs: int) -> list[float]:
    """Return the milliseconds per pair, for each epoch."""
    loader, pairs, times = data.train_dataloader(), len(data.datasets["train"]), []
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        start = time.perf_counter()
        for _ in loader:
            pass
        times.append(1000 * (time.perf_counter() - start) / pairs)
    return times


def measure(root: Path, epochs: int, workers: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        set_up(root, Path(folder), workers)
        first_set_up = time.perf_counter() - start
        start = time.perf_counter()
        cached = set_up(root, Path(folder), workers)
        later_set_up = time.perf_counter() - start
        from_cache = time_epochs(cached, epochs)
    decoding = time_epochs(set_up(root, None, workers), epochs)
    ratio = statistics.median(decoding[1:]) / statistics.median(from_cache[1:])
    return {
        "pairs": len(cached.datasets["train"]),
        "workers": workers,
        "set_up_s": {"first": round(first_set_up, 2), "later": round(later_set_up, 2)},
        "decoding_ms_per_pair": [round(value, 2) for value in decoding],
        "cached_ms_per_pair": [round(value, 2) for value in from_cache],
        "decoding_over_cached": round(ratio, 1),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder of pairs, such as LOL")
    parser.add_argument("--views", type=int, default=24, help="generated views per photograph (of four)")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file for the measurements")
    arguments = parser.parse_args()
    if arguments.epochs < 2:
        parser.error("--epochs must be at least 2: the first is not counted")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.root or Path(folder)
        if arguments.root is None:
            write_pairs(root, arguments.views)
        text = json.dumps(measure(root, arguments.epochs, arguments.workers), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
