"""Made-up run folders, laid out as by `lowlight train` and `lowlight evaluate`."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor

from lowlight.images import from_uint8, write_image

NAMES = ("eval15/1", "eval15/22", "eval15/79")
DEFINITIONS = {
    "psnr": "peak signal-to-noise ratio in dB, RGB, per image, then averaged",
    "ssim": "structural similarity, Gaussian 11x11 window of sigma 1.5",
    "exposure": "positive where the BT.601 luminance is at least 0.5",
    "channel": "the class is the dominant channel of R, G, B",
}


class Brighten:
    """Stand-in for a loaded method."""

    def enhance(self, low: Tensor) -> Tensor:
        return torch.clamp(low * 4, 0, 1)

    def to(self, device: Any) -> "Brighten":
        return self


def load(folder: Path, trust: Sequence[str] = ()) -> Brighten:
    """Stand-in for `lowlight.checkpoints.load.load_run`."""
    return Brighten()


def scene(index: int, size: tuple[int, int] = (64, 96)) -> NDArray[np.uint8]:
    """Draw a little landscape of shape (H, W, 3)."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / np.array(size).reshape(2, 1, 1)
    hill = (y > 0.6 + 0.1 * np.sin(7 * x + 2 * index))[..., None]
    sky = np.stack([0.5 + 0.3 * y, 0.6 + 0.2 * y, 0.9 - 0.2 * x], -1)
    sun = ((x - 0.2 * index - 0.3) ** 2 + (y - 0.25) ** 2 < 0.01)[..., None]
    picture = np.where(hill, [0.3, 0.55, 0.25], np.where(sun, [1, 0.9, 0.5], sky))
    return np.asarray((picture * 255).round(), dtype=np.uint8)


def write_run(
    folder: Path,
    method: str = "mirnet",
    *,
    psnr: float = 21.0,
    seed: int = 0,
    epochs: int = 20,
    stopped: str = "finished",
    gan: bool = False,
    names: Sequence[str] = NAMES,
    config: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
    per_image: Sequence[float] | None = None,
    scenes: Sequence[str] | None = None,
) -> Path:
    """Write a run folder whose scores follow from ``psnr``; zero epochs mean a method without training."""
    folder.mkdir(parents=True)
    scores = {"psnr": psnr, "ssim": min(psnr / 30, 1.0)}
    scores |= {
        f"{group}/{name}": start + min(psnr, 40) / 200
        for group, start in (("exposure", 0.7), ("channel", 0.5))
        for name in ("accuracy", "precision", "recall", "f1")
    }
    content = {f"test/{key}": "Infinity" if math.isinf(value) else value for key, value in scores.items()}
    content |= {
        "test/loss": 0.1,
        "split": "test",
        "images": len(names),
        "size": "native",
        "rounding": "8-bit",
    }
    content |= {"definitions": DEFINITIONS} | (metrics or {})
    (folder / "metrics.json").write_text(json.dumps(content))
    with (folder / "per_image.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", *(["scene"] if scenes else []), *scores])
        writer.writeheader()
        rows = [{"name": name} | scores for name in names]
        for row, value in zip(rows, per_image or (), strict=bool(per_image)):
            row["psnr"] = value
        for row, label in zip(rows, scenes or (), strict=bool(scenes)):
            row["scene"] = label
        writer.writerows(rows)
    whole = {
        "method": {"name": method, "optimizer": {"lr": 2e-4}},
        "data": {"root": "LOL", "num_workers": seed, "seed": seed},
        "trainer": {"max_epochs": epochs},
        "callbacks": {"best": {"dirpath": str(folder)}},
        "objective": {"metric": "val/psnr", "mode": "max"},
        "seed": seed,
        "output_dir": str(folder),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(whole | (config or {})))
    facts = {
        "lowlight": "0.1.0",
        "versions": {"python": "3.11.9", "torch": "2.13.0"},
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "seed": seed,
        "machine": {"processor": "Imaginary CPU", "cores": 2, "memory_gib": 8.0},
        "train_minutes": epochs / 4,
        "epochs": epochs,
        "max_epochs": 2 * epochs if stopped == "max_time" else epochs,
        "stopped": stopped,
        "parameters": 31_787_419 if epochs else 0,
        "data": {
            "sets": {"LOL": {"train": 436, "val": 49, "test": len(names)}},
            "split": "standard",
            "augment": True,
            "resize": None,
            "scene_groups": {},
            "seed": 0,
        },
        "method": method,
        "command": ["lowlight", "train", f"method={method}", "data.root='a folder'"],
    }
    (folder / "manifest.json").write_text(json.dumps(facts | (manifest or {})))
    if epochs:
        _write_curves(folder, psnr, epochs, seed, gan)
    _write_pictures(folder, psnr, epochs, names)
    return folder


def _write_curves(folder: Path, psnr: float, epochs: int, seed: int, gan: bool) -> None:
    random = np.random.default_rng(seed)
    rows: list[dict[str, float]] = []
    for epoch in range(1, epochs + 1):
        rise = 1 - math.exp(-5 * epoch / epochs) + 0.01 * random.normal()
        row = {"epoch": epoch, "train/loss": 0.4 - 0.3 * rise, "val/loss": 0.42 - 0.29 * rise}
        row |= {"train/psnr": 8 + (psnr - 8) * rise, "val/psnr": 8 + (psnr - 8.5) * rise - 0.02 * epoch}
        row |= {"train/channel/accuracy": 0.4 + 0.3 * rise, "val/channel/accuracy": 0.4 + 0.25 * rise}
        if gan:
            row |= {"train/generator_loss": 40 - 30 * rise, "train/discriminator_loss": 0.7 - 0.3 * rise}
            row |= {"train/discriminator_accuracy": 0.5 + 0.3 * rise}
        rows.append(row)
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _write_pictures(folder: Path, psnr: float, epochs: int, names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        triple = folder / "pictures" / "test" / name.replace("/", "__")
        high = from_uint8(scene(index))
        write_image(high * 0.12, triple / "low.png")
        write_image(high * min(psnr / 25, 1), triple / "enhanced.png")
        write_image(high, triple / "high.png")
    if epochs:
        progress, high = folder / "pictures" / "progress", from_uint8(scene(9))
        write_image(high * 0.12, progress / "low.png")
        write_image(high, progress / "high.png")
        for epoch in sorted({1, 1 + epochs // 3, 1 + 2 * epochs // 3, epochs}):
            write_image(high * (0.3 + 0.6 * epoch / epochs), progress / f"epoch-{epoch:04d}.png")
