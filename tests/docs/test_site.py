"""The site builds without a warning, and a broken link or an unknown name is one."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lowlight.checkpoints import build as build_method
from lowlight.config import available, load_config
from lowlight.renamed import RENAMED
from lowlight.training.checks import check_fit
from tests.docs.pages import ROOT, calls


def build(source: Path, target: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    pytest.importorskip("sphinx")
    strict = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html"]
    command = [*strict, "-c", str(ROOT / "docs"), *options, str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.slow
def test_the_site_builds_with_a_section_per_method(tmp_path: Path) -> None:
    done = build(ROOT / "docs", tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "methods.html").read_text()
    assert re.findall(r"<h2>([\w/]+)<", page) == available("method")
    for name in ("networks", "metrics", "methods", "inference"):
        assert (tmp_path / "api" / f"{name}.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        "[a page](nowhere.md)",
        "[a file](../nowhere.txt)",
        "[a heading](#nowhere)",
        "{py:func}`lowlight.nowhere`",
        "{py:class}`lowlight.networks.Nowhere`",
        "![a picture](nowhere.png)",
    ],
)
def test_a_broken_link_or_name_fails(fault: str, tmp_path: Path) -> None:
    (tmp_path / "index.md").write_text(f"# Page\n\n{fault}\n")
    done = build(tmp_path, tmp_path / "html", "-D", "extensions=myst_parser,links")
    assert done.returncode != 0
    assert "nowhere" in done.stderr.lower()


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return import_module("generate")


@pytest.mark.slow
def test_the_generated_parts_of_the_pages_are_up_to_date(generate: ModuleType) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert page.read_text() == generate.refreshed(page), "run: python docs/generate.py"


@pytest.mark.slow
def test_a_section_is_written_from_a_methods_files(generate: ModuleType) -> None:
    heading = re.compile(r"^## ([\w/]+)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    sections = dict(heading.findall(generate.methods()))
    assert list(sections) == available("method")
    assert "31,787,419 parameters" in sections["mirnet"]
    assert "lowlight train experiment=lol_cpu/mirnet data.root=/data/LOL" in sections["mirnet"]
    assert "**Reference.** Guo, Li and Ling, 2017" in sections["lime"]
    assert "lowlight enhance dark.jpg --out bright --method lime" in sections["lime"]
    assert "| 15.19 | 0.602 |" in sections["gamma"]


@pytest.mark.slow
def test_the_training_commands_of_the_methods_give_no_warning(
    generate: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    trainings = [words for verb, words in calls(ROOT / "docs" / "methods.md") if verb == "train"]
    assert len(trainings) > 4
    for overrides in trainings:
        config = load_config(overrides)
        with torch.device("meta"):
            check_fit(config, build_method(config.method))
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("markers", "message"),
    [
        (
            "<!-- generated: metods -->\n<!-- generated: end -->",
            r"page\.md: nothing .* 'metods', only methods, ",
        ),
        (
            "<!-- generated: data -->\n<!-- generated: data -->\n<!-- generated: end -->",
            r"page\.md: .* no end",
        ),
        ("<!-- generated: data -->\n", r"page\.md: markers must be pairs"),
    ],
)
def test_a_mistyped_marker_is_named(generate: ModuleType, markers: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(markers)
    with pytest.raises(ValueError, match=message):
        generate.refreshed(tmp_path / "page.md")


def test_the_changelog_names_every_name_that_moved() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    for earlier, present in RENAMED.items():
        assert f"| `{earlier}` | `{present}` |" in text
