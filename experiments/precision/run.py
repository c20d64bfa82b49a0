"""Time coarse_to_fine's two stages on LOL in fp32 and bf16, on this CPU and limited to AVX2."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
"""Environment that keeps torch from instructions beyond AVX2."""

STAGES = {
    "coarse, 2 epochs": ["method.coarse_epochs=2", "trainer.max_epochs=2"],
    "coarse, 4 batches": [
        "method.coarse_epochs=1",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=4",
    ],
    "fine, 24 batches": [
        "method.coarse_epochs=0",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=24",
        "data.progressive=[]",
    ],
}


PRESETS = ("mirnet", "autoencoder", "gan")
"""Presets of lol_cpu whose epochs are alike, in fp32."""


def minutes(root: Path, experiment: str, overrides: list[str], limits: dict[str, str]) -> float:
    """Train for a moment in a process of its own and return the minutes of training."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            f"experiment=lol_cpu/{experiment}",
            f"data.root='{root.resolve()}'",
            *overrides,
            f"output_dir={folder}/run",
            "trainer.enable_progress_bar=false",
            "trainer.limit_test_batches=1",
        ]
        command = [sys.executable, "-m", "lowlight.cli.train", *overrides]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | limits)
        return float(json.loads((Path(folder) / "run" / "manifest.json").read_text())["train_minutes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="Folder of LOL's pairs")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the minutes")
    arguments = parser.parse_args()
    plan = [
        ("this CPU", {}, stage, precision)
        for stage in ("coarse, 2 epochs", "fine, 24 batches")
        for precision in ("32-true", "bf16-mixed")
    ]
    plan += [("AVX2", AVX2, stage, "32-true") for stage in STAGES]
    plan += [("AVX2", AVX2, "coarse, 4 batches", "bf16-mixed")]  # emulated: more would take long
    rows = []
    for cpu, limits, stage, precision in plan:
        row = {"cpu": cpu, "stage": stage, "precision": precision}
        overrides = [*STAGES[stage], f"trainer.precision={precision}", "data.val_fraction=0"]
        rows.append(row | {"minutes": minutes(arguments.root, "coarse_to_fine", overrides, limits)})
        print(rows[-1], flush=True)
    for preset in PRESETS:
        for cpu, limits in (("this CPU", {}), ("AVX2", AVX2)):
            row = {"cpu": cpu, "stage": f"{preset}, 2 epochs", "precision": "32-true"}
            taken = minutes(arguments.root, preset, ["trainer.max_epochs=2"], limits)
            rows.append(row | {"minutes": taken})
            print(rows[-1], flush=True)
    arguments.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
