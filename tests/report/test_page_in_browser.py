"""The page's tables and sliders, driven in headless Chromium."""

import base64
import html
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.chromium import Page, chromium

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("report")]

SORT = """
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
report({before, down, up, focused, byName: read(), other: head.getAttribute("aria-sort")});
"""

SLIDE = """
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
report({
  viewers: viewers.length, first, moved, stepped, focused, left: over.alt, shown, changed: under.alt,
  others: viewers.map((viewer) => viewer.querySelector(".stage img").alt),
  options: [...right.options].map((option) => option.text),
  tag: stage.querySelector(".tag.right").textContent,
  label: slider.getAttribute("aria-label"),
});
"""

WIDTH = """
const wide = [...document.querySelectorAll("body *")].filter((element) => {
  const box = element.getBoundingClientRect();
  const scrolls = element.closest(".scroll, .strip");
  return box.width > 0 && box.right > innerWidth + 1 && !scrolls;
});
report({
  inner: innerWidth, page: document.documentElement.scrollWidth,
  wide: wide.map((element) => element.tagName + "." + element.className),
});
"""


def drive(report: Path, folder: Path, script: str, width: int = 1280) -> Any:
    """Run a script in the page, in a frame of the given width, and return what it reports."""
    page = (report / "index.html").read_text()
    told = (
        "<script>addEventListener('load', () => { const report = (value) => "
        "parent.postMessage(JSON.stringify(value), '*');\n" + script + "\n});</script></body>"
    )
    (folder / "page.html").write_text(page.replace("</body>", told))
    outer = folder / "outer.html"  # a window cannot be as narrow as a telephone, a frame can
    outer.write_text(
        f'<body style="margin: 0"><pre id="told"></pre><script>addEventListener("message", (event) => '
        f'{{ document.getElementById("told").textContent = event.data; }});</script>'
        f'<iframe src="page.html" style="border: 0; width: {width}px; height: 1500px"></iframe></body>'
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += [f"--user-data-dir={folder / 'profile'}", "--window-size=1400,1500", "--dump-dom"]
    options += ["--virtual-time-budget=5000", outer.as_uri()]
    result = subprocess.run([chromium(), *options], capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="told">(.+?)</pre>', result.stdout, re.DOTALL)
    assert found, result.stderr[-2000:]
    return json.loads(html.unescape(found.group(1)))


def test_tables_sort_both_ways_by_number_and_by_name(report: Path, tmp_path: Path) -> None:
    told = drive(report, tmp_path, SORT)
    ranked = ["mirnet", "autoencoder†", "gan_<b>&$x_", "identity"]
    assert told["before"] == ranked
    assert told["down"] == [ranked, "descending"]
    assert told["up"] == [ranked[::-1], "ascending"]
    assert told["focused"]
    assert told["byName"] == ["autoencoder†", "gan_<b>&$x_", "identity", "mirnet"]
    assert told["other"] == "none"


def test_sliders_move_and_their_sides_are_chosen(report: Path, tmp_path: Path) -> None:
    told = drive(report, tmp_path, SLIDE)
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
def test_nothing_overflows(report: Path, tmp_path: Path, width: int) -> None:
    told = drive(report, tmp_path, WIDTH, width)
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


def test_a_table_that_goes_on_to_the_right_is_shaded_there_until_its_end(
    report: Path, tmp_path: Path
) -> None:
    with Page((report / "index.html").as_uri(), tmp_path, width=390) as page:
        page.wait("document.readyState === 'complete'")
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
def test_each_label_stands_with_its_row_however_far_it_is_scrolled(
    report: Path, tmp_path: Path, width: int
) -> None:
    with Page((report / "index.html").as_uri(), tmp_path, width=width) as page:
        page.wait("document.readyState === 'complete'")
        places = page.run(LABELS)
    assert len(places) > 10
    assert all(abs(left) < 1 and abs(down) < 4 for left, down in places), places
