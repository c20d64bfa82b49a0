"""Measure a part of what lowlight does on a GPU, and write it as JSON.

Parts: ``machine`` (what there is), ``latency`` (the default method per precision, and how far its outputs
move), ``tiles`` (a large photograph under a limit of the GPU's memory) and ``training`` (an epoch of each
learned method in 16-mixed, bf16-mixed and compiled). On a CPU every part is a rehearsal in tiny form.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lowlight.benchmark import benchmark
from lowlight.checkpoints.recipe import make
from lowlight.config import load_config
from lowlight.files import first_line, read_json, write_json
from lowlight.inference.load import ready
from lowlight.inference.tiling.enhance import enhance_array
from lowlight.precision import computes_bf16
from lowlight.runs.provenance import provenance
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from lowlight.training import train

Save = Callable[[Any], None]

GPU_LIMIT = 2 * 10**9
"""Bytes of GPU memory that the tiles may take."""

METHODS = {
    "autoencoder": ["experiment=study/autoencoder"],
    "gan": ["experiment=study/gan"],
    "mirnet": ["experiment=study/mirnet"],
    "coarse_to_fine": [
        "method=coarse_to_fine",
        "method.coarse_epochs=1",
        "data.patch_size=null",
        "data.batch_size=2",
    ],
}
"""Overrides per learned method; an epoch of coarse_to_fine is one of each stage."""

TINY = {
    "autoencoder": ["method.net.channels=[8,8,8,8,8]"],
    "gan": ["method.net.channels=8", "method.net.depth=3", "method.discriminator.channels=8"],
    "mirnet": ["method.net.channels=8", "method.net.reduction=2"],
    "coarse_to_fine": ["method.net.cells=8", "method.net.coarse_channels=[8,8]", "method.patch_size=32"],
}
"""Further overrides of the rehearsal."""

VARIANTS = {
    "16-mixed": ["trainer.precision=16-mixed"],
    "bf16-mixed": ["trainer.precision=bf16-mixed"],
    "compiled": ["trainer.precision=auto", "compile=true"],
}


def machine(device: str, save: Save) -> None:
    about: dict[str, Any] = {
        "device": device,
        "computes_bf16": computes_bf16(device),
        "cuda": torch.version.cuda,
    }
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        about["gpu"] = properties.name
        about["memory_gb"] = round(properties.total_memory / 1e9, 1)
        about["capability"] = list(torch.cuda.get_device_capability())
    save(about | provenance())


def latency(device: str, save: Save) -> None:
    """Time the default method, and compare its outputs with float32's, in levels of 255."""
    tiny = device == "cpu"
    engines = ["torch", "bf16", "fp16"] + ([] if tiny else ["compile"])
    sizes = [(64, 48)] if tiny else [(600, 400), (3000, 2000)]
    result = benchmark(
        ["coarse_to_fine"], sizes=sizes, engines=engines, rounds=3 if tiny else 20, device=device
    )
    save(result)
    config = load_config(["data=synthetic", *(["data.sets.synthetic.size=[64,48]"] if tiny else [])])
    data = make(config.data)
    data.setup("test")
    images = [data.datasets["test"][index]["low"][None] for index in range(2 if tiny else 12)]
    method = ready("coarse_to_fine", device)
    exact = [TorchEnhancer(method, "fp32").enhance(image) for image in images]
    for precision in ("bf16", "fp16"):
        enhancer = TorchEnhancer(method, precision)
        moved = [(enhancer.enhance(low) - one).abs() * 255 for low, one in zip(images, exact, strict=True)]
        result.setdefault("levels", {})[precision] = {
            "greatest": max(round(float(one.max()), 3) for one in moved),
            "mean": round(float(torch.stack([one.mean() for one in moved]).mean()), 4),
            "images": len(images),
        }
    save(result)


def tiles(device: str, save: Save) -> None:
    """Enhance a large photograph whole, if it fits, and in tiles under a limit of the GPU's memory."""
    height, width = (96, 144) if device == "cpu" else (4000, 6000)
    rows, columns = np.arange(height)[:, None], np.arange(width)
    ramp = (rows * 37 // 100 + columns * 23 // 100) % 60
    noise = np.random.default_rng(0).integers(0, 9, (height, width, 3))
    pixels = (ramp[..., None] + noise).astype(np.uint8)
    enhancer = TorchEnhancer(ready("coarse_to_fine", device))
    result: dict[str, Any] = {"width": width, "height": height, "limit_gb": GPU_LIMIT / 1e9}
    outputs = {}
    for name in ("whole", "limited"):
        tile = (32 if device == "cpu" else None) if name == "limited" else max(height, width)
        if device == "cuda":
            torch.cuda.empty_cache()
            share = GPU_LIMIT / torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(min(share, 1.0) if name == "limited" else 1.0)
            torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        try:
            outputs[name] = enhance_array(enhancer, pixels, max_memory=2 * 10**10, tile=tile)
        except (RuntimeError, ValueError) as error:
            result[name] = {"error": first_line(error)}
            continue
        result[name] = {"seconds": round(time.perf_counter() - began, 2)}
        if device == "cuda":
            result[name]["gpu_peak_gb"] = round(torch.cuda.max_memory_reserved() / 1e9, 2)
        save(result)
    if len(outputs) == 2:
        difference = np.abs(outputs["whole"].astype(int) - outputs["limited"])
        result["greatest_difference_in_levels"] = int(difference.max())
    save(result)


def training(device: str, save: Save) -> None:
    """Train an epoch of each learned method in each variant; record what fails and go on."""
    tiny = device == "cpu"
    always = ["trainer.check_val_every_n_epoch=1", "trainer.enable_progress_bar=false"]
    always.append(f"trainer.accelerator={'cpu' if tiny else 'gpu'}")
    if tiny:
        always += ["data.sets.synthetic.size=[64,48]", "data.batch_size=2"]
        always += [f"data.sets.synthetic.{key}=1" for key in ("views", "test_views")]
        always += [f"trainer.limit_{stage}_batches=1" for stage in ("train", "val", "test")]
    rows: list[dict[str, Any]] = []
    for variant, settings in VARIANTS.items():
        for name, method in METHODS.items():
            row: dict[str, Any] = {"method": name, "variant": variant}
            overrides = [*method, *settings, *always, *(TINY[name] if tiny else [])]
            overrides.append(f"trainer.max_epochs={2 if name == 'coarse_to_fine' else 1}")
            began = time.perf_counter()
            if not tiny:
                torch.cuda.reset_peak_memory_stats()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    metrics = train(load_config([*overrides, f"output_dir='{folder}/run'"]))
                    row["psnr"] = round(metrics["test/psnr"], 2)
                    row["precision"] = read_json(Path(folder) / "run" / "manifest.json")["precision"]["used"]
                except Exception as error:  # the next one may work
                    row["error"] = f"{type(error).__name__}: {first_line(error)}"
            row["seconds"] = round(time.perf_counter() - began, 1)
            if not tiny:
                row["gpu_peak_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
            rows.append(row)
            print(row, flush=True)
            save({"epochs": rows})
    if any("error" in row for row in rows):
        raise SystemExit("some epochs failed; see the file")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {part.__name__: part for part in (machine, latency, tiles, training)}
    parser.add_argument("part", choices=parts)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the measurements")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device is here; LOWLIGHT_DEVICE=cpu rehearses without one")
    parts[arguments.part](arguments.device, lambda result: write_json(arguments.out, result))


if __name__ == "__main__":
    main()
