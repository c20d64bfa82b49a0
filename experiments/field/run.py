"""Train every method for the same time on LOL's pairs, and score all of them alike.

Each trains by ``experiment=lol_cpu/NAME``, all in 32 bits, also those whose preset does not. Schedules need
the number of epochs beforehand, so a few epochs of each stage are timed, those of all methods in one
sitting before the first is trained, since a shared machine's pace changes from hour to hour.
``epochs.json`` in the folder of results keeps the numbers; copied from another such folder, it makes a
machine train as long as that one would. Interrupted, the same command continues; what is trained and scored
is not done again, so methods may be given one by one. Those that learn nothing are scored beside those that
are trained. At the end of each call, all that are there are compared. ``--speed`` benchmarks the networks of
all methods in one run instead; it needs a machine on which nothing else runs.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lowlight.config import available, load_config
from lowlight.files import read_json, write_json

HERE = Path(__file__).parent

UNLEARNT = ("identity", "gamma", "histogram", "clahe", "bilateral", "lime", "msrcr")

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
"""Keeps torch to the instructions of CPUs without AVX-512."""

TIMED = 3
"""Epochs that are timed."""

PARTS = ("train", "val", "test")


def lowlight(verb: str, *arguments: object, environment: Mapping[str, str] = os.environ) -> None:
    """Run a command of lowlight."""
    command = [sys.executable, "-m", "lowlight", verb, *map(str, arguments)]
    subprocess.run(command, check=True, env=environment)


def script(path: str, *arguments: object) -> None:
    """Run a script of another experiment."""
    subprocess.run([sys.executable, HERE.parent / path, *map(str, arguments)], check=True)


def seconds_per_epoch(settings: Sequence[str], folder: Path) -> float:
    """Time a few epochs, without validation."""
    manifest = folder / "manifest.json"
    if not manifest.exists():
        few = [f"trainer.max_epochs={TIMED}", f"trainer.check_val_every_n_epoch={TIMED + 1}"]
        lowlight("train", *settings, *few, f"output_dir='{folder}'", "resume=restart")
    return 60 / TIMED * float(read_json(manifest)["train_minutes"])


def epochs_within(seconds: float, settings: Sequence[str], folder: Path) -> list[str]:
    """Return settings of the numbers of epochs that take some seconds, in the preset's proportion."""
    config = load_config(settings)
    first = next((key for key in config.method if key.endswith("_epochs")), None)
    if first is None:
        return [f"trainer.max_epochs={even(seconds / seconds_per_epoch(settings, folder))}"]
    share = config.method[first] / config.trainer.max_epochs
    of_first, of_second = (
        seconds_per_epoch([*settings, f"method.{first}={count}"], folder / str(count)) for count in (TIMED, 0)
    )
    epochs = seconds / (share * of_first + (1 - share) * of_second)
    return [f"method.{first}={round(share * epochs)}", f"trainer.max_epochs={even(epochs)}"]


def even(epochs: float) -> int:
    """Round to an even number, so that the last epoch is validated as that at half is."""
    return 2 * max(1, round(epochs / 2))


def benchmark(presets: Sequence[str], data: Sequence[str], out: Path) -> None:
    """Time networks of all methods in one run, each after one step, since weights do not change the time."""
    one = [f"trainer.{key}=1" for key in ("max_epochs", *(f"limit_{part}_batches" for part in PARTS))]
    networks = [out / "networks" / method for method in presets]
    for method, network in zip(presets, networks, strict=True):
        if not (network / "manifest.json").exists():
            output = f"output_dir='{network}'"
            lowlight("train", *settings_of(method, data), *one, output, "resume=restart")
    timing = [*networks, *UNLEARNT, "--size", "600x400", "--threads", 2]
    lowlight("benchmark", *timing, "--engine", "torch", "--engine", "bf16", "--out", out / "speed")
    with_avx2 = os.environ | AVX2
    lowlight("benchmark", *timing, "--out", out / "speed-avx2", environment=with_avx2)


def settings_of(method: str, data: Sequence[str]) -> list[str]:
    """Return the settings of a method's training, but for its length."""
    return [
        f"experiment=lol_cpu/{method}",
        *data,
        "trainer.max_time=null",
        "trainer.precision=32-true",
        "trainer.enable_progress_bar=false",
    ]


def train(settings: Sequence[str], epochs: Sequence[str], run: Path) -> None:
    """Train a method for some epochs, with two validations."""
    if not (run / "manifest.json").exists():
        half = int(epochs[-1].partition("=")[2]) // 2
        epochs = [*epochs, f"trainer.check_val_every_n_epoch={half}"]
        lowlight("train", *settings, *epochs, f"output_dir='{run}'", "resume=auto")


def main() -> None:
    presets = [
        name.removeprefix("lol_cpu/") for name in available("experiment") if name.startswith("lol_cpu/")
    ]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("lol", "exposures", "bright", "dark"):
        parser.add_argument(f"--{name}", required=True, help="folder as in ../mixed-sources")
    parser.add_argument("--methods", nargs="+", default=[*presets, *UNLEARNT])
    parser.add_argument("--minutes", type=float, default=15, help="of training per method")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--speed", action="store_true", help="benchmark all methods, train none")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    out: Path = arguments.out
    data = ["data=lol", f"data.root='{arguments.lol}'"]
    roots = [f"--{name}={getattr(arguments, name)}" for name in ("lol", "exposures", "bright", "dark")]
    if arguments.speed:
        benchmark(presets, data, out)
        return
    lengths = out / "epochs.json"
    if not lengths.exists():
        seconds = 60 * arguments.minutes
        timed = {
            method: epochs_within(seconds, settings_of(method, data), out / "timed" / method)
            for method in presets
        }
        write_json(lengths, timed)
    epochs = read_json(lengths)
    for method in arguments.methods:
        for seed in arguments.seeds if method in presets else [0]:
            name = f"{method}-{seed}" if method in presets else method
            of, model = f"method={method}", method
            if method in presets:
                model = str(out / "runs" / name)
                train([*settings_of(method, data), f"seed={seed}"], epochs[method], Path(model))
                of = f"checkpoint='{model}'"
                if not (out / "validation" / name / "metrics.json").exists():
                    script("validation.py", model, "--out", out / "validation")
            scores = f"output_dir='{out / 'test' / name}'"
            lowlight("evaluate", of, *data, "metrics=[lpips,ms_ssim]", "trainer=cpu", scores, "resume=auto")
            if not (out / "sources" / name / "scores.json").exists():
                models = ["--model", name, model]
                script("mixed-sources/run.py", *roots, *models, "--out", out / "sources" / name)
    scored = sorted(path.parent for path in out.glob("test/*/manifest.json"))
    lowlight("compare", *scored, "--out", out / "report")


if __name__ == "__main__":
    main()
