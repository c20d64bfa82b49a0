"""Logging to Weights & Biases."""

import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from lowlight.files import write_text
from lowlight.loggers.base import RunLogger, Sample, divide
from lowlight.runs.folder import WANDB_ID
from lowlight.spelling import did_you_mean

log = logging.getLogger(__name__)

_TAG_LENGTH = 64
"""Maximum length of a W&B tag, in characters."""

_MODES = ("online", "offline", "shared", "disabled", "dryrun", "run")
"""Values of WANDB_MODE."""

_NOT_IN_A_PROJECT = "/\\#?%:"
"""Characters that W&B allows in no project's name."""


class WandbCurves(RunLogger, WandbLogger):
    """Log to Weights & Biases: curves over epochs, test scores in the summary, samples as a table.

    The run's id is stored in the run folder, so that a resumed run continues under the same id.

    Args:
        save_dir: Run folder, which must exist when the run begins.
        offline: Whether nothing is sent. None is offline without an API key, and otherwise follows W&B's own
            settings, such as WANDB_MODE.
        id: Id of the run; by default an agent's, the run folder's, or a new one.
        tags: Tags; those longer than W&B allows are shortened in the middle.
        arguments: Arguments of ``wandb.init``, such as ``project``, ``name``, ``group`` and ``entity``;
            numbers become texts.

    Raises:
        ValueError: If ``offline`` is False but W&B has no API key, for which there is no prompt; if
            WANDB_MODE is no mode, or ``project`` no name of a project.
    """

    def __init__(
        self,
        save_dir: Path | str,
        offline: bool | None = None,
        id: str | None = None,  # noqa: A002  # W&B's name
        tags: Sequence[str] | None = None,
        **arguments: Any,
    ) -> None:
        arguments = {key: str(one) if type(one) in (int, float) else one for key, one in arguments.items()}
        _check_project(arguments.get("project"))
        self.id_file = Path(save_dir) / WANDB_ID
        if id is None and "WANDB_RUN_ID" not in os.environ and self.id_file.exists():
            id = self.id_file.read_text(encoding="utf-8").strip()  # noqa: A001
        # Lightning's `offline` would set WANDB_MODE for all later jobs of the process.
        is_first = getattr(rank_zero_only, "rank", 0) == 0
        arguments["mode"] = _mode(offline, Path(save_dir)) if is_first else "disabled"
        shortened = None if tags is None else list(dict.fromkeys(_shorten(str(tag)) for tag in tags))
        super().__init__(
            save_dir=str(save_dir), id=None if id is None else str(id), tags=shortened, **arguments
        )
        self._wandb_init.pop("anonymous", None)  # W&B warns about it even if unset

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run; started, and its id stored, at first use."""
        is_new = self._experiment is None
        run = super().experiment
        if is_new:
            run.define_metric("*", step_metric="epoch")
            if not run.disabled:
                write_text(self.id_file, f"{run.id}\n")
        return run

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log curves at their epoch, and test scores to the run's summary."""
        curves, scores, epoch = divide(metrics)
        if curves:
            self.experiment.log(curves | ({} if epoch is None else {"epoch": epoch + 1}))
        if scores:
            self.experiment.summary.update(scores)

    @rank_zero_only
    def log_samples(self, samples: Sequence[Sample], epoch: int) -> None:
        """Log a table with one row per sample: name, low, enhanced, any reference."""
        import wandb

        def picture(image: Tensor | None) -> wandb.Image | None:
            return None if image is None else wandb.Image(image.movedim(0, -1).numpy())

        rows = [[sample.name, *map(picture, sample[1:])] for sample in samples]
        table = wandb.Table(columns=list(Sample._fields), data=rows)
        self.experiment.log({"samples": table, "epoch": epoch})

    @rank_zero_only
    def log_best(self, checkpoint: Path, about: Mapping[str, Any]) -> None:
        """Log the best checkpoint as an artifact, and ``about`` as its metadata and to the summary.

        Offline, W&B reads the file at the time of syncing, so it must still be there.
        """
        import wandb

        artifact = wandb.Artifact(f"model-{self.experiment.id}", type="model", metadata=dict(about))
        artifact.add_file(str(checkpoint), policy="immutable", skip_cache=True)  # no copy of a large file
        self.experiment.log_artifact(artifact)
        self.experiment.summary.update(dict(about))

    def log_failure(self, config: Mapping[str, Any], reason: str) -> None:
        """Log a failed run, unless there is one already, which may be resumed."""
        if self.id_file.exists():
            return
        self.log_hyperparams(dict(config))
        self.experiment.summary["failed"] = reason
        self.id_file.unlink(missing_ok=True)  # a later attempt is another run
        self.experiment.finish(exit_code=1)


def _check_project(project: str | None) -> None:
    wrong = [char for char in _NOT_IN_A_PROJECT if char in (project or "")]
    if not wrong:
        return
    entity, slash, name = str(project).partition("/")
    works = f"logger.wandb.entity={entity} logger.wandb.project={name}" if slash else "another name"
    raise ValueError(f"logger.wandb.project={project} cannot contain {' '.join(wrong)}: give {works}")


def _mode(offline: bool | None, folder: Path) -> str | None:
    """Return W&B's mode, which is offline without an API key; None follows W&B's own settings."""
    wanted = os.environ.get("WANDB_MODE") if offline is None else ("offline" if offline else "online")
    if wanted and wanted not in _MODES:
        raise ValueError(f"WANDB_MODE={wanted} is none of {', '.join(_MODES)}{did_you_mean(wanted, _MODES)}")
    if wanted in (None, "online"):
        import wandb

        if wandb.run is not None or wandb.login(prompt=False, verify=False):
            return wanted
        if wanted == "online":
            raise ValueError(
                "W&B cannot be online, it has no API key: run `wandb login`, set WANDB_API_KEY, "
                "or stay offline with logger.wandb.offline=true"
            )
        place = shlex.quote(str(folder))
        log.info("W&B has no API key and stays offline; to upload: wandb sync %s/wandb/offline-run-*", place)
        wanted = "offline"
    # By default, W&B sends error reports even when offline.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    return wanted


def _shorten(tag: str) -> str:
    return tag if len(tag) <= _TAG_LENGTH else f"{tag[:31]}…{tag[-32:]}"
