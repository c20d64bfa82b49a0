"""Compare the outputs and the speed of exported networks with torch.

The weights are random, from a fixed seed: neither agreement nor speed depends on training.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import onnxruntime
import openvino
import torch

from lowlight.benchmark.timing import time_methods
from lowlight.checkpoints.recipe import build
from lowlight.config import load_config
from lowlight.files import write_json
from lowlight.runs.provenance import provenance
from lowlight.runtimes.export import export
from lowlight.runtimes.load import load_engine
from lowlight.runtimes.table import RUNTIMES
from lowlight.runtimes.torch_enhancer import TorchEnhancer

METHODS = ("mirnet", "autoencoder", "gan")


def measure(overrides: list[str], size: tuple[int, int], repeats: int) -> dict[str, Any]:
    """Export to every format; return output differences, file sizes and times (engines in turn)."""
    torch.manual_seed(0)
    method = build(load_config(overrides).method).eval()
    result: dict[str, Any] = {
        "parameters": sum(parameter.numel() for parameter in method.net.parameters()),
        "stride": method.stride,
        "formats": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        engines = {"torch": TorchEnhancer(method)}
        for runtime in RUNTIMES:
            kind = runtime.name
            out = Path(folder) / kind / f"net{runtime.suffix}"
            begin = time.perf_counter()
            differences = export(method, out, kind, tolerance=1e-3)
            result["formats"][kind] = {
                "max_abs_difference": differences,
                "export_and_check_s": round(time.perf_counter() - begin, 1),
                "mebibytes": round(sum(path.stat().st_size for path in out.parent.iterdir()) / 2**20, 2),
            }
            engines[kind] = load_engine(out, trust=["torch.export"])
        low = torch.rand(1, 3, *size)
        functions = {name: engine.enhance for name, engine in engines.items()}
        timings = [time_methods(functions, low, rounds=15, budget=8) for _ in range(repeats)]
    result["timing"] = {
        "torch_ms": [round(timing.milliseconds["torch"], 1) for timing in timings],
        "times_faster_than_torch": {
            kind: [round(one.milliseconds["torch"] / one.milliseconds[kind], 2) for one in timings]
            for kind in result["formats"]
        },
        "rounds": [timing.rounds for timing in timings],
        "size": f"{size[1]}x{size[0]}",
        "load_average": os.getloadavg()[0],
    }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the measurements")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="also the published sizes; minutes, gigabytes")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found: dict[str, Any] = {
        "threads": arguments.threads,
        "seed": 0,
        "onnxruntime": onnxruntime.__version__,
        "openvino": openvino.__version__,
        "study": {},
        "published": {},
    }
    for name in METHODS:
        found["study"][name] = measure([f"experiment=study/{name}"], (400, 600), 3)
        print(name, json.dumps(found["study"][name]), flush=True)
        if arguments.full:
            found["published"][name] = measure([f"method={name}"], (256, 256), 1)
            print(name, json.dumps(found["published"][name]), flush=True)
    write_json(arguments.out, found | provenance())


if __name__ == "__main__":
    main()
