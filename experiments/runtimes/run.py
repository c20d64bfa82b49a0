"""Time the default model in torch, OpenVINO, ONNX Runtime and in 8-bit integers on three kinds of CPU."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
CPUS = {
    "this CPU": {},
    "AVX2 with VNNI": AVX2 | {"ONEDNN_MAX_CPU_ISA": "AVX2_VNNI"},
    "AVX2": AVX2,
}
"""Environments that keep torch and OpenVINO from other instructions; ONNX Runtime heeds none."""

ENGINES = {
    "torch": {},
    "torch, bf16": {"precision": "bf16"},
    "OpenVINO": {"runtime": "openvino"},
    "ONNX Runtime": {"runtime": "onnx"},
    "OpenVINO, int8": {"precision": "int8"},
}


def measure(root: Path, rounds: int, limited: bool) -> list[dict[str, Any]]:
    """Measure the engines in turn within each round, in this process."""
    import torch

    from lowlight.images import read_image, read_rgb, round_to_8_bits
    from lowlight.inference.load import choose
    from lowlight.inference.tiling.enhance import enhance_array

    engines = [name for name in ENGINES if not limited or name not in ("torch, bf16", "ONNX Runtime")]
    calibrate = {"calibrate": [root / "train" / "low"]}
    enhancers = {
        name: choose(device="cpu", **ENGINES[name], **(calibrate if "int8" in name else {}))
        for name in engines
    }
    lows = sorted((root / "test" / "low").iterdir())
    photograph = read_rgb(lows[0])
    down, across = (
        -(-length // side) for length, side in ((4000, photograph.shape[0]), (6000, photograph.shape[1]))
    )
    large = np.tile(photograph, (down, across, 1))[:4000, :6000]
    low = read_image(lows[0])[None]

    def seconds(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    small: dict[str, list[float]] = {name: [] for name in engines}
    big: dict[str, list[float]] = {name: [] for name in engines}
    with torch.inference_mode():
        for number in range(rounds + 1):
            for name in engines:
                small[name].append(seconds(partial(enhancers[name].enhance, low)))
                if number in (1, 2):
                    big[name].append(seconds(partial(enhance_array, enhancers[name], large)))
        psnr: dict[str, list[float]] = {name: [] for name in engines}
        for path in lows:
            high = read_image(next((root / "test" / "high").glob(f"{path.stem}.*")))[None]
            for name in engines:
                error = round_to_8_bits(enhancers[name].enhance(read_image(path)[None])) - high
                psnr[name].append(float(-10 * error.square().mean().log10()))
    rows = []
    for name in engines:
        of_torch = zip(small["torch"][1:], small[name][1:], strict=True)
        losses = [before - after for before, after in zip(psnr["torch"], psnr[name], strict=True)]
        rows.append(
            {
                "engine": name,
                "milliseconds": 1000 * statistics.median(small[name][1:]),
                "ratio": statistics.median(torch_ / own for torch_, own in of_torch),
                "seconds_24_megapixels": min(big[name]),
                "ratio_24_megapixels": min(big["torch"]) / min(big[name]),
                "psnr": statistics.mean(psnr[name]),
                "loss": statistics.mean(losses),
                "largest_loss": max(losses),
                "note": enhancers[name].note,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="Folder of LOL's pairs")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the measurements")
    parser.add_argument("--rounds", type=int, default=11, help="Timed calls per engine")
    parser.add_argument("--cpu", choices=list(CPUS), help="Measure this kind alone, in this process")
    arguments = parser.parse_args()
    if arguments.cpu:
        rows = measure(arguments.root, arguments.rounds, limited=bool(CPUS[arguments.cpu]))
        arguments.out.write_text(json.dumps(rows, indent=2) + "\n")
        return
    results = {}
    for cpu, limits in CPUS.items():
        command = [sys.executable, __file__, str(arguments.root), "--out", str(arguments.out), "--cpu", cpu]
        command += ["--rounds", str(arguments.rounds)]
        subprocess.run(command, check=True, env=os.environ | {"OMP_WAIT_POLICY": "passive"} | limits)
        results[cpu] = json.loads(arguments.out.read_text())
        for row in results[cpu]:
            print(cpu, row, flush=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
