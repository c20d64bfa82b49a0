"""The pages of the site, which ``make docs`` builds: a broken link or an unknown name fails there."""

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

FAULTS = [
    "[a page](absent_page.md)",
    "[a file](../absent_file.txt)",
    "[a heading](#absent-heading)",
    "{py:func}`lowlight.absent_function`",
    "{py:class}`lowlight.networks.absent_class`",
    "![a picture](absent_picture.png)",
]


@pytest.mark.slow
def test_each_broken_link_or_name_fails(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    (tmp_path / "index.md").write_text("# Page\n\n" + "\n\n".join(FAULTS))
    strict = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html"]
    command = [*strict, "-c", str(ROOT / "docs"), "-D", "extensions=myst_parser,links"]
    command += [str(tmp_path), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode != 0
    warnings = [line for line in done.stderr.splitlines() if "absent" in line]
    assert len(warnings) == len(FAULTS), done.stderr
    for fault in FAULTS:
        (name,) = re.findall(r"absent[_-]\w+", fault)
        assert sum(name in line for line in warnings) == 1, name


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
