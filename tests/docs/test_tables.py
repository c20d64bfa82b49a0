"""Tables of the pages, and the file that says how to cite, name what there is."""

import re
import tomllib

import pytest

import lowlight
from lowlight.inference.photos.fail_safe import REASONS
from tests.docs.pages import ROOT


def first_cells(page: str, head: str) -> set[str]:
    """Return the words of the first column of the table of a page under a heading cell, without backticks."""
    found = re.search(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", (ROOT / page).read_text(), re.MULTILINE)
    assert found, f"{page}: no table of {head}"
    rows = [row.split(" | ")[0] for row in found[1].splitlines()]
    return set(re.findall(r"[\w-]+", " ".join(rows)))


def test_the_page_explains_every_reason_to_keep_a_photograph() -> None:
    assert first_cells("docs/enhance.md", "reason") == set(REASONS)


def test_the_servers_page_lists_every_reason_to_keep_a_picture() -> None:
    (row,) = re.findall(
        r"^\| `X-Lowlight-Reason` \| (.*)\(", (ROOT / "docs/serve.md").read_text(), re.MULTILINE
    )
    assert set(re.findall(r"`(\w+)`", row)) == set(REASONS)


def test_the_servers_page_lists_every_status_of_an_error() -> None:
    pytest.importorskip("fastapi")
    from lowlight.serving.schema import STATUSES

    described = {str(status) for status in STATUSES} - {"default"}
    of_the_guard = {"403", "408"}  # which answer before a picture is received
    assert first_cells("docs/serve.md", "status") == described | of_the_guard


def test_the_page_lists_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert first_cells("docs/start.md", "extra") == set(project["optional-dependencies"])


def test_the_version_to_cite_is_this_one() -> None:
    (version,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert version == lowlight.__version__
