"""Predict a reference's brightness from its dark image, by the coarse stage alone, in cross-validation.

Folds are by scene, so that test scenes are unseen; with ``--known`` they are by image, and only images whose
scene other training images show are tested. In each fold the coarse stage is trained as in the preset (but
without averaged weights) on images at a quarter of the size, whose grid averages are nearly the same. The
baseline predicts the mean log brightness of the training folds for every image.
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler

from lowlight.checkpoints.recipe import build
from lowlight.config import load_config
from lowlight.data import PairDataModule
from lowlight.data.scenes import scene_groups
from lowlight.images import Pair
from lowlight.methods import TwoStages
from lowlight.metrics.psnr import gt_mean, psnr
from lowlight.precision import training_precision
from lowlight.runs.provenance import provenance


def quartered(root: Path) -> tuple[list[Pair], list[int]]:
    """Return the training pairs of a folder at a quarter of their size, and the scene number of each."""
    data = PairDataModule(root, patch_size=None, batch_size=1, val_fraction=0, augment=False)
    data.setup("fit")
    pairs = data.datasets["train"]
    small = [
        {"low": F.avg_pool2d(pair["low"], 4), "high": F.avg_pool2d(pair["high"], 4), "name": pair["name"]}
        for pair in (pairs[index] for index in range(len(pairs)))
    ]
    groups = scene_groups(pairs.thumbnails(), [item.scene for item in pairs.items])
    scene = {index: number for number, group in enumerate(groups) for index in group}
    return small, [scene[index] for index in range(len(small))]


def flipped(pairs: list[Pair]) -> Pair:
    """Collate a batch, each pair flipped at random along either axis."""
    batch = {key: torch.stack([pair[key] for pair in pairs]) for key in ("low", "high")}
    for axis in (-1, -2):
        chosen = torch.rand(len(pairs), 1, 1, 1) < 0.5
        batch = {key: torch.where(chosen, image.flip(axis), image) for key, image in batch.items()}
    return batch | {"name": [pair["name"] for pair in pairs]}


def trained(pairs: list[Pair], epochs: int) -> TwoStages:
    """Train the coarse stage alone."""
    config = load_config(["experiment=lol_cpu/coarse_to_fine", f"trainer.max_epochs={epochs}"])
    config.method.coarse_epochs = epochs
    method = build(config.method)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        precision=training_precision(config.trainer).used,
        gradient_clip_val=config.trainer.gradient_clip_val,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    sampler = RandomSampler(pairs, replacement=True, num_samples=384)  # type: ignore[arg-type]
    trainer.fit(method, DataLoader(pairs, batch_size=32, sampler=sampler, collate_fn=flipped))  # type: ignore[arg-type]
    return method.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="folder of LOL")
    parser.add_argument("--epochs", type=int, default=60, help="epochs of the coarse stage, 12 steps each")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--known", action="store_true", help="test other images of training scenes")
    parser.add_argument("--out", type=Path, help="JSON file for the measurements")
    arguments = parser.parse_args()
    start = time.monotonic()
    pairs, scenes = quartered(arguments.root)
    units = range(len(pairs)) if arguments.known else scenes
    order = np.random.default_rng(0).permutation(sorted(set(units)))
    errors, constants, scores, tested = [], [], [], []
    for number, fold in enumerate(np.array_split(order, arguments.folds)):
        pl.seed_everything(number)
        seen = [index for index, unit in enumerate(units) if unit not in set(fold)]
        held = [index for index, unit in enumerate(units) if unit in set(fold)]
        shown = Counter(scenes[index] for index in seen)
        method = trained([pairs[index] for index in seen], arguments.epochs)
        usual = np.average(
            [pairs[index]["high"].mean().log().item() for index in seen],
            weights=[1 / shown[scenes[index]] for index in seen],
        )
        for index in held:
            if arguments.known and scenes[index] not in shown:
                continue
            low, high = (pairs[index][key][None] for key in ("low", "high"))
            with torch.no_grad():
                bright, wanted = method.net.scene(low).bright, method.net.average(high)
            log_wanted = wanted.mean().log().item()
            errors.append(bright.mean().log().item() - log_wanted)
            constants.append(usual - log_wanted)
            scores.append([psnr(bright, wanted).item(), psnr(gt_mean(bright, wanted), wanted).item()])
            tested.append(scenes[index])
    weights = [1 / tested.count(scene) for scene in tested]

    def rms(values: list[float]) -> float:
        return round(float(np.average(np.square(values), weights=weights)) ** 0.5, 3)

    plain, matched = np.average(scores, axis=0, weights=weights)
    result = {
        "known_scenes": arguments.known,
        "images": len(tested),
        "scenes": len(set(tested)),
        "log_exposure_error": rms(errors),
        "log_exposure_error_of_a_constant": rms(constants),
        "psnr_of_the_grid": round(float(plain), 2),
        "psnr_of_the_grid_gt_mean": round(float(matched), 2),
        "epochs": arguments.epochs,
        "minutes": round((time.monotonic() - start) / 60, 1),
        **provenance(),
    }
    print(json.dumps(result, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
