"""Checks of a training config, before any file is written."""

import logging
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lowlight.checkpoints.recipe import make
from lowlight.methods import Method
from lowlight.metrics import METRICS
from lowlight.runs.folder import BEST
from lowlight.spelling import did_you_mean

log = logging.getLogger(__name__)

_FURTHER = "lowlight.callbacks.FurtherCheckpoint"


def check_seed(seed: Any) -> None:
    """Refuse a seed that numpy and torch do not both accept.

    Raises:
        ValueError: If it is no integer from 0 to 2^32 - 1.
    """
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed} is not a whole number from 0 to 2^32 - 1")


def check_fit(config: DictConfig, method: Method) -> None:
    """Refuse settings that would fail or have no effect, and warn of unsuitable ones.

    Raises:
        ValueError: If no callback keeps the best checkpoint, or one keeps several in its place, or a number
            of steps is to end the training, or gradient clipping or accumulation is set to an invalid value,
            or one of these or compilation would not be applied.
    """
    _check_best(config.callbacks or {})
    if (steps := config.trainer.get("max_steps")) not in (None, -1):
        # Lightning goes on from an epoch's end as if within the epoch, and trains it again.
        raise ValueError(
            f"trainer.max_steps={steps} cannot be resumed: set trainer.max_epochs, and data.epoch_size for "
            "the samples of an epoch"
        )
    clip, accumulate = config.trainer.get("gradient_clip_val"), config.trainer.get("accumulate_grad_batches")
    if clip is not None and clip <= 0:
        raise ValueError(f"trainer.gradient_clip_val={clip} must be positive, or null to clip nothing")
    strategy = str(config.trainer.get("strategy"))
    if config.compile and re.match("ddp_(spawn|fork|notebook)", strategy):  # which copy the network
        raise ValueError(
            f"compile=true has no effect in the processes of trainer.strategy={strategy}: set trainer=ddp"
        )
    if not method.automatic_optimization:
        algorithm = config.trainer.get("gradient_clip_algorithm")
        settings = {
            "gradient_clip": clip,
            "gradient_clip_algorithm": None if algorithm == "norm" else algorithm,
            "accumulate": None if accumulate == 1 else accumulate,
        }
        for key, value in settings.items():
            if value is not None and key not in method.manual_settings:
                raise ValueError(
                    f"method={config.method.name} uses manual optimisation without {key}, so the trainer's "
                    f"setting of {value} would have no effect: remove it"
                )
    for problem in method.training_problems(config):
        log.warning("%s", problem)
    stride, patch = method.training_stride, config.data.get("patch_size")
    if patch is not None and patch % stride:
        log.warning(
            "crops of %s pixels are padded to the network's stride of %s; data.patch_size=%s would not be",
            patch,
            stride,
            stride * -(-patch // stride),
        )


def _check_best(callbacks: Mapping[str, Any]) -> None:
    """Refuse callbacks of which none writes the checkpoint that is tested, or one several over each other."""
    stem = Path(BEST).stem
    given = {name: callback for name, callback in callbacks.items() if callback is not None}
    best = [name for name, callback in given.items() if callback.get("filename") == stem]
    tested = f"{BEST}, which is tested at the end"
    more = f"for other checkpoints, add a {_FURTHER} with a dirpath and a filename of its own"
    for name in best:
        if (kept := given[name].get("save_top_k", 1)) != 1:
            raise ValueError(f"callbacks.{name}.save_top_k={kept} must be 1 for {tested}; {more}")
    if best:
        return _check_states(given)
    if renamed := given.get("best", {}).get("filename"):
        raise ValueError(f"callbacks.best.filename={renamed} must be {stem} for {tested}; {more}")
    if "last" in given:  # the rest of the default
        raise ValueError(f"no callbacks.best keeps {tested}: leave it in; {more}")
    given_names, remedy = (",".join(names) for names in (callbacks, ["default", *callbacks]))
    raise ValueError(f"callbacks=[{given_names}] keeps no {tested}: set callbacks=[{remedy}]")


def _check_states(callbacks: Mapping[str, Any]) -> None:
    """Refuse checkpoint callbacks that Lightning would store under one key."""
    names: dict[str, str] = {}
    for name, callback in callbacks.items():
        if str(callback.get("_target_")).endswith(".ModelCheckpoint"):
            other = names.setdefault(make(callback).state_key, name)
            if other != name:
                raise ValueError(
                    f"callbacks.{name} and callbacks.{other} monitor the same as often, so that their states "
                    f"would be one: set callbacks.{name}._target_={_FURTHER}"
                )


def check_objective(config: DictConfig, method: Method, sets: Collection[str] = ()) -> None:
    """Refuse an objective that no validation logs, where nothing but lowlight and Lightning logs.

    Args:
        config: The config.
        method: The method.
        sets: Names of the sets of pairs; several are also scored apart.

    Raises:
        ValueError: Naming the scores that there are.
    """
    callbacks = config.callbacks or {}
    for name, callback in callbacks.items():
        if callback is None or "_target_" not in callback:
            raise ValueError(
                f"callbacks.{name} has no class: add {name} to callbacks=[...], or ~callbacks.{name}"
            )
    metric = config.objective.metric
    scores = [key for one in METRICS if one.key in method.val_scores.measures for key in one.keys]
    known = ["val/loss", *(f"val/{key}" for key in (*scores, *method.further_val_scores))]
    apart = [f"val/{one}/{key}" for one in sets for key in scores] if len(sets) > 1 else []
    targets = [type(method).__module__, *(str(one._target_) for one in callbacks.values())]
    ours = all(target.split(".")[0] in ("lowlight", "pytorch_lightning") for target in targets)
    if ours and metric not in [*known, *apart] and not metric.startswith("train/"):
        raise ValueError(
            f"objective.metric={metric} is none of {', '.join(known)}{did_you_mean(metric, [*known, *apart])}"
        )


def check_mode(config: DictConfig) -> None:
    """Refuse an objective whose mode would keep the worst epoch.

    Raises:
        ValueError: Naming the other mode.
    """
    metric, mode = config.objective.metric, config.objective.mode
    key = metric.rpartition("/")[2]
    wanted = {
        name: "min" if one.lower_is_better else "max" for one in METRICS if one.ranked for name in one.keys
    }
    right = "min" if key == "loss" else wanted.get(metric.partition("/")[2], wanted.get(key, mode))
    if mode != right:
        raise ValueError(
            f"objective.mode={mode} would keep the epoch with the worst {metric}: set objective.mode={right}"
        )


def check_references(config: DictConfig, method: Method, has_references: bool) -> None:
    """Refuse to train by references that the training images do not have.

    Raises:
        ValueError: Naming the remedies.
    """
    if method.needs_references and not has_references and not method.unpaired:
        raise ValueError(
            f"method={config.method.name} learns from references, which the training images do not have: "
            "set method=zero_dce, zero_dce_pp or sci, method=enlighten_gan data.bright=FOLDER, or data=pairs"
        )


def check_bright(config: DictConfig, method: Method) -> None:
    """Refuse bright photographs that the method would not see.

    Raises:
        ValueError: If ``data.bright`` is set for a method that is not trained unpaired.
    """
    if config.data.get("bright") is not None and not method.unpaired:
        raise ValueError(
            f"data.bright has no effect: method={config.method.name} does not learn from bright images of "
            "other scenes; set method=enlighten_gan, or remove it"
        )


def check_start(config: DictConfig) -> None:
    """Refuse to start from weights in the folder of the run, which replaces them.

    Raises:
        ValueError: If they are there.
    """
    start, folder = (Path(str(path)).expanduser() for path in (config.start_from, config.output_dir))
    if start.resolve().is_relative_to(folder.resolve()):
        raise ValueError(
            f"start_from={start} lies in output_dir={folder}, whose weights the training replaces: choose "
            "another output_dir"
        )


def check_validation(config: DictConfig, has_images: bool, has_references: bool) -> None:
    """Warn if the last epochs would not be validated, and so could not become the best.

    Raises:
        ValueError: If early stopping is set but there are no validation images.
    """
    is_skipped = config.trainer.get("limit_val_batches") == 0
    if is_skipped or not has_images:
        if "early_stopping" in (config.callbacks or {}):
            why = "data.val_fraction holds out none"
            if is_skipped:
                why = "trainer.limit_val_batches=0 skips them"
            elif not has_references:
                why = "photographs without references give none; data.layout.pairs=FOLDER does"
            raise ValueError(f"callbacks=[...,early_stopping] needs validation images: {why}")
        return
    epochs, every = config.trainer.get("max_epochs"), config.trainer.get("check_val_every_n_epoch")
    if epochs is not None and epochs > 0 and every and epochs % every:
        log.warning(
            "the last %s of trainer.max_epochs=%s are not validated, and so cannot be the best: "
            "trainer.check_val_every_n_epoch=%s does not divide it",
            epochs % every,
            epochs,
            every,
        )
