"""Score a method, or anybody's saved images, on the test images of a data set, per image and in total."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from lowlight.callbacks.pictures import EnhancedImages, TestPictures
from lowlight.checkpoints.load import load_method
from lowlight.checkpoints.pretrained import locate
from lowlight.checkpoints.recipe import build, make
from lowlight.data import PairDataModule
from lowlight.evaluation.feature_matching import SIGMAS, opencv, study, summary
from lowlight.evaluation.predictions import find_predictions, score_files
from lowlight.evaluation.scoring import score
from lowlight.files import read_json, write_json, write_table, write_text
from lowlight.images import read_image
from lowlight.methods import Method
from lowlight.runs.folder import prepare_evaluation
from lowlight.runs.profile import keep_profile
from lowlight.runs.provenance import provenance
from lowlight.runs.recipe import recipe

log = logging.getLogger(__name__)


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
    files = find_predictions(config, data) if method is None else {}
    if config.features:
        opencv()  # before anything is written
    _make_absolute(config)
    rank_zero_only(prepare_evaluation)(config)
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
        write_json(folder / "metrics.json", metrics)
        _copy_curves(config.checkpoint, folder)
        about = {"seed": config.seed, "data": data.describe()} | _about(config, method)
        write_json(folder / "manifest.json", provenance() | about)
    return metrics


def _about(config: DictConfig, method: Method | None) -> dict[str, Any]:
    """Say for the manifest what was scored, and how it was trained."""
    if method is None:
        return {"method": config.name or Path(config.predictions).name, "predictions": config.predictions}
    return {
        "method": config.name or (method.recipe or {}).get("name", type(method).__name__),
        "parameters": method.parameter_count,
        **_training(config.checkpoint),
    }


def _method(config: DictConfig) -> Method | None:
    """Return the method to be scored; None where saved images are."""
    if config.predictions:
        return None
    if config.checkpoint:
        return load_method(config.checkpoint, trust=config.trust)
    method = build(config.method)
    if method.learns:
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
    known = read_json(manifest) if manifest.exists() else {}
    kept: dict[str, Any] = {
        key: known[key]
        for key in ("seed", "epochs", "max_epochs", "best_epoch", "train_minutes", "stopped")
        if key in known
    }
    if "data" in known:
        kept["data_of_training"] = known["data"]
    config = manifest.with_name("config.yaml")
    if config.exists():
        kept["trained_as"] = recipe(OmegaConf.to_container(OmegaConf.load(config)))  # type: ignore[arg-type]
    return kept


def _copy_curves(checkpoint: str | None, folder: Path) -> None:
    """Take over the curves of a checkpoint's training, where its run folder has them."""
    if checkpoint is not None:
        path = Path(checkpoint)
        curves = (path if path.is_dir() else path.parent) / "metrics.csv"
        if curves.exists():
            write_text(folder / "metrics.csv", curves.read_text(encoding="utf-8"))


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
    write_table(folder / "features.csv", rows)
    write_json(folder / "features.json", summary(rows))
