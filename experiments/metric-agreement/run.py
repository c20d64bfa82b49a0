"""Compare PSNR, SSIM and CIEDE2000 with scikit-image's, and SSIM's time with torchmetrics'.

Each test pair of ``--root`` is cropped to an odd size; the dark image times five, in 8 bits, stands for an
enhanced image.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as mp
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from lowlight.data import PairDataModule
from lowlight.images import round_to_8_bits
from lowlight.metrics import ImageScores, delta_e, psnr, ssim, ssim_gray, ssim_uniform7
from lowlight.runs.provenance import provenance

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
SIZE = (397, 593)
OURS = {
    "psnr": psnr,
    "ssim": ssim,
    "ssim_uniform7": ssim_uniform7,
    "ssim_gray": ssim_gray,
    "delta_e": delta_e,
}


def array(image: Tensor) -> np.ndarray:
    return image.movedim(0, -1).double().numpy()


def scikit_ssim(one: np.ndarray, two: np.ndarray, border: int, **form: object) -> float:
    axis = -1 if one.ndim == 3 else None
    *_, full = structural_similarity(one, two, channel_axis=axis, data_range=1.0, full=True, **form)
    return float(full[border:-border, border:-border].mean())


def scikit(enhanced: Tensor, high: Tensor) -> dict[str, float]:
    one, two = array(enhanced), array(high)
    grey = np.array([0.299, 0.587, 0.114])
    return {
        "psnr": float(peak_signal_noise_ratio(two, one, data_range=1.0)),
        "ssim": scikit_ssim(one, two, 5, **GAUSSIAN),
        "ssim_uniform7": scikit_ssim(one, two, 3),
        "ssim_gray": scikit_ssim(one @ grey, two @ grey, 5, **GAUSSIAN),
        "delta_e": float(deltaE_ciede2000(rgb2lab(one), rgb2lab(two)).mean()),
    }


def pairs(root: Path, size: tuple[int, int] | None) -> list[tuple[str, Tensor, Tensor]]:
    """Return name, enhanced image and reference per test pair, cropped to ``size`` or to an odd size each."""
    data = PairDataModule(root)
    data.setup("test")
    found = []
    for index, batch in enumerate(data.test_dataloader()):
        height, width = size or (SIZE[0] - 2 * index, SIZE[1] - 4 * index)
        low, high = (batch[role][..., :height, :width] for role in ("low", "high"))
        found.append((batch["name"][0], round_to_8_bits(low * 5), high))
    return found


def batched(images: list[tuple[str, Tensor, Tensor]], size: int) -> ImageScores:
    scores = ImageScores(OURS)
    for start in range(0, len(images), size):
        names, enhanced, high = zip(*images[start : start + size], strict=True)
        joined = torch.cat(high)
        scores.update(torch.cat(enhanced), {"low": joined, "high": joined, "name": list(names)})
    return scores


def one_of_two(rank: int, root: Path, store: str, results: mp.Queue) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    images = pairs(root, SIZE)
    share = (images + images[:1])[rank::2]  # a distributed sampler repeats an image to fill both shares
    scores = batched(share, 5)
    means = {key: float(value) for key, value in scores.compute().items()}
    if rank == 0:
        results.put(means)
    torch.distributed.barrier()


def worst(expected: dict[str, float], got: dict[str, float]) -> dict[str, float]:
    return {key: abs(expected[key] - got[key]) for key in expected}


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def greatest(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: max(row[key] for row in rows) for key in rows[0]}


def medians(functions: dict[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """Time functions in turn; return the median time of each in milliseconds."""
    elapsed: dict[str, list[float]] = {name: [] for name in functions}
    for run in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if run:
                elapsed[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(times) for name, times in elapsed.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of LOL")
    parser.add_argument("--out", type=Path, help="JSON file for the measurements")
    arguments = parser.parse_args()

    singles = pairs(arguments.root, None)
    alone = [
        worst(
            scikit(enhanced[0], high[0]), {key: float(score(enhanced, high)) for key, score in OURS.items()}
        )
        for _, enhanced, high in singles
    ]
    images = pairs(arguments.root, SIZE)
    expected = [scikit(enhanced[0], high[0]) for _, enhanced, high in images]
    table = batched(images, 5).per_image()
    in_batches = [worst(row, table[name]) for (name, *_), row in zip(images, expected, strict=True)]
    results: mp.Queue = mp.get_context("spawn").Queue()
    with tempfile.TemporaryDirectory() as folder:
        store = f"{folder}/store"
        context = mp.spawn(one_of_two, (arguments.root, store, results), nprocs=2, join=False)
        means = results.get()
        context.join()
    differences = {
        "one image at a time, each of another odd size": greatest(alone),
        "batches of 5, the last one short": greatest(in_batches),
        "means of 2 processes": worst(mean(expected), means),
    }
    for name, row in differences.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.1e}" for key, value in row.items()))

    data = PairDataModule(arguments.root)
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    enhanced, high = round_to_8_bits(batch["low"] * 5), batch["high"]
    _, full = structural_similarity_index_measure(enhanced, high, data_range=1.0, return_full_image=True)
    valid = float(full[..., 5:-5, 5:-5].mean())
    times = medians(
        {
            "ours": lambda: ssim(enhanced, high),
            "torchmetrics": lambda: structural_similarity_index_measure(enhanced, high, data_range=1.0),
        }
    )
    speed = {
        "size": "x".join(map(str, enhanced.shape[:-3:-1])),
        "threads": torch.get_num_threads(),
        "milliseconds": times,
        "ratio": times["ours"] / times["torchmetrics"],
        "difference at valid positions": abs(float(ssim(enhanced, high)) - valid),
    }
    print(
        f"SSIM, ms: {times}; ratio {speed['ratio']:.3f}; "
        f"difference {speed['difference at valid positions']:.1e}"
    )
    if arguments.out:
        content = {"differences": differences, "speed": speed, "pairs": len(images), **provenance()}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
