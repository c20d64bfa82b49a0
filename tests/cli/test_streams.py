"""Commands finish their work whoever reads their messages, and say which argument works."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from lowlight.cli._overrides import check_overrides
from tests.cli.commands import ROOT

TALK = """
import sys
from lowlight.cli._streams import keep_streams
keep_streams()
for _ in range(20000):
    print("夜 night")
print("夜 night", file=sys.stderr, flush=True)
with open("done", "w") as file:
    file.write("whole")
"""


def talk(folder: Path, redirection: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a talkative command by the shell, and check that its work is done and whole."""
    line = f"{shlex.quote(sys.executable)} -c {shlex.quote(TALK)} {redirection}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(["sh", "-c", line], cwd=folder, env=environment, capture_output=True, check=False)
    assert (folder / "done").read_text() == "whole", done.stderr
    return done


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("redirection", ["2>&1 | true", ">&- 2>&- <&-", "| head -n 1"])
def test_a_closed_pipe_or_stream_does_not_stop_the_work(redirection: str, tmp_path: Path) -> None:
    assert b"Error" not in talk(tmp_path, redirection).stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_at_the_end(tmp_path: Path) -> None:
    done = talk(tmp_path, "> /dev/full")
    assert done.returncode == 1
    assert (
        done.stderr.decode().splitlines()[-1].startswith("error: the output was not written whole: No space")
    )


def test_letters_that_a_terminal_lacks_are_escaped(tmp_path: Path) -> None:
    done = talk(tmp_path, "| tail -n 1", PYTHONIOENCODING="cp1252")
    assert done.stdout.strip() == done.stderr.strip() == rb"\u591c night"


@pytest.mark.parametrize(
    "value",
    [
        "ev/x(1)",
        "ev/a,b",
        "ev/a=b",
        "it's",
        "it\\'s",
        'ev/a"b',
        "ev/é",
        "ev/夜 (2), b=c",
        "a{b",
        "$HOME/(x)!",
        "a'\\",
    ],
)
def test_a_value_that_must_be_quoted_is_followed_by_the_argument_that_works(value: str) -> None:
    with pytest.raises(SystemExit) as stop:
        check_overrides("train", ["method=gan", f"output_dir={value}"])
    error, remedy = str(stop.value.code).split("\n")
    assert error.startswith("error: ")
    command = re.fullmatch(r"To give the text as it is, quote it: (.+) \.\.\.", remedy)
    assert command
    verb, override = shlex.split(command[1])[1:]
    assert verb == "train"
    parsed = OverridesParser.create().parse_override(override)
    assert (parsed.key_or_group, parsed.value()) == ("output_dir", value)


def test_the_parts_of_a_list_are_quoted_one_by_one() -> None:
    with pytest.raises(SystemExit, match=re.escape("\"data.root=['/a (b)','/c']\"")):
        check_overrides("train", ["data.root=[/a (b), /c]"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["output_dir=ev/x y"],
        ["output_dir='ev/(x)'"],
        ["-m", "seed=0,1"],
        ["--config-dir=a(b)"],
        ["+a={b: 1}", "~find_lr"],
    ],
)
def test_what_hydra_understands_is_let_through(arguments: list[str]) -> None:
    check_overrides("train", arguments)
