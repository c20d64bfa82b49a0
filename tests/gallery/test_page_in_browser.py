"""The gallery's page in headless Chromium: sliders, keys, tables, blind votes, pictures beside the page."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lowlight.files import read_table
from lowlight.gallery.make import Made, make_gallery
from lowlight.gallery.votes import rank, read_votes
from tests.chromium import Page
from tests.conftest import photograph
from tests.gallery.conftest import METHODS, NAMES
from tests.inference.video.clips import still, write_clip

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("gallery")]

WIDTH = """
(() => {
  const wide = [...document.querySelectorAll("body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.right > innerWidth + 1 && !element.closest(".scroll");
  });
  return [document.documentElement.scrollWidth <= innerWidth, wide.map((one) => one.outerHTML.slice(0, 80))];
})()
"""

TAGS = "[...viewers[0].querySelectorAll('.tag')].map((tag) => tag.textContent)"
SHOWN = "[...document.querySelectorAll('#pair img')].map((image) => image.src)"
SEEN = "document.querySelector('[data-choice]').getAttribute('aria-disabled') === 'false'"
PROGRESS = "document.getElementById('progress').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with Page("about:blank", tmp_path_factory.mktemp("browser")) as page:
        yield page


def opened(page: Page, made: Made, folder: Path, width: int = 1280, fragment: str = "") -> Page:
    """Open the gallery anew; what it downloads goes to a folder."""
    page.anew(made.page.as_uri() + fragment, width)
    page.wait("document.readyState === 'complete' && typeof viewers !== 'undefined'")
    page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    return page


def judge(page: Page, key: str) -> None:
    """Press a key once the pair has been seen."""
    page.wait(SEEN)
    page.press(key)


def hosts(page: Page) -> set[str]:
    return {address.partition(":")[0] for address in page.asked} - {"about"}


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window_and_no_host_is_asked(
    browser: Page, made: Made, tmp_path: Path, width: int
) -> None:
    page = opened(browser, made, tmp_path, width)
    assert page.run(WIDTH) == [True, []]
    page.press("v")
    assert page.run(WIDTH) == [True, []]
    assert hosts(page) <= {"file", "data"}


def test_keys_choose_the_sides_and_go_through_the_pictures(browser: Page, made: Made, tmp_path: Path) -> None:
    page = opened(browser, made, tmp_path)
    assert page.run(TAGS) == ["input", METHODS[0]]
    page.press("3")
    assert page.run(TAGS) == ["input", METHODS[2]]
    page.press("s")
    assert page.run(TAGS) == [METHODS[2], "input"]
    page.press("4")
    assert page.run(TAGS) == [METHODS[2], "reference"]
    page.press("9")  # there are no nine methods
    assert page.run(TAGS) == [METHODS[2], "reference"]
    for index in (0, 1):
        page.press("n")
        page.wait(f"near() === {index} && document.activeElement === viewers[{index}].querySelector('input')")
    before = page.run("document.activeElement.value")
    page.press("ArrowRight")
    assert page.run("document.activeElement.value") == str(int(before) + 1)
    page.press("p")
    page.wait("near() === 0")
    page.run("viewers[1].querySelectorAll('.strip figure')[2].click()")
    assert page.run("right.value") == "2"
    loaded = "[...viewers[0].querySelectorAll('.stage img')].every((one) => one.complete && one.naturalWidth)"
    page.wait(loaded)


def test_scores_are_sorted_by_picture_and_over_all(browser: Page, made: Made, tmp_path: Path) -> None:
    rows = read_table(made.page.parent / "scores.csv")
    values = {row["picture"]: float(row["loe"]) for row in rows if row["method"] == "histogram"}
    page = opened(browser, made, tmp_path)
    page.run(
        "(() => { const select = document.getElementById('score');"
        "select.selectedIndex = [...select.options].findIndex((one) => one.text === 'LOE');"
        "select.dispatchEvent(new Event('change'));"
        "[...document.querySelectorAll('#matrix thead button')]"
        ".find((one) => one.textContent === 'histogram').click(); })()"
    )
    names = page.run("[...document.querySelectorAll('#matrix tbody th')].map((one) => one.textContent)")
    assert names == sorted(values, key=lambda name: -values[name])
    page.run("document.querySelector('#matrix tbody a').click()")
    assert page.run("location.hash") == f"#picture-{1 + sorted(NAMES).index(names[0])}"
    page.run("document.querySelector('table.sortable thead button').click()")
    first = page.run("document.querySelector('table.sortable tbody th').textContent")
    assert first == min(["input", "reference", *METHODS])


def test_votes_by_keyboard_survive_a_reload_and_are_ranked(browser: Page, made: Made, tmp_path: Path) -> None:
    page = opened(browser, made, tmp_path, fragment="#vote")
    shown: list[Any] = []
    assert page.run(PROGRESS) == "1 of 9"
    for key in "120":
        shown.append(page.run(SHOWN))
        judge(page, key)
    assert page.run(PROGRESS) == "4 of 9"
    page.press("Backspace")
    assert page.run(PROGRESS) == "3 of 9"
    assert page.run(SHOWN) == shown.pop()
    words = page.run("document.getElementById('vote').innerText")
    assert not [method for method in METHODS if method in words]
    page.run("window.old = true")
    page.send("Page.reload")
    page.wait("!window.old && document.readyState === 'complete'")
    page.wait("document.getElementById('vote').open")
    assert page.run(PROGRESS) == "3 of 9"
    for key in "1201201":
        shown.append(page.run(SHOWN))
        judge(page, key)
    assert page.run("document.getElementById('done').hidden") is False
    page.press("1")  # nothing is left to judge
    page.run("document.getElementById('download').click()")
    file = downloaded(tmp_path)
    sources = page.run(
        "[...document.querySelectorAll('figure[data-method]')].map((figure) => [figure.closest('.viewer')"
        ".querySelector('h3').textContent, figure.dataset.method, figure.querySelector('img').src])"
    )
    page.press("Escape")
    page.wait("!document.querySelector('dialog[open]')")
    votes = read_votes([file])
    assert [vote.choice for vote in votes] == [1, 2, 1, 2, 0, 1, 2, 0, 1]
    addresses = {(name, method): source for name, method, source in sources}
    for vote, pictures in zip(votes, shown, strict=True):
        assert [addresses[vote.picture, one] for one in (vote.first, vote.second)] == pictures
    assert {vote.picture for vote in votes} == set(NAMES)
    assert all(vote.scene == vote.picture for vote in votes)
    ranking = rank(votes, resamples=50)
    assert {one.method for one in ranking.methods} == set(METHODS)
    assert (ranking.votes, ranking.voters, ranking.pictures) == (9, 1, 3)


CLICK = """
(() => {
  const box = document.querySelector('[data-choice="1"]').getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
})()
"""


def test_a_pair_that_nobody_has_seen_gets_no_vote(browser: Page, made: Made, tmp_path: Path) -> None:
    page = opened(browser, made, tmp_path, fragment="#vote")
    x, y = page.run(CLICK)

    def click(count: int) -> None:
        mouse = {"x": x, "y": y, "button": "left", "clickCount": count}
        for kind in ("mousePressed", "mouseReleased"):
            page.send("Input.dispatchMouseEvent", type=kind, **mouse)

    page.wait(SEEN)
    click(1)
    click(2)
    assert page.run(PROGRESS) == "2 of 9"
    page.wait(SEEN)
    click(2)  # of a slow double click
    assert page.run(PROGRESS) == "2 of 9"
    page.press("1")
    page.press("2")
    assert page.run(PROGRESS) == "3 of 9"
    page.wait(SEEN)
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
    page.run("document.querySelector('[data-choice=\"0\"]').focus()")
    for repeated in (False, True, True):
        page.wait(SEEN)
        page.send("Input.dispatchKeyEvent", type="keyDown", autoRepeat=repeated, **enter)
    assert page.run(PROGRESS) == "4 of 9"
    assert page.run("document.activeElement.dataset.choice") == "0"


def test_a_pair_is_judged_once_both_pictures_are_there(browser: Page, made: Made, tmp_path: Path) -> None:
    page = opened(browser, made, tmp_path, fragment="#vote")
    page.wait(SEEN)
    # as of a picture that comes late
    page.run("Object.defineProperty(document.querySelector('#pair img'), 'complete', {value: false})")
    page.press("1")
    time.sleep(0.5)
    assert page.run(SEEN) is False
    page.press("1")
    assert page.run(PROGRESS) == "2 of 9"


def downloaded(folder: Path) -> Path:
    for _ in range(100):
        if files := list(folder.glob("votes-*.csv")):
            return files[0]
        time.sleep(0.1)
    raise AssertionError("nothing was downloaded")


def test_the_next_person_gets_another_order_and_the_first_ones_votes_are_saved(
    browser: Page, made: Made, tmp_path: Path
) -> None:
    page = opened(browser, made, tmp_path)
    page.press("v")
    seed = page.run("JSON.parse(Object.values(localStorage)[0]).seed")
    judge(page, "1")
    page.run("document.getElementById('anew').click()")
    assert page.run(PROGRESS) == "1 of 9"
    assert page.run("JSON.parse(Object.values(localStorage)[0]).seed") != seed
    assert len(read_votes([downloaded(tmp_path)])) == 1


def test_tabs_of_one_page_share_the_votes(browser: Page, made: Made, tmp_path: Path) -> None:
    page = opened(browser, made, tmp_path, fragment="#vote")
    page.wait(SEEN)
    first, page.session = page.session, None
    address = made.page.as_uri() + "#vote"
    target = page.send("Target.createTarget", url=address, browserContextId=page.context)["targetId"]
    second = page.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    page.session = second
    page.wait("document.readyState === 'complete' && document.getElementById('vote').open")
    judge(page, "1")
    judge(page, "2")
    assert page.run(PROGRESS) == "3 of 9"
    page.session = first
    page.wait(f"{PROGRESS} === '3 of 9'", 10)
    judge(page, "0")
    page.session = second
    page.wait(f"{PROGRESS} === '4 of 9'", 10)
    page.press("Backspace")
    page.session = first
    page.wait(f"{PROGRESS} === '3 of 9'", 10)
    page.run("document.getElementById('anew').click()")
    page.session = second
    page.wait(f"{PROGRESS} === '1 of 9'", 10)


def test_a_vote_goes_on_from_what_another_tab_has_kept(browser: Page, made: Made, tmp_path: Path) -> None:
    page = opened(browser, made, tmp_path, fragment="#vote")
    page.wait(SEEN)
    kept = "JSON.parse(Object.values(localStorage)[0])"
    page.run(  # no event tells a tab of its own writing
        f"(() => {{ const state = {kept}; state.votes = [[1, 2, ''], [2, 2, '']];"
        "localStorage.setItem(Object.keys(localStorage)[0], JSON.stringify(state)); })()"
    )
    page.press("1")  # for a pair that the other tab has judged
    assert page.run(PROGRESS) == "3 of 9"
    judge(page, "0")
    assert page.run(f"{kept}.votes.map((vote) => vote[0])") == [1, 2, 0]


def test_pictures_beside_the_page_are_shown_from_disk_and_loaded_when_needed(
    browser: Page, photographs: Path, tmp_path: Path
) -> None:
    paths = [photographs / role for role in ("low", "high")]
    made = make_gallery(paths, METHODS, tmp_path / "page", embed=False)
    page = opened(browser, made, tmp_path, width=390)
    page.resize(390, 300)
    page.run("viewers[0].scrollIntoView()")
    page.wait("[...viewers[0].querySelectorAll('img')].every((one) => one.complete && one.naturalWidth)")
    assert hosts(page) <= {"file", "data"}
    assert len([address for address in page.asked if address.endswith(".jpg")]) >= 4


def test_a_frame_without_reference_shows_its_input_where_one_is_chosen(browser: Page, tmp_path: Path) -> None:
    for role, factor in {"low": 4, "high": 1}.items():
        (tmp_path / role).mkdir()
        Image.fromarray(photograph(0) // factor).save(tmp_path / role / "b.png")
    write_clip(tmp_path / "low" / "a.mp4", still([0.1, 0.2, 0.3]))
    out, references = tmp_path / "page", tmp_path / "high"
    made = make_gallery([tmp_path / "low"], ["gamma"], out, references=references, frames=1)
    page = opened(browser, made, tmp_path)
    page.run("show(right, 2)")
    tags = "viewers.map((viewer) => viewer.querySelector('.tag.right').textContent)"
    assert page.run(tags) == ["input", "reference"]
    heads = page.run(
        "[...document.querySelectorAll('#matrix thead th')].map((one) => one.textContent.trim())"
    )
    assert len(heads) == 4
    lengths = page.run("[...document.querySelectorAll('#matrix tbody tr')].map((row) => row.cells.length)")
    assert lengths == [4, 4]
