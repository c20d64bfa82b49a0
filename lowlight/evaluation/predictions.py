"""Saved images: paired with the test images, and scored."""

import logging
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lowlight.callbacks.pictures import spread, write_triple
from lowlight.data import PairDataModule
from lowlight.data.pairs import list_images, refuse, stem_of
from lowlight.evaluation.scoring import summarise
from lowlight.images import read_image
from lowlight.metrics import ImageScores

log = logging.getLogger(__name__)


def score_files(
    files: Mapping[str, Path], data: PairDataModule, folder: Path, pictures: int, scores: ImageScores
) -> dict[str, Any]:
    """Score saved images as :func:`lowlight.evaluation.scoring.score` scores a method.

    Args:
        files: Saved image by the name of its test image.
        data: Data module, set up for testing.
        folder: Output folder of the table and the pictures.
        pictures: Number of images written as low, enhanced and reference.
        scores: Empty score table.

    Returns:
        The content of ``metrics.json``.

    Raises:
        ValueError: If a file cannot be read or its size differs from the reference's.
    """
    loader = data.test_dataloader()
    shown = spread(len(files), pictures)
    for index, batch in enumerate(loader):
        path = files[batch["name"][0]]
        enhanced = read_image(path)[None]
        if enhanced.shape != batch["high"].shape:
            (height, width), (right, wide) = enhanced.shape[-2:], batch["high"].shape[-2:]
            raise ValueError(
                f"{path}: is {width}x{height} pixels but its reference is {wide}x{right}; "
                "save predictions at the size of the test images"
            )
        scores.update(enhanced, batch)
        if index in shown:
            write_triple(folder, batch, enhanced)
    means = {key: float(mean) for key, mean in scores.compute().items()}
    return summarise(means, scores.per_image(), data, folder)


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def find_predictions(config: DictConfig, data: PairDataModule) -> dict[str, Path]:
    """Pair saved images with the test images by stem; with several sets, each has a folder of its own.

    Where the files of the set are not named like its images (``low00690.png`` of LOL-v2 is ``00690``), the
    saved ones may be named like the dark files or like the bright ones, too.

    Returns:
        Saved image by the name of its test image.

    Raises:
        ValueError: If the folder is missing or lies in ``output_dir``, or if a test image has no or several
            saved images.
    """
    root = Path(config.predictions).expanduser()
    if not root.is_dir():
        raise ValueError(f"predictions={root}: no such folder")
    if root.resolve().is_relative_to(Path(config.output_dir).resolve()):
        raise ValueError(
            f"predictions={root} lies in output_dir={config.output_dir}; choose another output_dir"
        )
    namings = _namings(data)
    found: dict[str, list[Path]] = {}
    for place in dict.fromkeys((root / stem).parent for stem in namings[0].values()):
        for path in list_images(place) if place.is_dir() else []:
            found.setdefault(_normal(str(path.relative_to(root).with_suffix(""))), []).append(path)
    wanted = max(namings, key=lambda stems: sum(stem in found for stem in stems.values()))
    problems = [f"{stem} is missing" for stem in wanted.values() if stem not in found]
    problems += [
        f"{found[stem][0].name} and {found[stem][1].name} have the same stem"
        for stem in wanted.values()
        if len(found.get(stem, [])) > 1
    ]
    if problems:
        refuse(root, problems, "Every test image needs exactly one prediction with its stem.")
    if extra := found.keys() - set(wanted.values()):
        belong = "1 image belongs" if len(extra) == 1 else f"{len(extra)} images belong"
        log.warning("%s: %s to no test image, so not scored: %s", root, belong, ", ".join(sorted(extra)[:5]))
    return {name: found[stem][0] for name, stem in wanted.items()}


def _namings(data: PairDataModule) -> list[dict[str, str]]:
    """Return how saved test images may be named: their paths without suffix, by the image's name.

    First as the images themselves, then as their dark or their bright files where these differ in stem.
    """
    own = {
        item.name: _normal(data.image_file(item.name).removesuffix(".png"))
        for item in data.datasets["test"].items
    }
    namings = [own]
    for side in ("low", "high"):
        files = {item.name: getattr(item, side, None) for item in data.datasets["test"].items}
        stems = {
            name: str(Path(own[name]).with_name(stem_of(file))) if isinstance(file, Path) else own[name]
            for name, file in files.items()
        }
        if len(set(stems.values())) == len(stems):
            namings.append(stems)
    return namings
