"""Logging to MLflow."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from omegaconf import OmegaConf
from pytorch_lightning.loggers import MLFlowLogger
from pytorch_lightning.utilities import rank_zero_only

from lowlight.files import first_line, write_text
from lowlight.loggers.base import EpochCurves, Sample
from lowlight.runs.folder import MLFLOW_ID

log = logging.getLogger(__name__)

_URI = "MLFLOW_TRACKING_URI"


class MLflowCurves(EpochCurves, MLFlowLogger):
    """Log to MLflow: curves over epochs, test scores, the config as parameters, samples as artifacts.

    The run's id is stored in the run folder, so that a resumed run continues under the same id.

    Args:
        save_dir: Run folder, which must exist when the run begins.
        tracking_uri: Address of the store, such as ``file:outputs/mlruns`` or a server's. None is what
            MLFLOW_TRACKING_URI says, or else ``mlruns/`` of the run folder.
        group: Tag ``group`` of the run.
        tags: Tag ``tags`` of the run, joined by commas.
        arguments: Arguments of Lightning's ``MLFlowLogger``, such as ``experiment_name`` and ``run_name``.

    Raises:
        ValueError: If MLflow is not installed, or the address is none that it knows.
    """

    def __init__(
        self,
        save_dir: Path | str,
        tracking_uri: str | None = None,
        group: str | None = None,
        tags: Sequence[str] | None = None,
        **arguments: Any,
    ) -> None:
        self.id_file = Path(save_dir) / MLFLOW_ID
        uri = tracking_uri or os.environ.get(_URI) or (Path(save_dir).resolve() / "mlruns").as_uri()
        self.is_local = uri.startswith("file:") or "://" not in uri
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # by default, MLflow reports its use
        if self.is_local:  # which MLflow 3 opens only on request, as it no longer develops it
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        named = {"group": group, "tags": ", ".join(tags or ())}
        kept = {key: value for key, value in named.items() if value}
        try:
            super().__init__(tracking_uri=uri, tags=kept, **arguments)
        except ModuleNotFoundError as error:
            raise ValueError("logger=mlflow needs MLflow: pip install 'lowlight[mlflow]'") from error
        except Exception as error:  # MLflow's own, which only MLflow could name
            raise ValueError(f"logger=mlflow: {uri} cannot be opened ({first_line(error)})") from error
        if self.id_file.exists():
            self._continue(self.id_file.read_text(encoding="utf-8").strip())

    def _continue(self, run: str) -> None:
        """Continue under a run's id, unless the store does not know it."""
        from mlflow.exceptions import MlflowException

        try:
            self._mlflow_client.get_run(run)
        except MlflowException as error:
            log.warning("MLflow begins another run: %s", first_line(error))
        else:
            self._run_id = run

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """MLflow's client; the run is started or continued, and its id stored, at first use."""
        if self._initialized:
            return self._mlflow_client
        is_continued = self._run_id is not None
        address = os.environ.get(_URI)
        client = super().experiment
        # Lightning has MLflow set the address for the whole process, and so for the later jobs of a sweep.
        os.environ.pop(_URI, None)
        if address is not None:
            os.environ[_URI] = address
        if is_continued:
            client.update_run(self._run_id, status="RUNNING")
        else:
            write_text(self.id_file, f"{self._run_id}\n")
        return client

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Log the config as the artifact ``config.yaml``, and its settings as parameters.

        MLflow lets no parameter change, so in a continued run they stay those of its beginning.
        """
        text = OmegaConf.to_yaml(OmegaConf.create(dict(params)))
        is_new = not self.experiment.get_run(self.run_id).data.params
        self.experiment.log_text(self.run_id, text, "config.yaml")
        if is_new:
            super().log_hyperparams(dict(params))

    @rank_zero_only
    def log_samples(self, samples: Sequence[Sample], epoch: int) -> None:
        """Log each sample as one image, side by side, as ``samples/epoch-<epoch>/<name>.png``."""
        for sample in samples:
            pixels = sample.side_by_side.movedim(0, -1).numpy()
            self.experiment.log_image(self.run_id, pixels, f"samples/epoch-{epoch:04}/{sample.name}.png")

    @rank_zero_only
    def log_best(self, checkpoint: Path, about: Mapping[str, Any]) -> None:
        """Log ``about`` as scores and, unless the store is on this machine's disk, the best checkpoint."""
        super().log_metrics({f"best/{key.removeprefix('best_')}": value for key, value in about.items()})
        if not self.is_local:
            self.experiment.log_artifact(self.run_id, str(checkpoint))

    def log_failure(self, config: Mapping[str, Any], reason: str) -> None:
        """Log a failed run, unless there is one already, which may be resumed."""
        if self.id_file.exists():
            return
        self.log_hyperparams(dict(config))
        self.experiment.set_tag(self.run_id, "failed", reason)
        self.finish(failed=True)
        self.id_file.unlink(missing_ok=True)  # a later attempt is another run

    @rank_zero_only
    def finish(self, failed: bool) -> None:
        """End the run, as ``FAILED`` or ``FINISHED``."""
        if self._initialized:
            self.experiment.set_terminated(self.run_id, "FAILED" if failed else "FINISHED")
