"""Two processes do not write in one run folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lowlight.config import load_config
from lowlight.evaluation import evaluate
from lowlight.runs.lock import alone_in

HOLDER = """
import sys, time
from lowlight.runs.lock import alone_in
with alone_in(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> "subprocess.Popen[str]":
    """Return a process that writes in the folder ``run``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_is_refused_until_the_first_is_gone(
    holder: "subprocess.Popen[str]", tmp_path: Path, lol: Path
) -> None:
    config = load_config(
        ["method=gamma", "data=lol", f"data.root='{lol}'", f"output_dir='{tmp_path / 'run'}'", "trainer=cpu"],
        "evaluate",
    )
    try:
        with pytest.raises(
            ValueError, match=rf"run: another process \({holder.pid}\) is writing there; wait"
        ):
            evaluate(config)
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
    finally:
        holder.send_signal(signal.SIGKILL)  # which removes no file
        holder.wait()
    with alone_in(tmp_path / "run"):
        assert (tmp_path / "run" / ".lock").read_text() == str(os.getpid())
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_that_cannot_be_locked_is_left_to_who_writes_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with alone_in(tmp_path / "file" / "run"):
        pass
    with alone_in(tmp_path / "run", needed=False):
        assert not (tmp_path / "run").exists()
