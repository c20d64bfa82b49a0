"""Train methods for the same time each on pairs, and score them: run.py LOL OUT [--methods NAME ...].

Each trains by ``experiment=lol_cpu/NAME``. Schedules need the number of epochs beforehand, so a few epochs of
each stage are timed first. Interrupted, the same command continues. Without ``--methods``, every preset is
trained, and the methods that learn nothing are scored beside them.
"""

import argparse
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lowlight.config import available, load_config

UNLEARNT = ("identity", "gamma", "histogram", "clahe", "bilateral", "lime", "msrcr")

TIMED = 3
"""Epochs that are timed."""


def lowlight(verb: str, *settings: str) -> None:
    """Run a command of lowlight."""
    subprocess.run(["lowlight", verb, *settings], check=True)


def seconds_per_epoch(settings: Sequence[str], folder: Path) -> float:
    """Time a few epochs, without validation."""
    manifest = folder / "manifest.json"
    if not manifest.exists():
        few = [f"trainer.max_epochs={TIMED}", f"trainer.check_val_every_n_epoch={TIMED + 1}"]
        lowlight("train", *settings, *few, f"output_dir='{folder}'", "resume=restart")
    return 60 / TIMED * float(json.loads(manifest.read_text())["train_minutes"])


def epochs_within(seconds: float, settings: Sequence[str], folder: Path) -> list[str]:
    """Return settings of the numbers of epochs that take some seconds, in the preset's proportion."""
    config = load_config(settings)
    first = next((key for key in config.method if key.endswith("_epochs")), None)
    if first is None:
        return [f"trainer.max_epochs={round(seconds / seconds_per_epoch(settings, folder))}"]
    share = config.method[first] / config.trainer.max_epochs
    of_first, of_second = (
        seconds_per_epoch([*settings, f"method.{first}={count}"], folder / str(count)) for count in (TIMED, 0)
    )
    epochs = seconds / (share * of_first + (1 - share) * of_second)
    return [f"method.{first}={round(share * epochs)}", f"trainer.max_epochs={round(epochs)}"]


def main() -> None:
    presets = [
        name.removeprefix("lol_cpu/") for name in available("experiment") if name.startswith("lol_cpu/")
    ]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lol", help="folder of LOL's pairs")
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", nargs="+", default=[*presets, *UNLEARNT])
    parser.add_argument("--minutes", type=float, default=15, help="of training per method")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data = ["data=lol", f"data.root='{arguments.lol}'"]
    for method in arguments.methods:
        run, scores = (arguments.out / kind / f"{method}-{arguments.seed}" for kind in ("runs", "scores"))
        if method in presets:
            settings = [f"experiment=lol_cpu/{method}", *data, f"seed={arguments.seed}"]
            settings += ["trainer.max_time=null", "trainer.enable_progress_bar=false"]
            epochs = epochs_within(60 * arguments.minutes, settings, arguments.out / "timed" / method)
            lowlight("train", *settings, *epochs, f"output_dir='{run}'", "resume=auto")
        of = f"checkpoint='{run}'" if method in presets else f"method={method}"
        lowlight("evaluate", of, *data, "trainer=cpu", f"output_dir='{scores}'", "resume=auto")


if __name__ == "__main__":
    main()
