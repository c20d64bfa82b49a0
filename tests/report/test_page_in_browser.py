"""The page's tables and sliders, driven in headless Chromium."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.chromium import Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("report")]

SORT = """
(() => {
  const table = document.querySelector("table.sortable");
  const heads = [...table.querySelectorAll("tr.heads th")];
  const column = heads.findIndex((head) => head.textContent === "PSNR, dB");
  const head = heads[column];
  const read = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
  const button = head.querySelector("button");
  const before = read();
  button.click();
  const down = [read(), head.getAttribute("aria-sort")];
  button.focus();
  const focused = document.activeElement === button;
  button.click();
  const up = [read(), head.getAttribute("aria-sort")];
  table.querySelector("tr.heads th button").click();
  return {before, down, up, focused, byName: read(), other: head.getAttribute("aria-sort")};
})()
"""

SLIDE = """
(() => {
  const viewers = [...document.querySelectorAll(".viewer")];
  const stage = viewers[0].querySelector(".stage");
  const [under, over] = stage.querySelectorAll("img");
  const slider = stage.querySelector("input");
  const clip = () => getComputedStyle(over).clipPath;
  const first = clip();
  slider.value = 20;
  slider.dispatchEvent(new Event("input"));
  const moved = clip();
  slider.focus();
  const focused = document.activeElement === slider;
  slider.stepUp(5);
  slider.dispatchEvent(new Event("input"));
  const stepped = clip();
  const right = document.getElementById("right");
  const shown = under.alt;
  right.selectedIndex = right.length - 1;
  right.dispatchEvent(new Event("change"));
  return {
    viewers: viewers.length, first, moved, stepped, focused, left: over.alt, shown, changed: under.alt,
    others: viewers.map((viewer) => viewer.querySelector(".stage img").alt),
    options: [...right.options].map((option) => option.text),
    tag: stage.querySelector(".tag.right").textContent,
    label: slider.getAttribute("aria-label"),
  };
})()
"""

WIDTH = """
(() => {
  const wide = [...document.querySelectorAll("body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    const scrolls = element.closest(".scroll, .strip");
    return box.width > 0 && box.right > innerWidth + 1 && !scrolls;
  });
  return {
    inner: innerWidth, page: document.documentElement.scrollWidth,
    wide: wide.map((element) => element.tagName + "." + element.className),
  };
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with Page("about:blank", tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(browser: Page, report: Path) -> Page:
    """Return the report's page, as if just opened."""
    browser.anew((report / "index.html").as_uri())
    browser.wait("document.readyState === 'complete' && location.protocol === 'file:'")
    return browser


def test_tables_sort_both_ways_by_number_and_by_name(page: Page) -> None:
    told = page.run(SORT)
    ranked = ["mirnet", "autoencoder†", "gan_<b>&$x_", "identity"]
    assert told["before"] == ranked
    assert told["down"] == [ranked, "descending"]
    assert told["up"] == [ranked[::-1], "ascending"]
    assert told["focused"]
    assert told["byName"] == ["autoencoder†", "gan_<b>&$x_", "identity", "mirnet"]
    assert told["other"] == "none"


def test_sliders_move_and_their_sides_are_chosen(page: Page) -> None:
    told = page.run(SLIDE)
    assert told["viewers"] == 3
    assert "50%" in told["first"]
    assert "80%" in told["moved"]
    assert "75%" in told["stepped"]
    assert told["focused"]
    assert told["options"] == ["low", "mirnet", "autoencoder", "gan_<b>&$x_", "identity", "reference"]
    assert told["left"] == "eval15/1: the dark input"
    assert told["shown"].startswith("eval15/1 enhanced by mirnet")
    assert told["changed"] == "eval15/1: the reference"
    assert told["others"] == [f"eval15/{stem}: the reference" for stem in (1, 22, 79)]
    assert told["tag"] == "reference"
    assert told["label"].startswith("eval15/1: ")


@pytest.mark.parametrize("width", [1280, 500, 390])
def test_nothing_overflows(page: Page, width: int) -> None:
    page.resize(width, 1500)
    told = page.run(WIDTH)
    assert told["inner"] == width
    assert told["page"] <= told["inner"]
    assert told["wide"] == []


PLACE = """
(() => {
  const region = document.querySelector(".scroll");
  const box = region.getBoundingClientRect();
  const more = region.scrollWidth - region.clientWidth;
  return {right: box.right, bottom: box.bottom + scrollY, more};
})()
"""

LABELS = """
[...document.querySelectorAll(".scroll")].flatMap((region) => {
  region.scrollLeft = 1e4;
  return [...region.querySelectorAll("tbody tr")].map((row) => {
    const top = (cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return range.getClientRects()[0].top;
    };
    const [label, value] = row.cells;
    const moved = label.getBoundingClientRect().left - region.getBoundingClientRect().left;
    return [moved, top(label) - top(value)];
  });
})
"""


def shade(page: Page) -> int:
    """Return the darkest grey level at the right of the first table, below its last row's text."""
    place = page.run(PLACE)
    seen = page.send("Page.captureScreenshot", format="png")["data"]
    with Image.open(io.BytesIO(base64.b64decode(seen))) as shot:
        right, bottom = int(place["right"]), int(place["bottom"])
        edge = shot.convert("L").crop((right - 4, bottom - 6, right, bottom - 3))
        darkest: int = edge.getextrema()[0]  # type: ignore[assignment]
    return darkest


def test_a_table_that_goes_on_to_the_right_is_shaded_there_until_its_end(page: Page) -> None:
    page.send("Emulation.setScrollbarsHidden", hidden=True)  # as on a telephone
    page.resize(389, 900)
    assert page.run(PLACE)["more"] > 0
    assert shade(page) < 210
    page.run("document.querySelector('.scroll').scrollLeft = 1e4")
    assert shade(page) > 250
    page.resize(1280, 900)
    assert page.run(PLACE)["more"] == 0
    assert shade(page) > 250


@pytest.mark.parametrize("width", [1280, 390])
def test_each_label_stands_with_its_row_however_far_it_is_scrolled(page: Page, width: int) -> None:
    page.resize(width, 900)
    places = page.run(LABELS)
    assert len(places) > 10
    assert all(abs(left) < 1 and abs(down) < 4 for left, down in places), places
