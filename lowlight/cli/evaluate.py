"""``lowlight evaluate``: score a checkpoint, or a method that learns nothing."""

import hydra
from omegaconf import DictConfig

from lowlight.cli.hydra_app import run
from lowlight.config import config_folder


def _evaluate(config: DictConfig) -> float:
    from lowlight.run_folder import finished

    metrics = finished(config)
    if metrics is None:
        from lowlight.evaluation import evaluate

        metrics = evaluate(config)
    for key, value in metrics.items():
        if key.startswith("test/"):
            print(f"{key:<28}{float(value):.4f}")
    print(
        f"{metrics['images']} images, {metrics['split']} split, {metrics['size']} size; {config.output_dir}"
    )
    return float(metrics["test/psnr"])


@hydra.main(config_path=str(config_folder()), config_name="evaluate", version_base="1.3")
def main(config: DictConfig) -> float:
    """Evaluate as the config says; return the PSNR in dB for a sweeper."""
    value: float = run(_evaluate, config)
    return value


if __name__ == "__main__":
    main()
