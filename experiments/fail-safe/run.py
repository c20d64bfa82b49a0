"""Which photographs the fail-safe takes for dark, and which sound and damaged enhancements it refuses."""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import lowlight
from lowlight.decoding.photo import Pixels
from lowlight.decoding.reading import read_photo
from lowlight.inference.photos.fail_safe import Comparison, mean_luma, why_not_dark

OLD_BRIGHT = 0.4
"""Mean luma from which the former fail-safe took a photograph for bright."""

NOISE = np.random.default_rng(0)

Damage = Callable[[NDArray[np.float32]], NDArray[Any]]

DAMAGES: dict[str, Damage] = {
    "haze over 60 %": lambda image: 0.4 * image + 0.6 * 0.6,
    "haze over 75 %": lambda image: 0.25 * image + 0.75 * 0.6,
    "haze over 85 %": lambda image: 0.15 * image + 0.85 * 0.5,
    "noise of 0.1": lambda image: image + NOISE.normal(0, 0.1, image.shape),
    "noise of 0.2": lambda image: image + NOISE.normal(0, 0.2, image.shape),
    "noise only": lambda image: NOISE.random(image.shape),
    "black": lambda image: image * 0.0,
    "white": lambda image: image * 0.0 + 1,
    "grey": lambda image: image * 0.0 + 0.5,
    "red": lambda image: image * np.array([1, 0.2, 0.2]),
}
"""What is made of the best result there is: the reference, or else the first model's."""


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def judge_photographs(folders: dict[str, Path]) -> list[dict[str, object]]:
    """Return a row per folder: how many of its photographs are taken for dark, and by the former rule."""
    rows: list[dict[str, object]] = []
    for name, folder in folders.items():
        photographs = [read_photo(path).pixels for path in files(folder)]
        dark = sum(why_not_dark(pixels) is None for pixels in photographs)
        formerly = sum(mean_luma(pixels) < OLD_BRIGHT for pixels in photographs)
        rows.append({"set": name, "photographs": len(photographs), "dark": dark, "formerly_dark": formerly})
        print(rows[-1], flush=True)
    return rows


def pairs(dark: Path, step: int) -> Iterator[tuple[Pixels, Pixels | None]]:
    """Yield every step-th photograph of a folder, with the one of its name in ``../high`` if there is one."""
    references = {path.stem: path for path in files(dark.parent / "high")} if dark.name == "low" else {}
    for path in files(dark)[::step]:
        yield read_photo(path).pixels, read_photo(references[path.stem]).pixels if references else None


def judge_results(folders: dict[str, Path], models: list[str], each: int) -> list[dict[str, object]]:
    """Return a row per folder and kind of result: how many are refused, and why."""
    loaded = {name: lowlight.load(name) for name in models}
    rows: list[dict[str, object]] = []
    for folder_name, folder in folders.items():
        counts: dict[str, Counter[str]] = {}
        for pixels, reference in pairs(folder, max(1, len(files(folder)) // each)):
            results = {
                name: lowlight.enhance(pixels, model, fail_safe=False, max_memory=6 * 10**9)
                for name, model in loaded.items()
            }
            if reference is not None:
                results["reference"] = reference
            best = floats(results.get("reference", results[models[0]]))
            results |= {name: damage(best).clip(0, 1) for name, damage in DAMAGES.items()}
            for name, result in results.items():
                comparison = Comparison(pixels)
                comparison.add(window(floats(pixels)), window(floats(result)))
                counts.setdefault(name, Counter())[comparison.why_not_sound() or "sound"] += 1
        for name, count in counts.items():
            row = {"set": folder_name, "result": name, "photographs": count.total(), **count}
            rows.append(row)
            print(row, flush=True)
    return rows


def floats(image: NDArray[Any]) -> NDArray[np.float32]:
    white = 1 if image.dtype.kind == "f" else np.iinfo(image.dtype).max
    return image.astype(np.float32) / np.float32(white)


def window(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.moveaxis(image, -1, 0)[None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", nargs=2, action="append", metavar=("NAME", "FOLDER"), required=True)
    parser.add_argument("--enhance", action="append", metavar="NAME", default=[], help="Sets to enhance")
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--each", type=int, default=30, help="Photographs per enhanced set, at least")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    folders = {name: Path(folder) for name, folder in arguments.set}
    arguments.out.mkdir(parents=True, exist_ok=True)
    write(judge_photographs(folders), arguments.out / "photographs.json")
    chosen = {name: folders[name] for name in arguments.enhance}
    write(judge_results(chosen, arguments.model, arguments.each), arguments.out / "results.json")


def write(rows: list[dict[str, object]], path: Path) -> None:
    path.write_text("[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
