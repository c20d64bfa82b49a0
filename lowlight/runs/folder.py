"""Run folders: the files of a run, and whether a run may begin or continue in a folder.

Imports no torch, so that a finished run is recognised at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowlight.files import read_json, read_table, read_yaml, write_text
from lowlight.runs.recipe import LIMIT, difference, flatten, inputs, recipe
from lowlight.shipped import WEIGHTS, locate

if TYPE_CHECKING:  # imported where it is used, since reading a checkpoint needs the files' names only
    from omegaconf import DictConfig

OVERRIDES = "overrides.yaml"
"""Overrides of the finished run; Hydra's own file holds those of the latest job, even of a refused one."""

WANDB_ID = "wandb_id.txt"
"""File with the id of the W&B run."""

MLFLOW_ID = "mlflow_id.txt"
"""File with the id of the MLflow run."""

BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"
"""Checkpoints with the best objective, of the last epoch, and of the epoch before that."""

FAILURE = "failed.json"
"""Reason why a sweep job ended without results; removed once it has results."""

REFUSAL = "refused.json"
"""Reason why a job failed in the folder of a finished run; removed once the sweep has printed it."""

_WEIGHTS = (BEST, LAST, PREVIOUS)

_KEPT = (
    "metrics.csv",
    "metrics.json",
    "per_image.csv",
    "per_video.csv",
    "features.json",
    "features.csv",
    "manifest.json",
)
"""Files that would be lost: a run whose first epoch has ended holds one of them, or a checkpoint."""

_RESULTS = (
    *_KEPT,
    *_WEIGHTS,
    WANDB_ID,
    MLFLOW_ID,
    "lr_find.csv",
    "fit-profile.txt",
    "test-profile.txt",
    OVERRIDES,
)

_IMAGES = "images"
"""Folder with every enhanced image, where ``save_images`` asks for them."""

_FOLDERS = ("pictures/test", "pictures/progress", "tensorboard")

_PICTURES = (
    "pictures/test/*/low.png",
    "pictures/test/*/enhanced.png",
    "pictures/test/*/high.png",
    "pictures/progress/low.png",
    "pictures/progress/high.png",
    "pictures/progress/epoch-*.png",
    "tensorboard/events.out.tfevents.*",
    "tensorboard/hparams.yaml",
)


def prepare(config: "DictConfig") -> None:
    """Prepare the output folder for a run and store the config in it.

    A start that ended before its first epoch, by a wrong setting for example, is no run: whatever
    ``resume`` says, the folder it left is used as a new one.

    Args:
        config: Config of the run; ``output_dir`` and ``resume`` are read.

    Raises:
        ValueError: If the folder holds a run that must be kept, or files of others where this run would
            write its own; if data of this run lies there; or if it cannot be written.
    """
    from omegaconf import OmegaConf

    folder = Path(config.output_dir)
    _refuse_inputs(config, folder)
    _refuse_files_of_others(config, folder)
    if (folder / "config.yaml").exists():
        if config.resume == "restart":
            _remove_run(folder)
        elif _is_failed_start(folder):
            if config.resume == "never" or _difference(config, folder):
                for name in (WANDB_ID, MLFLOW_ID):  # this attempt is another run
                    (folder / name).unlink(missing_ok=True)
        elif config.resume == "never":
            raise ValueError(
                f"{folder} already holds a run: resume=auto continues it, resume=restart replaces it, "
                "or choose another output_dir (in a sweep, hydra.sweep.dir)"
            )
        else:
            _refuse_other_recipe(config, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pattern in (".*.partial", ".*.ckpt.[0-9]*"):  # left by a killed process; the second by 0.1.0
            for partial in folder.glob(pattern):
                partial.unlink(missing_ok=True)
        (folder / FAILURE).unlink(missing_ok=True)  # of an earlier attempt
        write_text(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    except OSError as error:
        raise ValueError(f"cannot write to output_dir={folder} ({error.strerror}); choose another") from error


def resumable(config: "DictConfig") -> list[Path]:
    """Return the checkpoints that a run can be resumed from, newest first; its folder is prepared."""
    if config.resume != "auto":
        return []
    checkpoints = (Path(config.output_dir) / name for name in (LAST, PREVIOUS))
    return [path for path in checkpoints if path.exists()]


def prepare_evaluation(config: "DictConfig") -> None:
    """Prepare the output folder for an evaluation, which may replace an evaluation but no training run.

    Raises:
        ValueError: If the folder holds a training run or cannot be written.
    """
    folder = Path(config.output_dir)
    if any((folder / name).exists() for name in _WEIGHTS):
        raise ValueError(f"{folder} holds a training run; choose another output_dir for its evaluation")
    prepare(config)


def finished(config: "DictConfig") -> dict[str, Any] | None:
    """Return the metrics of the finished run that this config would repeat, or None.

    A run that its limit on time ended is not finished where the limit here is another.

    Raises:
        ValueError: If the folder holds a run of another recipe.
    """
    from omegaconf import OmegaConf

    folder = Path(config.output_dir)
    if config.resume != "auto" or config.get("find_lr") or not (folder / "manifest.json").exists():
        return None
    _refuse_other_recipe(config, folder)
    manifest, limit = read_json(folder / "manifest.json"), OmegaConf.select(config, LIMIT)
    if manifest.get("stopped") == "max_time" and manifest.get("max_time", limit) != limit:
        return None
    return read_json(folder / "metrics.json")


def outdated(config: "DictConfig") -> bool:
    """Return whether what an evaluation scored, checkpoint or images, was written after its scores."""
    if config.predictions:
        files = list(Path(config.predictions).expanduser().rglob("*"))
    elif config.checkpoint:
        place = locate(config.checkpoint)
        files = [place, best_of(place), place / WEIGHTS]
    else:
        return False
    since = (Path(config.output_dir) / "manifest.json").stat().st_mtime
    return any(file.stat().st_mtime > since for file in files if file.is_file())


def holds_run(folder: Path) -> bool:
    """Return whether a folder holds what a run or an evaluation wrote."""
    return any((folder / name).exists() for name in ("manifest.json", *_WEIGHTS))


def best_of(run: Path) -> Path:
    """Return the path of a run's best checkpoint, or of its last one where nothing was validated."""
    best, last = run / BEST, run / LAST
    return last if last.exists() and not best.exists() else best


def _remove_run(folder: Path) -> None:
    """Remove the files of a run from its folder, and no others; its config stays, to be replaced.

    Raises:
        ValueError: If the config in it was not written by lowlight.
    """
    if not _wrote_config(folder):
        raise ValueError(
            f"{folder} holds a config.yaml that no run of lowlight wrote; choose another output_dir"
        )
    written = [file for pattern in _PICTURES for file in folder.glob(pattern)] + _saved_images(folder)
    for file in [*written, *(folder / name for name in _RESULTS)]:
        file.unlink(missing_ok=True)
    for place in sorted({file.parent for file in written}, reverse=True):
        while place != folder and not any(place.iterdir()):
            place.rmdir()
            place = place.parent


def _saved_images(folder: Path) -> list[Path]:
    """List the enhanced images that the run in a folder was asked to save, by the names of its scores."""
    table = folder / "per_image.csv"
    if not _stored(folder).get("save_images") or not table.exists():
        return []
    try:
        names = [f"{row['name']}.png" for row in read_table(table)]
    except (ValueError, KeyError):
        return []
    files = (folder / _IMAGES / one for name in names for one in (name, name.partition("/")[2]))
    return [file for file in files if file.is_file()]


def _refuse_inputs(config: "DictConfig", folder: Path) -> None:
    """Refuse to read from a folder that the run writes to, and that a restart removes.

    Raises:
        ValueError: If a path of the config lies in one.
    """
    from omegaconf import OmegaConf

    settings: Any = OmegaConf.to_container(config, resolve=True)
    places = [(folder / name).resolve() for name in (*_FOLDERS, _IMAGES)]
    for key, paths in inputs(flatten(settings)).items():
        for path in [paths] if isinstance(paths, str) else paths:
            if any(Path(path).is_relative_to(place) for place in places):
                raise ValueError(
                    f"{key}: {path} lies among the results in output_dir={folder}, which this run "
                    "replaces; choose another output_dir"
                )


def _refuse_files_of_others(config: "DictConfig", folder: Path) -> None:
    """Refuse a folder in which no run of lowlight left what this one would replace.

    Raises:
        ValueError: Naming the file or folder.
    """
    stored = _stored(folder) if (folder / "config.yaml").exists() else {}
    names = [*_KEPT, *_WEIGHTS, *_FOLDERS] if not stored else []
    if config.get("save_images") and not stored.get("save_images"):
        names.append(_IMAGES)
    for path in (folder / name for name in names):
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise ValueError(
                f"{path} is not of a run of lowlight, and this one would write there; "
                "choose another output_dir"
            )


def _is_failed_start(folder: Path) -> bool:
    """Return whether a folder with a config holds nothing else of a run: neither checkpoint nor result."""
    return (
        _wrote_config(folder)
        and not any(folder.glob("*.ckpt"))
        and not any((folder / name).exists() for name in _KEPT)
    )


def _wrote_config(folder: Path) -> bool:
    """Return whether lowlight wrote the ``config.yaml`` of a folder; that of an evaluation has no method."""
    keys = _stored(folder).keys()
    return {"output_dir", "data"} <= keys and not keys.isdisjoint(("method", "checkpoint"))


def _stored(folder: Path) -> dict[str, Any]:
    """Read the ``config.yaml`` of a folder.

    Raises:
        ValueError: If it is no config.
    """
    try:
        return read_yaml(folder / "config.yaml")
    except ValueError as error:
        raise ValueError(f"{error}; choose another output_dir") from error


def _refuse_other_recipe(config: "DictConfig", folder: Path) -> None:
    if differs := _difference(config, folder):
        raise ValueError(
            f"{folder} holds a run of another recipe: {differs}; choose another output_dir, or replace that "
            "run by resume=restart"
        )


def _difference(config: "DictConfig", folder: Path) -> str:
    """Name the first setting but the limit on time in which the config in a folder differs, or nothing."""
    from omegaconf import OmegaConf

    here: Any = OmegaConf.to_container(config, resolve=True)
    return difference(recipe(_stored(folder)) | {LIMIT: None}, recipe(here) | {LIMIT: None})


def commit_of(source: Path) -> str | None:
    """Return the commit that made a run, given its folder or a file in it; None if unknown."""
    folder = source if source.is_dir() else source.parent
    for name, ours in (("manifest.json", "versions"), ("config.json", "recipe")):
        try:
            about = read_json(folder / name)
        except ValueError:  # missing, or of another program
            continue
        if ours in about:
            return about.get("commit")
    return None
