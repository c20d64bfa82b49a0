"""Score a method, or anybody's saved images, on the test images of a data set, per image and in total."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.profilers import PassThroughProfiler, Profiler
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from lowlight import run_folder
from lowlight.callbacks import EnhancedImages, TestPictures, spread, write_triple
from lowlight.checkpoint import build, make
from lowlight.data import PairDataModule
from lowlight.data.pairs import list_images, refuse
from lowlight.features import SIGMAS, opencv, study, summary
from lowlight.images import read_image
from lowlight.methods import Method
from lowlight.metrics import DEFINITIONS, all_scores
from lowlight.pretrained import load_method, locate
from lowlight.provenance import provenance
from lowlight.statistics import bootstrap_interval

log = logging.getLogger(__name__)

Table = Mapping[str, Mapping[str, float]]
"""The scores of each image, by the image's name and the score's key."""


def evaluate(config: DictConfig) -> dict[str, Any]:
    """Run what ``lowlight evaluate`` runs: score a checkpoint, a method that learns nothing, or saved images.

    Args:
        config: A composed ``evaluate`` config.

    Returns:
        The content of ``metrics.json``.

    Raises:
        ValueError: If not exactly one of ``checkpoint``, ``predictions`` and ``method`` is given, if it is
            unusable, or if ``output_dir`` holds a training run.
    """
    given = [key for key in ("checkpoint", "predictions", "method") if config.get(key) is not None]
    if len(given) != 1:
        raise ValueError(
            "give one of checkpoint=RUN_OR_CKPT, predictions=FOLDER and method=NAME (one that learns nothing)"
            + (f", not {' and '.join(given)}" if given else "")
        )
    method = _method(config)
    data = make(config.data)
    data.setup("test")
    files = _find_predictions(config, data) if method is None else {}
    if config.features:
        opencv()  # before anything is written
    _make_absolute(config)
    rank_zero_only(run_folder.prepare_evaluation)(config)
    folder = Path(config.output_dir)
    if method is None:
        metrics, is_zero = score_files(files, data, folder, config.pictures), True
    else:
        callbacks: list[Callback] = [TestPictures(folder, config.pictures)]
        if config.save_images:
            callbacks.append(EnhancedImages(folder / "images", data.image_file))
        trainer = make(config.trainer, logger=False, callbacks=callbacks)
        keep_profile(trainer, folder)
        metrics, is_zero = score(method, data, trainer, folder), trainer.is_global_zero
    if is_zero:
        if config.features:
            _match_features(method, files, data, folder, config.seed)
        run_folder.write_json(folder / "metrics.json", metrics)
        _copy_curves(config.checkpoint, folder)
        about = {"seed": config.seed, "data": data.describe()} | _about(config, method)
        run_folder.write_json(folder / "manifest.json", provenance() | about)
    return metrics


def _about(config: DictConfig, method: Method | None) -> dict[str, Any]:
    """Say for the manifest what was scored, and how it was trained."""
    if method is None:
        return {"method": config.name or Path(config.predictions).name, "predictions": config.predictions}
    return {
        "method": config.name or (method.recipe or {}).get("name", type(method).__name__),
        "parameters": sum(parameter.numel() for parameter in method.net.parameters()),
        **_training(config.checkpoint),
    }


def _method(config: DictConfig) -> Method | None:
    """Return the method to be scored; None where saved images are."""
    if config.predictions:
        return None
    if config.checkpoint:
        return load_method(config.checkpoint, trust=config.trust)
    method = build(config.method)
    if any(True for _ in method.parameters()):
        raise ValueError(f"method={config.method.name} must be trained first: give checkpoint=RUN_OR_CKPT")
    return method


def _make_absolute(config: DictConfig) -> None:
    """Store the paths of what is scored so that compare, which may run elsewhere, finds it."""
    for key in ("checkpoint", "predictions"):
        if config[key]:
            config[key] = str(locate(Path(config[key]).expanduser()).resolve())


def _training(checkpoint: str | None) -> dict[str, Any]:
    """Return what is known of how a method was trained: nothing took no time, a run folder tells."""
    if checkpoint is None:
        return {"epochs": 0, "train_minutes": 0.0, "stopped": "finished"}
    path = Path(checkpoint)
    manifest = (path if path.is_dir() else path.parent) / "manifest.json"
    known = run_folder.read_json(manifest) if manifest.exists() else {}
    kept: dict[str, Any] = {
        key: known[key]
        for key in ("seed", "epochs", "max_epochs", "best_epoch", "train_minutes", "stopped")
        if key in known
    }
    if "data" in known:
        kept["data_of_training"] = known["data"]
    config = manifest.with_name("config.yaml")
    if config.exists():
        kept["trained_as"] = run_folder.recipe(OmegaConf.to_container(OmegaConf.load(config)))  # type: ignore[arg-type]
    return kept


def _copy_curves(checkpoint: str | None, folder: Path) -> None:
    """Take over the curves of a checkpoint's training, where its run folder has them."""
    if checkpoint is not None:
        path = Path(checkpoint)
        curves = (path if path.is_dir() else path.parent) / "metrics.csv"
        if curves.exists():
            run_folder.write_text(folder / "metrics.csv", curves.read_text(encoding="utf-8"))


def keep_profile(trainer: pl.Trainer, folder: Path | str) -> None:
    """Let a profiler, if there is one, write its tables into a folder as ``<stage>-profile.txt``.

    Lightning would write them to its log, which the commands keep quiet.
    """
    profiler: Profiler = trainer.profiler  # type: ignore[attr-defined]
    if not isinstance(profiler, PassThroughProfiler):
        profiler.dirpath, profiler.filename = str(folder), "profile"


def score(method: Method, data: PairDataModule, trainer: pl.Trainer, folder: Path) -> dict[str, Any]:
    """Score a method on the test split and write ``per_image.csv``.

    Args:
        method: The method, with the weights to be scored.
        data: Gives the test images.
        trainer: Runs the test; its callbacks may write pictures.
        folder: Where the table goes.

    Returns:
        What belongs into ``metrics.json``: means by ``test/<key>``, and what they were measured on.
    """
    (means,) = trainer.test(method, datamodule=data, verbose=False)
    return _result(dict(means), method.test_table, data, folder)


def score_files(
    files: Mapping[str, Path], data: PairDataModule, folder: Path, pictures: int
) -> dict[str, Any]:
    """Score saved images as :func:`score` scores a method.

    Args:
        files: The saved image of each test image, by the test image's name.
        data: Gives the test images, set up.
        folder: Where the table and the pictures go.
        pictures: How many images are written as low, enhanced and reference.

    Returns:
        What belongs into ``metrics.json``.

    Raises:
        ValueError: If a file cannot be read or its size is not the reference's.
    """
    scores = all_scores()
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
    return _result(means, scores.per_image(), data, folder)


def _find_predictions(config: DictConfig, data: PairDataModule) -> dict[str, Path]:
    """Pair saved images with the test images by stem; those of several sets stand in a folder each.

    Raises:
        ValueError: If the folder is missing, lies in ``output_dir``, or an image in it is missing or double.
    """
    root = Path(config.predictions).expanduser()
    if not root.is_dir():
        raise ValueError(f"predictions={root}: no such folder")
    if root.resolve().is_relative_to(Path(config.output_dir).resolve()):
        raise ValueError(
            f"predictions={root} lies in output_dir={config.output_dir}; choose another output_dir"
        )
    found: dict[str, list[Path]] = {}
    for place in [root] if len(data.sets) == 1 else [root / name for name in data.sets]:
        for path in list_images(place) if place.is_dir() else []:
            found.setdefault(str(path.relative_to(root).with_suffix("")), []).append(path)
    wanted = {
        item.name: data.image_file(item.name).removesuffix(".png") for item in data.datasets["test"].items
    }
    problems = [f"{stem} is missing" for stem in wanted.values() if stem not in found]
    problems += [
        f"{found[stem][0].name} and {found[stem][1].name} have the same stem"
        for stem in wanted.values()
        if len(found.get(stem, [])) > 1
    ]
    if problems:
        refuse(root, problems, "Every test image needs exactly one prediction of its stem.")
    if extra := found.keys() - set(wanted.values()):
        belong = "1 image belongs" if len(extra) == 1 else f"{len(extra)} images belong"
        log.warning("%s: %s to no test image, so not scored: %s", root, belong, ", ".join(sorted(extra)[:5]))
    return {name: found[stem][0] for name, stem in wanted.items()}


def _result(means: dict[str, Any], table: Table, data: PairDataModule, folder: Path) -> dict[str, Any]:
    """Write the table of images; return the means with their intervals and what they were measured on."""
    scenes = data.test_scenes()
    rows = [{"name": name, "scene": scenes[name], **values} for name, values in table.items()]
    rank_zero_only(run_folder.write_table)(folder / "per_image.csv", rows)
    labels = [scenes[name] for name in table]
    described = data.describe()
    size = described["eval_size"]
    return {
        **means,
        "split": "test",
        "protocol": described["split"],
        "images": len(table),
        "scenes": len(set(labels)),
        "size": f"{size}x{size}" if size else "native",
        "rounding": "8-bit",
        "intervals": {
            key: list(bootstrap_interval([row[key] for row in table.values()], labels))
            for key in next(iter(table.values()))
        },
        "intervals_are": "95 % bootstrap over scenes of the mean over images",
        "definitions": DEFINITIONS,
    }


def _match_features(
    method: Method | None, files: Mapping[str, Path], data: PairDataModule, folder: Path, seed: int
) -> None:
    """Write ``features.csv``, a row an image, and ``features.json``, the means; saved images get no noise."""

    def enhance(low: Tensor, name: str) -> Tensor:
        return (
            read_image(files[name])[None] if method is None else method.enhance(low.to(method.device)).cpu()
        )

    log.info("matching features of %s test images", len(data.datasets["test"]))
    rows = study(enhance, data.test_dataloader(), SIGMAS if method else (0,), seed)
    run_folder.write_table(folder / "features.csv", rows)
    run_folder.write_json(folder / "features.json", summary(rows))
