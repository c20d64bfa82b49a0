"""``lowlight train``: train a method, then test its best checkpoint."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lowlight.cli._hydra import ending_at_ctrl_c, require_plugins, run, with_home
from lowlight.cli._overrides import check_overrides
from lowlight.cli._streams import keep_streams
from lowlight.config import config_folder
from lowlight.files import printable
from lowlight.runs.recipe import flatten


def _train(config: DictConfig) -> float | None:
    from lowlight.runs.folder import finished

    metrics = finished(config)
    if metrics is None:
        from lowlight.training import train

        metrics = train(config)
        from pytorch_lightning.utilities import rank_zero_only

        if not config.find_lr:
            rank_zero_only(_tell)(config, metrics)
    else:
        print(f"{config.output_dir} is finished; nothing to do")
        _tell(config, metrics)
    value = metrics.get(config.objective.metric)
    return None if value is None else float(value)


def _tell(config: DictConfig, metrics: Mapping[str, Any]) -> None:
    """Say how a training ended: test scores, folder and the next commands; a sweep's job in one line."""
    folder = Path(config.output_dir)
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    if "test/psnr" in metrics:
        scores = f"PSNR {float(metrics['test/psnr']):.2f} dB, SSIM {float(metrics['test/ssim']):.3f}"
    else:
        scores = (
            f"NIQE {float(metrics['test/niqe']):.2f}, LOE {float(metrics['test/loe']):.0f} (no references)"
        )
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        print(f"{printable(str(folder))}: test {scores}")
        return
    run = printable(shlex.quote(str(folder)))
    print(f"Test: {scores}, {metrics['images']} images")
    print(f"Run:  {run}")
    print(f"Next: lowlight compare {run} --out report{_trust(config)}")
    print(f"      lowlight enhance dark.jpg --out bright --checkpoint {run}{_trust(config)}")


def _trust(config: DictConfig) -> str:
    """Return the options by which other commands may read a method of the user's own packages."""
    method = flatten(OmegaConf.to_container(config.method, resolve=True))  # type: ignore[arg-type]
    targets = [value for key, value in method.items() if key.rpartition(".")[2] == "_target_"]
    packages = sorted({target.partition(".")[0] for target in targets} - {"lowlight", "torch"})
    return "".join(f" --trust {package}" for package in packages)


@hydra.main(config_path=str(config_folder()), config_name="train", version_base="1.3")
def app(config: DictConfig) -> float | None:
    """Train what the config describes; return the objective to Hydra's sweeper."""
    return run(_train, config)


def main() -> None:
    """Run the command."""
    keep_streams()
    sys.argv[1:] = with_home(sys.argv[1:])
    with ending_at_ctrl_c():
        require_plugins(sys.argv[1:])
        check_overrides("train", sys.argv[1:])
        app()


if __name__ == "__main__":
    main()
