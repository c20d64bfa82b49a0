"""Score coarse_to_fine with the references' own averages in place of the predicted ones, on validation."""

import argparse
import json
from pathlib import Path
from typing import cast

import numpy as np
import torch

from lowlight.checkpoints.load import load_method
from lowlight.checkpoints.recipe import make
from lowlight.config import load_config
from lowlight.data.pairs import set_of
from lowlight.images import pad_to_stride, round_to_8_bits
from lowlight.metrics import psnr, psnr_gtmean, ssim
from lowlight.networks import CoarseToFine


def main() -> None:
    """Write ``limits.json``: means per source over held-out validation images."""
    parser = argparse.ArgumentParser(description=__doc__)
    for source in ("lol", "exposures", "bright"):
        parser.add_argument(f"--{source}", required=True)
    parser.add_argument("--model", required=True, help="Run or pretrained folder of coarse_to_fine")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    roots = [f"data.sets.{name}.root='{getattr(arguments, name)}'" for name in ("lol", "exposures", "bright")]
    data = make(load_config(["data=mixed", *roots]).data)
    data.setup("fit")
    net = cast("CoarseToFine", load_method(arguments.model).eval().net)
    rows: dict[str, list[list[float]]] = {}
    with torch.inference_mode():
        for batch in data.val_dataloader():
            low, high = (pad_to_stride(batch[key], net.stride) for key in ("low", "high"))
            height, width = batch["low"].shape[-2:]
            scene = net.scene(low)
            scores = []
            for bright in (scene.bright, net.pool(net.average(high))):
                restored = net.restore(low, scene._replace(bright=bright))[..., :height, :width]
                enhanced = round_to_8_bits(restored)
                scores += [measure(enhanced, batch["high"]).item() for measure in (psnr, psnr_gtmean, ssim)]
            rows.setdefault(set_of(batch["name"][0]), []).append(scores)
    names = [f"{metric}{whose}" for whose in ("", "_true") for metric in ("psnr", "psnr_gtmean", "ssim")]
    means = [
        {"source": source, "images": len(table)}
        | dict(zip(names, np.mean(table, axis=0).round(3).tolist(), strict=True))
        for source, table in rows.items()
    ]
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "limits.json").write_text(json.dumps(means, indent=1) + "\n")
    print(*means, sep="\n")


if __name__ == "__main__":
    main()
