"""Tables on terminals, in pipes, and with names that steer either."""

import io
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from lowlight.cli._tables import print_table
from tests.report.fake_runs import load, write_run

ROWS = [
    ["a" * 40 + " [bold]b[/] [/c]", "gamma :smile:", "7.25"],
    ["夜の写真", "lime\x1b[2J\r", "1,234.50"],
]
CELLS = [ROWS[0], ["夜の写真", r"lime\x1b[2J\r", "1,234.50"]]
STYLE = re.compile(r"\x1b\[[\d;]*m")


class Stream(io.TextIOWrapper):
    """Standard output, kept; on a terminal or not."""

    def __init__(self, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding, errors="backslashreplace", newline="")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined,no-any-return]


def printed(
    monkeypatch: pytest.MonkeyPatch, width: int, terminal: bool = True, encoding: str = "utf-8"
) -> str:
    """Return what the rows are printed as on a terminal that is ``width`` characters wide, or in a pipe."""
    stream = Stream(terminal, encoding)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", stream)
    ruled = print_table(["model", "method", "time,\nms"], ROWS, right=["time,\nms"])
    assert ruled == (terminal and width > 100)
    return stream.text()


@pytest.mark.parametrize("environment", ["FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"])
@pytest.mark.parametrize(("terminal", "width"), [(False, 200), (False, 20), (True, 60)])
def test_in_a_pipe_or_a_narrow_terminal_a_table_is_plain_and_whole(
    terminal: bool, width: int, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environment, "1")
    lines = printed(monkeypatch, width, terminal).splitlines()
    assert "\x1b" not in "".join(lines)
    assert [re.split(r" {2,}", line) for line in lines[2:]] == CELLS
    assert lines[0].split() == ["time,"]
    assert re.split(r" {2,}", lines[1]) == ["model", "method", "ms"]
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_wide_terminal_gets_a_rule_and_columns_that_align(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = STYLE.sub("", printed(monkeypatch, 120)).splitlines()
    assert set(lines[2].strip()) == {"─"}
    assert [re.split(r" {2,}", line) for line in lines[3:]] == CELLS
    start = lines[3].index("gamma")
    assert lines[4].index("lime") == start - len("夜の写真")  # each is two columns wide
    assert "\x1b[1m" in printed(monkeypatch, 120)


def test_a_terminal_without_the_rule_gets_one_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = STYLE.sub("", printed(monkeypatch, 120, encoding="cp1252"))
    assert shown.isascii()
    assert all(text in shown for text in ("-----", ROWS[0][0], "1,234.50", r"\u591c"))


def test_a_comparison_shows_its_main_columns_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", "mirnet\x1b[2J", psnr=21.0, epochs=0)
    comparing = import_module("lowlight.report.compare")
    monkeypatch.setattr(comparing, "load_run", lambda folder, trust: load(folder))
    monkeypatch.setenv("TERM", "xterm-256color")
    command = import_module("lowlight.cli.compare")
    said = {}
    for width in (120, 60):
        stream = Stream(terminal=True)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", stream)
        arguments = [str(run), "--out", str(tmp_path / "out"), "--no-pictures"]
        monkeypatch.setattr(sys, "argv", ["lowlight compare", *arguments])
        with pytest.raises(SystemExit) as stop:
            command.main()
        assert not stop.value.code
        said[width] = STYLE.sub("", stream.text())
        assert "\x1b" not in said[width]
        assert r"mirnet\x1b[2J" in said[width].replace(r"\[", "[")
        assert f"The report is {tmp_path}/out/index.html" in said[width]
    assert "21.00" in said[120]
    assert "[21.00, 21.00]" in said[120]
    assert "Exposure" not in said[120]
    assert "Ratio is that time" in said[120]
    assert f"All scores are in {tmp_path}/out/table.md" in said[120]
    assert "| Exposure Acc. |" in said[60]
