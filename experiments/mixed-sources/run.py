"""Score models on held-out scenes of each source of data=mixed, and enhance dark photographs by them."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

import lowlight
from lowlight.checkpoints.recipe import make
from lowlight.colour import luma
from lowlight.config import load_config
from lowlight.data import PairDataModule
from lowlight.data.low_light import LowLightPhoto
from lowlight.data.night import sky_of
from lowlight.data.pairs import Split, set_of
from lowlight.decoding.reading import read_photo
from lowlight.evaluation.statistics import bootstrap_interval, compare_paired
from lowlight.images import from_uint8, read_rgb, round_to_8_bits
from lowlight.metrics import psnr, psnr_gtmean, ssim
from lowlight.metrics.delta_e import delta_e, lab
from lowlight.runtimes.enhancer import Enhancer

PAIRED = ("psnr", "psnr_gtmean", "ssim", "delta_e")
"""Scores whose differences from the first model's are tested."""

Pair = tuple[Tensor, Tensor, str]
"""Dark image, reference, and name of the scene."""

SIDE = 480
"""Longer side of a photograph on the contact sheets, in pixels."""


def chroma(image: Tensor) -> Tensor:
    """Return the mean CIE Lab chroma, shape (B,)."""
    return lab(image)[:, 1:].square().sum(1).sqrt().mean((1, 2))


def score(
    models: dict[str, Enhancer], roots: dict[str, str], limit: int | None, validation: bool = False
) -> list[dict[str, object]]:
    """Return one row per model and source: means with 95 % intervals, and differences from the first.

    ``validation`` takes the scenes held out for choosing in place of those of the test.
    """
    config = load_config(["data=mixed", *(f"data.sets.{name}.root='{root}'" for name, root in roots.items())])
    data = make(config.data)
    data.setup("fit")
    splits = {"lol": "test", "bright": "test", "exposures": "val"}
    splits |= dict.fromkeys(splits, "val") if validation else {}
    rows: list[dict[str, object]] = []
    splits["backlit"] = splits["bright"]
    for source, split in splits.items():
        first: dict[str, list[float]] = {}
        for name, model in models.items():
            table: dict[str, list[float]] = {}
            scenes = []
            pairs = backlit(data, split) if source == "backlit" else pairs_of(data, split, source)
            for low, high, scene in islice(pairs, limit):
                enhanced = round_to_8_bits(model.enhance(low))
                scenes.append(scene)
                values = {
                    "psnr": psnr(enhanced, high),
                    "psnr_gtmean": psnr_gtmean(enhanced, high),
                    "ssim": ssim(enhanced, high),
                    "delta_e": delta_e(enhanced, high),
                    "chroma": chroma(enhanced),
                    "reference_chroma": chroma(high),
                    "brightness": enhanced.mean() / high.mean(),
                }
                for key, value in values.items():
                    table.setdefault(key, []).append(float(value))
            row: dict[str, object] = {"model": name, "source": source, "split": split, "images": len(scenes)}
            row["scenes"] = len(set(scenes))
            for key, column in table.items():
                row |= {
                    key: float(np.mean(column)),
                    f"{key}_interval": list(bootstrap_interval(column, scenes)),
                }
            first = first or table
            if table is not first:
                row["minus_first"] = {key: paired(table[key], first[key], scenes) for key in PAIRED}
            row["chroma_share"] = float(np.mean(table["chroma"]) / np.mean(table["reference_chroma"]))
            rows.append(row)
            print({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
    return rows


def pairs_of(data: PairDataModule, split: Split, source: str) -> Iterator[Pair]:
    """Yield the pairs of a source, each of shape (1, 3, H, W), with their scenes."""
    dataset, labels = data.datasets[split], data.scene_labels(split)
    for index, item in enumerate(dataset.items):
        if set_of(item.name) == source:
            pair = dataset[index]
            yield pair["low"][None], pair["high"][None], labels[item.name]


def backlit(data: PairDataModule, split: Split) -> Iterator[Pair]:
    """Yield the bright photographs that show a sky, darkened anew against its light."""
    for item in data.datasets[split].items:
        if isinstance(item, LowLightPhoto) and 0.1 < sky_of(read_rgb(item.photo)).mean() < 0.8:
            images = replace(item, ranges=replace(item.ranges, backlit=1.0)).read()
            low, high = (from_uint8(image)[None] for image in images)
            yield low, high, item.scene


def paired(values: list[float], others: list[float], scenes: list[str]) -> dict[str, object]:
    """Return the mean difference on the same images, its 95 % interval over scenes, and Wilcoxon's p."""
    found = compare_paired(values, others, scenes)
    return {"mean": found.difference, "interval": [found.low, found.high], "p": found.p_value}


def sheets(models: dict[str, Enhancer], photographs: Sequence[Path], out: Path) -> list[dict[str, object]]:
    """Write contact sheets of photographs without a reference; return their mean luma before and after."""
    rows: list[dict[str, object]] = []
    strips = []
    for path in photographs:
        pixels = read_photo(path).pixels
        versions = {"photograph": pixels}
        for name, model in models.items():
            versions[name] = lowlight.enhance(pixels, model, fail_safe=False)
        means = {name: float(luma(image.astype(np.float32) / 255).mean()) for name, image in versions.items()}
        rows.append({"file": path.name, **means})
        strip = [_labelled(image, f"{name} {means[name]:.2f}") for name, image in versions.items()]
        strips.append(np.concatenate(strip, axis=1))
    for start in range(0, len(strips), 6):
        width = max(strip.shape[1] for strip in strips[start : start + 6])
        padded = [
            np.pad(one, ((0, 6), (0, width - one.shape[1]), (0, 0))) for one in strips[start : start + 6]
        ]
        Image.fromarray(np.concatenate(padded)).save(out / f"sheet-{start // 6:02}.jpg", quality=88)
    return rows


def _labelled(image: np.ndarray, text: str) -> np.ndarray:
    picture = Image.fromarray(image)
    picture.thumbnail((SIDE, SIDE))
    ImageDraw.Draw(picture).text((6, 4), text, fill="white", stroke_width=2, stroke_fill="black")
    return np.asarray(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("lol", "exposures", "bright"):
        parser.add_argument(f"--{name}", required=True, help="Folder of this source")
    parser.add_argument("--model", nargs=2, action="append", metavar=("NAME", "MODEL"), required=True)
    parser.add_argument("--dark", type=Path, help="Folder of dark photographs without references")
    parser.add_argument("--limit", type=int, help="Images per source")
    parser.add_argument("--validation", action="store_true", help="Score validation scenes, for choosing")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    models = {name: lowlight.load(path) for name, path in arguments.model}
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.dark:
        photographs = sorted(path for path in arguments.dark.rglob("*") if path.is_file())
        rows = sheets(models, photographs, arguments.out)
        (arguments.out / "dark.json").write_text(json.dumps(rows, indent=2) + "\n")
    roots = {name: getattr(arguments, name) for name in ("lol", "exposures", "bright")}
    rows = score(models, roots, arguments.limit, arguments.validation)
    (arguments.out / "scores.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
