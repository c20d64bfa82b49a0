"""Kill trainings, resume them with the same command, and compare them with an uninterrupted run.

Run it from the repository's root: it uses ``tests/cli/killer.py``.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from lowlight.files import read_json, write_json
from lowlight.runs.provenance import provenance

SMALL = ["trainer=cpu", "trainer.max_epochs=3", "trainer.enable_progress_bar=false", "data.patch_size=32"]
SMALL += ["trainer.limit_train_batches=4", "data.batch_size=4", "resume=auto"]
AUTOENCODER = ["method=autoencoder", "method.net.channels=[8,8,8,8,8]"]
METHODS = {
    "autoencoder": AUTOENCODER,
    "autoencoder, 2 workers": [*AUTOENCODER, "data.num_workers=2"],
    "autoencoder, EMA, mixup": [*AUTOENCODER, "callbacks=[default,ema]", "data.mixup=1.2"],
    "gan": [
        *("method=gan", "method.net.channels=8", "method.net.depth=3"),
        *("method.discriminator.channels=8", "method.discriminator.layers=1"),
    ],
    "mirnet": [
        *("method=mirnet", "method.net.channels=8", "method.net.groups=1", "method.net.blocks=1"),
        "method.net.reduction=2",
    ],
}
METHODS["gan, EMA"] = [*METHODS["gan"], "callbacks=[default,ema]"]
PLACES = {
    "first epoch": ("batch", 0),
    "second epoch": ("batch", 1),
    "validation": ("validation", 1),
    "writing last.ckpt": ("writing", 1),
    "renaming last.ckpt": ("renaming", 1),
    "test": ("test", 2),
}
SIGNALS = ("SIGKILL", "SIGTERM")


def train(folder: Path, overrides: list[str], kill: tuple[str, ...] = ()) -> int:
    """Run a training, killed at a place if given; return its exit status."""
    program = ["-m", "tests.cli.killer", *kill] if kill else ["-m", "lowlight.cli.train"]
    command = [sys.executable, *program, *overrides, *SMALL, f"output_dir='{folder}'"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode


def state(folder: Path) -> dict[str, torch.Tensor]:
    """Return every tensor of the last checkpoint: weights, averaged weights, optimizer states."""
    tensors = {}

    def collect(node: object, name: str) -> None:
        if isinstance(node, torch.Tensor):
            tensors[name] = node.double()
        elif isinstance(node, dict):
            for key, child in node.items():
                collect(child, f"{name}/{key}")
        elif isinstance(node, list | tuple):
            for index, child in enumerate(node):
                collect(child, f"{name}/{index}")

    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    collect({key: value for key, value in checkpoint.items() if key != "callbacks"}, "")
    return tensors


def difference(one: Path, two: Path) -> float:
    """Return the greatest difference between two runs' last states; infinite if scores or curves differ."""
    for name in ("metrics.csv", "per_image.csv", "metrics.json"):
        if (one / name).read_bytes() != (two / name).read_bytes():
            return float("inf")
    first, second = state(one), state(two)
    if first.keys() != second.keys():
        return float("inf")
    return max(float((first[key] - second[key]).abs().max()) for key in first if first[key].numel())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the measurements")
    out = parser.parse_args().out
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, (method, overrides) in enumerate(METHODS.items()):
            straight = Path(scratch) / f"{number}"
            assert train(straight, overrides) == 0
            for place, (where, epoch) in PLACES.items():
                for name in SIGNALS:
                    folder = Path(scratch) / f"{number}-{where}-{epoch}-{name}"
                    status = train(folder, overrides, (where, name, str(epoch)))
                    again = train(folder, overrides)
                    sent = signal.Signals[name]
                    if status not in (-sent, 128 + sent) or again != 0:
                        raise SystemExit(f"{folder.name}: ended with {status}, then with {again}")
                    unlike = difference(straight, folder)
                    died = signal.Signals(-status).name if status < 0 else status
                    rows.append({"method": method, "place": place, "signal": name, "status": died})
                    rows[-1] |= {"sittings": read_json(folder / "manifest.json")["sittings"]}
                    rows[-1] |= {"difference": unlike}
                    print(*rows[-1].values(), sep=" | ", flush=True)
    write_json(out, {"rows": rows, **provenance()})
    worst = max(row["difference"] for row in rows)
    print(f"{len(rows)} cells, greatest difference {worst}")


if __name__ == "__main__":
    main()
