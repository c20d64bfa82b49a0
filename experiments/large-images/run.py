"""Measure memory and time of tiled enhancement of large photographs, and compare tiles with the whole image.

The photographs are synthetic: a smooth coloured picture with noise, repeated to the size. Each large one is
enhanced in its own process, whose peak memory is read from the operating system.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lowlight.checkpoints.load import load
from lowlight.checkpoints.recipe import build
from lowlight.config import load_config
from lowlight.images import read_rgb
from lowlight.inference.tiling.enhance import enhance_array
from lowlight.runtimes.torch_enhancer import TorchEnhancer

SIZES = {6: (3000, 2000), 24: (6000, 4000), 100: (12288, 8192)}
"""Width and height in pixels, keyed by megapixels."""
MEMORY = {6: 2 * 10**9, 24: 2 * 10**9, 100: 3 * 10**9}
"""Memory limit in bytes, keyed by megapixels."""
METHODS = ("autoencoder", "gan", "mirnet")


def picture(width: int, height: int, dtype: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(5, 120, (8, 12, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((1500, 1000), Image.Resampling.BICUBIC), np.float32)
    view = np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255) * (np.iinfo(dtype).max / 255)
    photograph = np.empty((height, width, 3), dtype)
    for top in range(0, height, 1000):
        for left in range(0, width, 1500):
            part = photograph[top : top + 1000, left : left + 1500]
            part[...] = view[: part.shape[0], : part.shape[1]]
    return photograph


class Watched(TorchEnhancer):
    """Records the largest tile."""

    largest = (0, 0)

    def enhance(self, low: torch.Tensor) -> torch.Tensor:
        self.largest = max(self.largest, tuple(low.shape[-2:]), key=lambda size: size[0] * size[1])
        return super().enhance(low)


def enhancer_of(name: str, checkpoints: dict[str, str]) -> Watched:
    """Build a small network of the study, with a checkpoint's weights or random ones from a fixed seed."""
    torch.manual_seed(0)
    if name in checkpoints:
        return Watched(load(checkpoints[name]))
    return Watched(build(load_config([f"experiment=study/{name}"]).method))


def enhance_large(name: str, megapixels: int, checkpoints: dict[str, str]) -> dict[str, object]:
    width, height = SIZES[megapixels]
    enhancer, pixels = enhancer_of(name, checkpoints), picture(width, height)
    start = time.perf_counter()
    enhance_array(enhancer, pixels, max_memory=MEMORY[megapixels])
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "method": name,
        "megapixels": round(width * height / 1e6, 1),
        "largest_tile": list(enhancer.largest),
        "seconds": round(seconds, 1),
        "megapixels_per_s": round(width * height / 1e6 / seconds, 2),
        "peak_gb": round(peak / 1e9, 2),
        "allowed_gb": MEMORY[megapixels] / 1e9,
    }


def in_own_process(name: str, megapixels: int, arguments: argparse.Namespace) -> dict[str, object]:
    command = [sys.executable, __file__, "--one", name, str(megapixels), "--threads", str(arguments.threads)]
    command += [text for pair in arguments.checkpoint for text in ("--checkpoint", pair)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def compare(name: str, checkpoints: dict[str, str], pixels: np.ndarray) -> dict[str, object]:
    """Enhance an image whole and in tiles of two sizes; return differences in levels of 255.

    Results are kept in 16 bits, so that rounding hides nothing. A seam is a difference between the two
    tilings, whose borders lie in different places.
    """
    enhancer = enhancer_of(name, checkpoints)
    whole, small, large = (
        enhance_array(enhancer, pixels, tile=side).astype(np.float32) / 257 for side in (10**6, 1, 512)
    )
    difference = np.abs(large - whole)
    return {
        "method": name,
        "halo": enhancer.halo,
        "contrast": round(float(whole.std()), 1),
        "greatest_difference": round(float(difference.max()), 3),
        "mean_difference": round(float(difference.mean()), 3),
        "greatest_seam": round(float(np.abs(large - small).max()), 3),
    }


def time_tiles(name: str, checkpoints: dict[str, str]) -> dict[str, object]:
    """Time 6 megapixels with several tile sides, in turn, twice; return the faster time per side."""
    enhancer, pixels, best = enhancer_of(name, checkpoints), picture(*SIZES[6]), {}
    for _ in range(2):
        for side in (320, 512, 768, 1024, 1536):
            start = time.perf_counter()
            enhance_array(enhancer, pixels, tile=side)
            seconds = time.perf_counter() - start
            best[str(side)] = round(min(seconds, best.get(str(side), seconds)), 2)
    return {"method": name, "seconds": best}


def measure(arguments: argparse.Namespace, checkpoints: dict[str, str]) -> dict[str, object]:
    pixels = picture(1500, 1000, np.uint16)
    photograph = {"made": pixels}
    for path in arguments.photograph:
        photograph[path.name] = read_rgb(path).astype(np.uint16) * 257
    return {
        "large": [
            in_own_process(name, megapixels, arguments)
            for name in arguments.methods
            for megapixels in arguments.megapixels
        ],
        "tiled_against_whole": [
            {"image": title, "size": list(image.shape[1::-1]), **compare(name, checkpoints, image)}
            for title, image in photograph.items()
            for name in METHODS
        ],
        "tile_speed": [time_tiles(name, checkpoints) for name in arguments.methods]
        if arguments.speed
        else [],
        "weights": {name: "trained" if name in checkpoints else "seed 0" for name in METHODS},
        "threads": arguments.threads,
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", action="append", default=[], metavar="METHOD=PATH")
    parser.add_argument("--methods", nargs="*", default=["autoencoder", "mirnet"], choices=METHODS)
    parser.add_argument("--megapixels", nargs="*", type=int, default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--photograph", nargs="*", type=Path, default=[], help="photographs to compare, too")
    parser.add_argument("--speed", action="store_true", help="also time several tile sizes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="JSON file for the measurements")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    checkpoints = dict(pair.split("=", 1) for pair in arguments.checkpoint)
    if arguments.one:
        print(json.dumps(enhance_large(arguments.one[0], int(arguments.one[1]), checkpoints)))
        return
    text = json.dumps(measure(arguments, checkpoints), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
