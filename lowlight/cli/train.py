"""``lowlight train``: train a method, then test its best checkpoint."""

import sys

import hydra
from omegaconf import DictConfig

from lowlight.cli._hydra import require_plugins, run
from lowlight.cli._overrides import check_overrides
from lowlight.cli._streams import keep_streams
from lowlight.config import config_folder


def _train(config: DictConfig) -> float | None:
    from lowlight.runs.folder import finished

    metrics = finished(config)
    if metrics is None:
        from lowlight.training import train

        metrics = train(config)
    else:
        print(f"{config.output_dir} is finished; nothing to do")
    value = metrics.get(config.objective.metric)
    return None if value is None else float(value)


@hydra.main(config_path=str(config_folder()), config_name="train", version_base="1.3")
def app(config: DictConfig) -> float | None:
    """Train what the config describes; return the objective to Hydra's sweeper."""
    return run(_train, config)


def main() -> None:
    """Run the command."""
    keep_streams()
    require_plugins(sys.argv[1:])
    check_overrides("train", sys.argv[1:])
    app()


if __name__ == "__main__":
    main()
