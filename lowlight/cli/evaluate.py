"""``lowlight evaluate``: score a checkpoint, saved images or a classical method."""

import math
import sys
from collections.abc import Mapping, Sequence

import hydra
from omegaconf import DictConfig

from lowlight.cli._hydra import ending_at_ctrl_c, require_plugins, run, with_home
from lowlight.cli._overrides import check_overrides
from lowlight.cli._streams import keep_streams
from lowlight.config import config_folder
from lowlight.shipped import existing


def _evaluate(config: DictConfig) -> float:
    from lowlight.runs.folder import finished, outdated

    metrics = finished(config)
    if metrics is not None and not outdated(config):
        print(f"{config.output_dir} is finished; nothing to do")
    else:
        if config.checkpoint:
            existing(config.checkpoint)
        from lowlight.evaluation import evaluate

        metrics = evaluate(config)
    scores = {key: float(value) for key, value in metrics.items() if key.startswith("test/")}
    width = 2 + max(map(len, scores))
    for key, value in scores.items():
        print(f"{key:<{width}}{value:<12.4f}{_bounds(metrics['intervals'], key)}")
    videos = f"{metrics['videos']} videos, " if "videos" in metrics else ""
    print(
        f"{videos}{metrics['images']} images of {metrics['scenes']} scenes"
        f"{'' if metrics.get('references', True) else ' without references'}, {metrics['split']} split "
        f"({metrics['protocol']}), {metrics['size']} size; {config.output_dir}"
    )
    print(f"In brackets: {metrics['intervals_are']}.")
    return float(metrics.get("test/psnr", math.nan))


def _bounds(intervals: Mapping[str, Sequence[float]], key: str) -> str:
    """Format the confidence interval of a score; empty if it has none."""
    low, high = map(float, intervals.get(key.removeprefix("test/"), ("nan", "nan")))
    return "" if math.isnan(low) else f"[{low:.4f}, {high:.4f}]"


@hydra.main(config_path=str(config_folder()), config_name="evaluate", version_base="1.3")
def app(config: DictConfig) -> float | None:
    """Evaluate what the config describes; return the PSNR in dB (NaN: no references) to Hydra's sweeper."""
    return run(_evaluate, config)


def main() -> None:
    """Run the command."""
    keep_streams()
    sys.argv[1:] = with_home(sys.argv[1:])
    with ending_at_ctrl_c():
        require_plugins(sys.argv[1:])
        check_overrides("evaluate", sys.argv[1:])
        app()


if __name__ == "__main__":
    main()
