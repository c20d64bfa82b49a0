"""Every relative link and picture of the pages is there."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_two_clicks_from_the_readme() -> None:
    def linked(page: Path) -> set[Path]:
        targets = (link.partition("#")[0] for link in re.findall(r"\]\(([^)]+\.md[^)]*)\)", page.read_text()))
        return {(page.parent / target).resolve() for target in targets if not target.startswith("https://")}

    first = linked(ROOT / "README.md")
    second = set[Path]().union(*(linked(page) for page in first))
    assert set(ROOT.glob("docs/*.md")) - {ROOT / "docs" / "index.md"} <= first | second
