"""Score a method, or saved images of any origin, on the test images of a data set."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor, nn

from lowlight.arguments import check_arguments
from lowlight.callbacks.pictures import EnhancedImages, TestPictures
from lowlight.callbacks.progress import bar
from lowlight.checkpoints.load import load_method
from lowlight.checkpoints.recipe import build, make, trained_parts
from lowlight.data import PairDataModule
from lowlight.devices import check_accelerator, resolved
from lowlight.evaluation.feature_matching import SIGMAS, Enhance, match_features, opencv, summary
from lowlight.evaluation.predictions import find_predictions, score_files
from lowlight.evaluation.scoring import score
from lowlight.files import read_json, read_yaml, write_json, write_table, write_text
from lowlight.images import read_image
from lowlight.methods import Method
from lowlight.metrics import all_scores, optional
from lowlight.precision import report, training_precision
from lowlight.runs.folder import prepare_evaluation
from lowlight.runs.lock import alone_in
from lowlight.runs.profile import keep_profile
from lowlight.runs.provenance import provenance
from lowlight.runs.recipe import recipe
from lowlight.runtimes.metadata import answer
from lowlight.shipped import locate

log = logging.getLogger(__name__)

UNTRAINED = {"epochs": 0, "train_minutes": 0.0, "stopped": "finished"}
"""Facts of training for a method that has none."""


def evaluate(config: DictConfig) -> dict[str, Any]:
    """Score a checkpoint, a method without training, or saved images, as ``lowlight evaluate`` does.

    Args:
        config: A composed ``evaluate`` config.

    Returns:
        The content of ``metrics.json``.

    Raises:
        ValueError: If a setting has a value of the wrong type, if not exactly one of ``checkpoint``,
            ``predictions`` and ``method`` is given, if it is unusable or makes no images, if one of
            ``metrics`` is unknown or its package is missing, or if ``output_dir`` holds a training run or
            another process writes there.
    """
    check_arguments(config)
    optional(config.metrics)
    given = [key for key in ("checkpoint", "predictions", "method") if config.get(key)]
    if len(given) != 1:
        raise ValueError(
            "give one of checkpoint=RUN_OR_CKPT, predictions=FOLDER and method=NAME (one that learns nothing)"
            + (f", not {' and '.join(given)}" if given else "")
        )
    if config.predictions:
        return _evaluate_files(config)
    if config.checkpoint:
        method = load_method(config.checkpoint, trust=config.trust)
        method.run_net = partial(_run_checked, source=config.checkpoint)
        return _evaluate_method(config, method)
    method = build(config.method, config.trust)
    if method.learns:
        raise ValueError(f"method={config.method.name} must be trained first: give checkpoint=RUN_OR_CKPT")
    return _evaluate_method(config, method)


def _run_checked(net: nn.Module, low: Tensor, source: str) -> Tensor:
    """Run a network of a file on images; its errors, and outputs that are no images, name the file."""
    return answer(lambda low: net(low).to(low), low, source)


def _evaluate_files(config: DictConfig) -> dict[str, Any]:
    """Score saved images; noise cannot be added before their enhancement, so features are matched without."""
    data = _test_data(config)
    files = find_predictions(config, data)
    with _prepared(config) as folder:
        metrics = score_files(files, data, folder, config.pictures, all_scores(further=config.metrics))
        about = {"method": config.name or Path(config.predictions).name, "predictions": config.predictions}
        _finish(config, data, metrics, about, lambda _, name: read_image(files[name])[None], sigmas=(0,))
    return metrics


def _evaluate_method(config: DictConfig, method: Method) -> dict[str, Any]:
    """Score a method; the manifest also gets the facts of its training."""
    check_accelerator(config.trainer)
    data = _test_data(config)
    method.test_scores = all_scores(further=config.metrics)
    with _prepared(config) as folder:
        callbacks: list[Callback] = [TestPictures(folder, config.pictures), *bar(config.trainer)]
        if config.save_images:
            callbacks.append(EnhancedImages(folder / "images", data.image_file))
        report(precision := training_precision(config.trainer))
        trainer = make(
            resolved(config.trainer), logger=False, callbacks=callbacks, plugins=alone(config.trainer)
        )
        keep_profile(trainer, folder)
        metrics = score(method, data, trainer, folder)
        if trainer.is_global_zero:
            about = {
                "method": config.name or method.name,
                "parameters": method.parameter_count,
                "precision": {"asked": precision.asked, "used": [trainer.precision], "why": precision.why},
            }
            about |= _take_over_training(Path(config.checkpoint), folder) if config.checkpoint else UNTRAINED
            _finish(
                config,
                data,
                metrics,
                about,
                lambda low, _: method.enhance(low.to(method.device)).cpu(),
                SIGMAS,
            )
    return metrics


def alone(trainer: DictConfig) -> list[Any]:
    """Return the plugin by which Lightning runs one process on one device, whatever tasks SLURM announces.

    The variables of a SLURM job reach every command in it, also one that is not started once per task.
    """
    is_single = str(trainer.get("devices")) == "1" and str(trainer.get("num_nodes", 1)) == "1"
    return [LightningEnvironment()] if SLURMEnvironment.detect() and is_single else []


def _test_data(config: DictConfig) -> PairDataModule:
    data: PairDataModule = make(config.data)
    data.setup("test")
    needing = [one.key for one in optional(config.metrics) if one.against == "high"]
    needing += ["features=true"] if config.features else []
    if needing and not data.datasets["test"].has_references:
        raise ValueError(f"{needing[0]} needs references, which these test images do not have: remove it")
    return data


@contextmanager
def _prepared(config: DictConfig) -> Iterator[Path]:
    """Prepare and yield the output folder, alone in it; the stored config names the source absolutely."""
    if config.features:
        opencv()  # fails before anything is written
    for key in ("checkpoint", "predictions"):
        if config[key]:
            config[key] = str(locate(Path(config[key]).expanduser()).resolve())
    for key in trained_parts(config.get("method")).values():
        path = locate(Path(config.method[key]).expanduser())
        config.method[key] = str(path.resolve() if path.exists() else config.method[key])
    with alone_in(config.output_dir, needed=rank_zero_only.rank == 0):  # type: ignore[attr-defined]
        rank_zero_only(prepare_evaluation)(config)
        yield Path(config.output_dir)


def _finish(
    config: DictConfig,
    data: PairDataModule,
    metrics: dict[str, Any],
    about: dict[str, Any],
    enhance: Enhance,
    sigmas: Sequence[int],
) -> None:
    """Match features if wanted, and write the results; the manifest comes last and marks them complete."""
    folder = Path(config.output_dir)
    if config.features:
        log.info("matching features of %s test images", len(data.datasets["test"]))
        rows = match_features(enhance, data.test_dataloader(), sigmas, config.seed)
        write_table(folder / "features.csv", rows)
        write_json(folder / "features.json", summary(rows))
    write_json(folder / "metrics.json", metrics)
    about = {"seed": config.seed, "data": data.describe()} | about
    write_json(folder / "manifest.json", provenance() | about)


def _take_over_training(checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Copy the curves of a checkpoint's training; return its facts, as far as its run folder records them."""
    source = checkpoint if checkpoint.is_dir() else checkpoint.parent
    if (curves := source / "metrics.csv").exists():
        write_text(folder / "metrics.csv", curves.read_text(encoding="utf-8"))
    manifest, config = source / "manifest.json", source / "config.yaml"
    known = read_json(manifest) if manifest.exists() else {}
    facts: dict[str, Any] = {
        key: known[key]
        for key in ("seed", "epochs", "max_epochs", "best_epoch", "train_minutes", "stopped")
        if key in known
    }
    if "data" in known:
        facts["data_of_training"] = known["data"]
    if config.exists():
        facts["trained_as"] = recipe(read_yaml(config))
    return facts
