"""The program and what its verbs have in common."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import lowlight.cli
from lowlight.cli import HYDRA_VERBS, VERBS
from lowlight.cli._errors import errors_in_one_line
from tests.cli.commands import lowlight as run


def test_every_file_without_an_underscore_is_a_verb() -> None:
    files = {path.stem for path in Path(lowlight.cli.__file__).parent.glob("[!_]*.py")}
    assert files == set(VERBS)
    for verb in VERBS:
        assert callable(import_module(f"lowlight.cli.{verb}").main)


def test_the_program_lists_its_verbs(tmp_path: Path) -> None:
    helped = run("--help", folder=tmp_path)
    assert helped.returncode == 0
    assert all(f"\n  {verb} " in helped.stdout for verb in VERBS)


def test_the_program_is_also_a_module() -> None:
    version = subprocess.run(
        [sys.executable, "-m", "lowlight", "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout == f"lowlight {lowlight.__version__}\n"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("trian", "no verb 'trian'; did you mean train?"),
        ("Evaluate", "no verb 'Evaluate'; did you mean evaluate?"),
        ("xyzzy", "no verb 'xyzzy'; choose one of train, evaluate, "),
        ("method=gan", "settings belong to a verb: lowlight train method=gan ..."),
    ],
)
def test_another_first_word_is_told_the_verb_that_was_meant(word: str, told: str, tmp_path: Path) -> None:
    wrong = run(word, folder=tmp_path)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith(f"lowlight: {told}")
    assert wrong.stderr.count("\n") == 1


def test_no_help_waits_for_torch() -> None:
    code = """
import sys
from importlib import import_module
from typer.testing import CliRunner
for verb in sys.argv[1:]:
    shown = CliRunner().invoke(import_module(f"lowlight.cli.{verb}").app, ["--help"])
    assert shown.exit_code == 0 and "Usage" in shown.output, shown.output
sys.exit(bool({"jinja2", "torch"} & set(sys.modules)))
"""
    verbs = [verb for verb in VERBS if verb not in HYDRA_VERBS]
    assert subprocess.run([sys.executable, "-c", code, *verbs], check=False).returncode == 0


def fail(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize("error", [ValueError("no\n such   run"), OSError("no such run")])
def test_a_users_mistake_is_one_line_and_status_1(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as stop, errors_in_one_line("data check", debug=False):
        fail(error)()
    assert stop.value.exit_code == 1
    assert capsys.readouterr().err == "lowlight data check: no such run\n"


@pytest.mark.parametrize(
    ("error", "debug"), [(ValueError("no such run"), True), (ZeroDivisionError("a bug"), False)]
)
def test_a_bug_and_debug_keep_the_traceback(error: Exception, debug: bool) -> None:
    with pytest.raises(type(error)), errors_in_one_line("sweep", debug):
        fail(error)()


@pytest.mark.parametrize(
    "command",
    [
        ["benchmark", "nowhere"],
        ["compare", "nowhere", "--out", "report"],
        ["data", "check", "nowhere"],
        ["data", "download", "other", "--root", "set"],
        ["data", "retrieve", "nowhere", "--out", "answers"],
        ["demo", "--runs", "nowhere"],
        ["detect", "nowhere"],
        ["enhance", "a.png", "--out", "bright", "--max-memory", "much"],
        ["export", "nowhere", "--out", "a.onnx"],
        ["gallery", "nowhere", "--methods", "gama", "--out", "page"],
        ["push", "nowhere", "us/model", "--dry-run"],
        ["serve", "--max-upload", "much"],
        ["sweep", "nowhere"],
    ],
    ids=" ".join,
)
def test_every_verb_names_itself_in_its_errors(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_of(command, monkeypatch) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"lowlight {' '.join(command[: 2 if command[0] == 'data' else 1])}: ")
    assert told.count("\n") == 1


def status_of(command: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    verb, *arguments = command
    monkeypatch.setattr(sys, "argv", [f"lowlight {verb}", *arguments])
    with pytest.raises(SystemExit) as stop:
        import_module(f"lowlight.cli.{verb}").main()
    return stop.value.code


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("enhance --bogus", "enhance: no such option --bogus; see lowlight enhance --help"),
        ("enhance a.png --output b", "enhance: no such option --output; did you mean --out?"),
        ("enhance a.png --fail_safe", "enhance: no such option --fail_safe; did you mean --fail-safe?"),
        ("demo -p 80", "demo: no such option -p; see lowlight demo --help"),
        ("sweep --\x1b[2Ja\nb", r"sweep: no such option --\x1b[2Ja b; see lowlight sweep --help"),
        ("push run", "push: missing argument REPO_ID; see lowlight push --help"),
        ("compare run", "compare: missing option --out; see lowlight compare --help"),
        ("compare run --out", "compare: option --out requires an argument; see lowlight compare --help"),
        ("sweep a b", "sweep: got unexpected extra argument(s) (b); see lowlight sweep --help"),
        ("data chekc a", "data: no such command chekc; did you mean check?"),
        ("data xyzzy", "data: no such command xyzzy; choose one of check, download, retrieve"),
        ("data check a --jsn", "data check: no such option --jsn; did you mean --json?"),
    ],
)
def test_wrong_arguments_are_told_in_one_line_with_what_was_meant(
    command: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(command.split(" "), monkeypatch) == 2
    assert capsys.readouterr() == ("", f"lowlight {told}\n")


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("enhance a.png --out b --actors 0", "enhance: invalid value for --actors: "),
        ("benchmark --rounds two", "benchmark: invalid value for --rounds: "),
        ("export a --out b --format onxx", "export: invalid value for --format: onxx is not one of onnx, "),
    ],
)
def test_a_wrong_value_names_its_option_in_one_line(
    command: str, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(command.split(), monkeypatch) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"lowlight {named}")
    assert told.endswith(f"; see lowlight {command.split()[0]} --help\n")
    assert told.count("\n") == 1


def test_a_verb_of_several_commands_alone_shows_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["data"], monkeypatch) == 0
    assert "retrieve" in capsys.readouterr().out


@pytest.mark.parametrize(("error", "ends"), [(KeyboardInterrupt(), SystemExit), (EOFError(), EOFError)])
def test_an_interruption_ends_a_verb_without_a_word_and_a_bug_with_its_traceback(
    error: BaseException,
    ends: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(folder: Path) -> None:
        raise error

    monkeypatch.setattr("lowlight.cli.sweep.read_sweep", interrupt)
    monkeypatch.setattr(sys, "argv", ["lowlight sweep", "a"])
    with pytest.raises(ends) as stop:
        import_module("lowlight.cli.sweep").main()
    assert getattr(stop.value, "code", 130) == 130
    assert "".join(capsys.readouterr()).strip() == ""


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["benchmark", "gamma", "--out", "notes.txt"], "notes.txt"),
        (["export", "coarse_to_fine", "--out", "notes.txt/net.onnx"], "notes.txt"),
        (["export", "coarse_to_fine", "--format", "pretrained", "--out", "notes.txt"], "notes.txt"),
        (["push", "run", "me/it", "--out", "notes.txt/a"], "notes.txt"),
        (["data", "retrieve", "pairs", "--out", "notes.txt"], "notes.txt"),
        (["compare", "run", "--out", "notes.txt/a"], "notes.txt"),
        (["gallery", "a.png", "--methods", "gamma", "--out", "notes.txt/a"], "notes.txt"),
    ],
)
def test_a_file_where_a_folder_is_needed_is_told_before_the_work(
    arguments: list[str], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("kept")
    verb, *rest = arguments
    done = CliRunner().invoke(import_module(f"lowlight.cli.{verb}").app, rest)
    assert (done.exit_code, done.stdout) == (1, "")
    command = f"data {rest[0]}" if verb == "data" else verb
    assert done.stderr == f"lowlight {command}: {place}: a file, not a folder; give another --out\n"
    assert Path("notes.txt").read_text() == "kept"
