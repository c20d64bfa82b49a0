"""The site builds without a warning, and a broken link or an unknown name is one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lowlight.config import available
from lowlight.renamed import RENAMED
from tests.docs.pages import ROOT


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
    assert re.findall(r"<h2>(\w+)<", page) == available("method")
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


def test_a_section_is_written_from_a_methods_files(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    from generated import GENERATED

    sections = dict(
        re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", GENERATED["methods"](), re.DOTALL | re.MULTILINE)
    )
    assert list(sections) == available("method")
    assert "31,787,419 parameters" in sections["mirnet"]
    assert "lowlight train experiment=lol_cpu/mirnet data.root=/data/LOL" in sections["mirnet"]
    assert "**Reference.** Guo, Li and Ling, 2017" in sections["lime"]
    assert "lowlight enhance dark.jpg --out bright --method lime" in sections["lime"]
    assert "| 0 | 24 | 15.19 | 0.602 |" in sections["gamma"]


def test_the_changelog_names_every_name_that_moved() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    for earlier, present in RENAMED.items():
        assert f"| `{earlier}` | `{present}` |" in text
