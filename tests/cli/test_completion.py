"""Completion in the shell."""

import subprocess
import sys

import pytest

from lowlight.cli import VERBS


def completed(*words: str) -> list[str]:
    """Return what Bash is offered for the last word."""
    code = "import sys; sys.argv = ['lowlight']; from lowlight.cli import main; main()"
    environment = {
        "_LOWLIGHT_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("lowlight", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_verb_is_completed() -> None:
    assert sorted(completed("")) == sorted(VERBS)
    assert completed("en") == ["enhance"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["enhance", "--meth"], ["--method"]),
        (["data", "che"], ["check"]),
        (["train", "meth"], ["method="]),
        (["train", "method=mi"], ["method=mirnet"]),
        (["train", "seed=1", "method", "=", "mi"], ["mirnet"]),  # as Bash splits it
        (["evaluate", "trainer", "="], ["auto", "cpu"]),
    ],
)
def test_options_subcommands_and_choices_are_completed(words: list[str], offered: list[str]) -> None:
    found = completed(*words)
    assert set(offered) <= set(found)
    if offered[0] != "auto":
        assert found == offered


def test_the_script_of_the_shell_is_printed() -> None:
    """``--show-completion`` prints the same for the shell that it finds itself in."""
    code = "import sys; sys.argv = ['lowlight']; from lowlight.cli import main; main()"
    environment = {"_LOWLIGHT_COMPLETE": "source_bash"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "_LOWLIGHT_COMPLETE=complete_bash" in done.stdout
