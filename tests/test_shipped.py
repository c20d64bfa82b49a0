"""Shipped weights carry a card of what was measured, which is listed and written into their README."""

import json
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import lowlight
from lowlight import shipped
from lowlight.cli.models import app
from lowlight.inference import load, models
from lowlight.shipped import CARD, SCORES, SHIPPED, Card, read_card
from tests.conftest import photograph

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "experiments" / "default-model" / "card.py"
FOLDERS = [SHIPPED / name for name in shipped.shipped()]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of shipped weights in which ``small`` is a copy of the default model's."""
    folder = tmp_path / "weights"
    shutil.copytree(SHIPPED / "coarse_to_fine", folder / "small")
    for module in (shipped, models, load):
        monkeypatch.setattr(module, "SHIPPED", folder)
    return folder / "small"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_shipped_weights_have_a_whole_card_and_its_table(folder: Path) -> None:
    card = read_card(folder)
    assert card.licence
    assert card.milliseconds
    assert card.machine
    assert {score.source for score in card.scores} >= {"lol", "exposures", "bright"}
    for score in card.scores:
        assert set(score.means) >= set(SCORES)
        for key in SCORES:
            low, high = score.intervals[key]
            assert low <= score.means[key] <= high
    assert runpy.run_path(str(SCRIPT))["table"](card) in (folder / "README.md").read_text(encoding="utf-8")


def test_a_new_folder_of_weights_needs_only_its_files(own: Path) -> None:
    content = json.loads((own / CARD).read_text())
    content |= {"about": "A smaller one.", "milliseconds": 60.4, "machine": "a clock", "licence": "CC0-1.0"}
    (own / CARD).write_text(json.dumps(content))
    first = lowlight.models()[0]
    assert (first.name, first.about, first.licence) == ("small", "A smaller one.", "CC0-1.0")
    assert (first.milliseconds, first.machine) == (60.4, "a clock")
    assert first.scores[0].cell("psnr").startswith(f"{first.scores[0].means['psnr']:.2f} [")
    assert first.size == (own / "model.safetensors").stat().st_size
    dark = photograph(1) // 6
    assert np.array_equal(lowlight.enhance(dark, "small"), lowlight.enhance(dark, lowlight.load(own)))


def test_weights_without_a_card_are_listed_all_the_same(own: Path) -> None:
    (own / CARD).unlink()
    assert read_card(own) == Card()
    first = lowlight.models()[0]
    assert (first.name, first.about, first.licence, first.milliseconds) == (
        "small",
        "",
        "research-only",
        None,
    )
    assert first.parameters > 0


@pytest.mark.parametrize(
    "text", ["", "[]", '{"speed": 3}', '{"scores": [{"source": "lol"}]}', '{"scores": 1}']
)
def test_a_broken_card_names_its_file(own: Path, text: str) -> None:
    (own / CARD).write_text(text)
    with pytest.raises(ValueError, match=r"card\.json: no card of a model"):
        lowlight.models()
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_the_command_lists_what_the_function_returns() -> None:
    told = json.loads(CliRunner().invoke(app, ["--json"]).stdout)
    assert [one["name"] for one in told] == [one.name for one in lowlight.models()]
    assert told[0]["scores"][0]["means"] == dict(lowlight.models()[0].scores[0].means)
    plain = CliRunner().invoke(app, []).stdout
    first = lowlight.models()[0]
    assert f"{first.milliseconds:.0f} ms per 600x400 image on {first.machine}" in plain
    for score in first.scores:
        (line,) = (line for line in plain.splitlines() if line.split()[:2] == [first.name, score.source])
        for key in SCORES:
            assert score.cell(key) in line


def test_cards_are_written_from_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, evaluation = tmp_path / "new", tmp_path / "scores"
    folder.mkdir()
    evaluation.mkdir()
    metrics: dict[str, Any] = {
        "test/psnr": 20.126,
        "test/ssim": 0.8,
        "split": "test",
        "images": 3,
        "scenes": 2,
    }
    (evaluation / "metrics.json").write_text(json.dumps(metrics | {"intervals": {"psnr": [19, 21.5]}}))
    readme = "# new\n\n<!-- generated: scores -->\nold\n<!-- generated: end -->\n\nMore.\n"
    (folder / "README.md").write_text(readme)
    rows = [
        {"model": name, "source": source, "split": "val", "images": 4, "scenes": 4, "psnr": mean}
        for name, source, mean in (("new", "bright", 15.0), ("other", "bright", 9.0))
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    speed = {"model": "new", "engine": "torch", "width": 600, "height": 400, "milliseconds": 61.23}
    (tmp_path / "benchmark.json").write_text(json.dumps({"rows": [speed]}))

    def write(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["card.py", str(folder), *arguments])
        runpy.run_path(str(SCRIPT), run_name="__main__")

    write("--benchmark", str(tmp_path / "benchmark.json"), "new", "--machine", "a clock")
    write("--evaluation", "lol", str(evaluation), "--scores", str(tmp_path / "rows.json"), "new")
    write("--about", "Small.")
    card = read_card(folder)
    assert (card.about, card.milliseconds, card.machine) == ("Small.", 61.2, "a clock")
    assert [(score.source, score.cell("psnr")) for score in card.scores] == [
        ("lol", "20.13 [19.00, 21.50]"),
        ("bright", "15.00"),
    ]
    text = (folder / "README.md").read_text()
    assert "| lol | 3 of 2 scenes, test | 20.13 [19.00, 21.50] |  | 0.800 |  |" in text
    assert text.startswith("# new\n\n<!-- generated: scores -->")
    assert text.endswith("<!-- generated: end -->\n\nMore.\n")
