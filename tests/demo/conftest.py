"""The page's server, started once for all tests that ask it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.tiny import tiny

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start the page on a free port; give its address and the folder of its temporary files."""
    folder = tmp_path_factory.mktemp("demo")
    method = tiny("autoencoder")
    weights = {"state_dict": method.state_dict(), "recipe": method.recipe}
    for name, content in {"small": weights, "wrecked": {"state_dict": 3, "recipe": [1]}}.items():
        (folder / "runs" / name).mkdir(parents=True)
        torch.save(content, folder / "runs" / name / "best.ckpt")
    temporary = folder / "temporary"
    temporary.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--runs", "runs", "--port", str(port), "--max-upload", "1MB", "--max-pixels", "500e3"]
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}  # nobody answers there
    process = subprocess.Popen(
        [sys.executable, "-m", "lowlight.cli.demo", *options],
        cwd=folder,
        env=os.environ | proxy | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    address = f"http://127.0.0.1:{port}/"
    assert address in line
    yield address, temporary
    process.terminate()
    assert process.wait(30) == 0
    assert [*temporary.glob("lowlight*"), *temporary.glob("gradio*")] == []  # what was uploaded is gone
