"""What was measured of each method after equal training is listed by ``lowlight models``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lowlight.cli.models import app
from lowlight.config import available
from lowlight.methods import measured
from lowlight.shipped import SCORES


def test_what_was_measured_is_of_methods_that_there_are_the_best_first() -> None:
    field = measured.measured()
    names = [one.name for one in field.methods]
    assert set(names) <= set(available("method"))
    assert len(set(names)) == len(names)
    assert sorted(field.methods, key=lambda one: -one.score.means["psnr"]) == list(field.methods)
    for one in field.methods:
        assert one.milliseconds > 0
        assert (one.score.source, one.score.split) == ("lol", "test")
        for key in SCORES:
            low, high = one.score.intervals[key]
            assert low <= one.score.means[key] <= high


def test_the_command_lists_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "measured.json"
    score = {
        "source": "lol",
        "split": "test",
        "images": 24,
        "scenes": 10,
        "means": {"psnr": 18.126, "ssim": 0.7},
        "intervals": {"psnr": [16.5, 20.123]},
    }
    size = {"parameters": 12345, "gmac": 3.456, "milliseconds": 41.23}
    nothing = {"parameters": 0, "gmac": None, "milliseconds": 0.42}
    methods = [{"name": "mirnet", **size, "score": score}, {"name": "gamma", **nothing, "score": score}]
    path.write_text(json.dumps({"about": "trained a day", "machine": "an abacus", "methods": methods}))
    monkeypatch.setattr(measured, "FILE", path)
    told = CliRunner().invoke(app, []).stdout
    assert "trained a day" in told
    assert "24 of 10 scenes" in told
    assert "an abacus" in told
    (line,) = (line for line in told.splitlines() if line.startswith("mirnet"))
    assert line.split() == ["mirnet", "12,345", "3.46", "41.2", "18.13", "[16.50,", "20.12]", "0.700"]
    (line,) = (line for line in told.splitlines() if line.startswith("gamma") and "18.13" in line)
    assert line.split()[:4] == ["gamma", "-", "-", "0.4"]
