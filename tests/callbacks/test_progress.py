"""What a training shows on a terminal."""

import io
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import RichProgressBar
from tqdm import tqdm

from lowlight.callbacks import progress
from lowlight.callbacks.progress import OneBar, bar
from tests.tiny_runs import run, run_in_two


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Stand in for a terminal that is looked at all the time."""
    shown = io.StringIO()

    def opened(*args: Any, disable: bool | None, **settings: Any) -> "tqdm[Any]":
        return tqdm(*args, **settings, disable=bool(disable), file=shown, ncols=200)

    opened.format_interval = tqdm.format_interval  # type: ignore[attr-defined]
    monkeypatch.setattr(progress, "tqdm", opened)
    monkeypatch.setattr(progress, "_INTERVAL", 0)
    return shown


SHOW = "trainer.enable_progress_bar=true"


@pytest.mark.parametrize("name", ["autoencoder", "gan"])
def test_one_line_has_epoch_loss_two_scores_and_the_time_left(
    name: str, lol: Path, tmp_path: Path, terminal: io.StringIO
) -> None:
    run(name, lol, tmp_path, SHOW, "trainer.max_epochs=3")
    lines = terminal.getvalue().replace("\n", "\r").split("\r")
    *_, last = [line for line in lines if line.startswith("epoch 3/3")]
    for part in (", loss ", ", val/psnr ", ", val/ssim ", ", 00:00 left |"):
        assert part in last
    assert "f1" not in last
    assert any(line.startswith("epoch 1/3") for line in lines), lines
    assert any(line.startswith("test |") and line.rstrip().endswith("2/2") for line in lines), lines


def test_a_resumed_run_goes_on_at_its_epoch(lol: Path, tmp_path: Path, terminal: io.StringIO) -> None:
    run_in_two("autoencoder", lol, tmp_path, SHOW, "trainer.max_epochs=4")
    *_, resumed = terminal.getvalue().partition("epoch 3/4 |")
    assert "epoch 4/4" in resumed
    assert "epoch 1/4" not in resumed


def test_the_time_left_is_no_more_than_the_time_limit(
    lol: Path, tmp_path: Path, terminal: io.StringIO
) -> None:
    """At the pace of its epochs alone, the run would take hours."""
    run("autoencoder", lol, tmp_path, SHOW, "trainer.max_epochs=100000", "trainer.max_time=00:00:00:02")
    left = [part.partition(" left |")[0] for part in terminal.getvalue().split(", ") if " left |" in part]
    assert left
    assert max(left) <= "00:02"


def test_nothing_is_shown_where_there_is_no_terminal(
    lol: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run("autoencoder", lol, tmp_path, SHOW, "trainer.max_epochs=1")
    told = capfd.readouterr()
    assert "epoch" not in told.out + told.err
    assert "val/psnr" not in told.out + told.err


def test_there_is_no_bar_but_the_one_that_is_wanted() -> None:
    config = OmegaConf.create({"enable_progress_bar": True})
    assert [type(one) for one in bar(config)] == [OneBar]
    assert bar(config, [RichProgressBar()]) == []
    assert bar(OmegaConf.create({"enable_progress_bar": False})) == []
