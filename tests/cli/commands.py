"""Running the commands as a user runs them."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.tiny import TINY

ROOT = Path(__file__).parents[2]
QUICK = ["trainer=cpu", "trainer.max_epochs=2", "trainer.enable_progress_bar=false", "data.patch_size=32"]
AUTOENCODER = ["method=autoencoder", *TINY["autoencoder"], *QUICK]


def lowlight(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``lowlight`` in a folder of its own."""
    return python("-c", "from lowlight.cli import main; main()", *arguments, folder=folder, **environment)


def python(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder of its own, with this repository's modules, the tests' too."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | environment,
        check=False,
    )


def in_process(verb: str, *overrides: str, folder: Path) -> None:
    """Run a Hydra verb in this process, in a folder and without Hydra's own logging."""
    quiet = ["hydra/job_logging=none", "hydra/hydra_logging=none"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", [f"lowlight-{verb}", *overrides, *quiet])
        import_module(f"lowlight.cli.{verb}").main()


def on(root: Path) -> list[str]:
    """Return the overrides that train on a folder of the fixture's few pairs."""
    return ["data=lol", f"data.root='{root}'", "data.batch_size=2", "data.val_fraction=0.3"]
