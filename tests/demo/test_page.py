"""The web page: its command, and the page itself in headless Chromium."""

import json
import os
import signal
import socket
import sys
import urllib.request
import zipfile
from io import BytesIO
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lowlight.cli.demo import app
from lowlight.demo import page as demo_page
from lowlight.demo.store import Store
from tests.chromium import Page
from tests.conftest import photograph
from tests.demo.test_uploads import CLASSICAL, written

pytestmark = pytest.mark.xdist_group("demo")


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--runs", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"lowlight demo: {tmp_path}: no run folder")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["0", "99999"])
def test_what_is_no_port_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_page, "serve", lambda *_: pytest.fail("started"))
    result = CliRunner().invoke(app, ["--port", port])
    assert result.exit_code == 2
    assert "--port" in result.stderr


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(demo_page, "find_models", lambda _: CLASSICAL)
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert result.stderr == "lowlight demo: the page needs: pip install 'lowlight[demo]'\n"


@pytest.mark.slow
def test_a_taken_port_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, ["--port", port])
    assert result.exit_code == 1
    expected = f"cannot listen on 127.0.0.1, port {port}; give another --port or --host"
    assert result.stderr == f"lowlight demo: {expected}\n"


def test_what_is_kept_is_swept_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[Store] = []

    def sleep(_: float) -> None:
        if swept:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(demo_page, "find_models", lambda _: CLASSICAL)
    monkeypatch.setattr(demo_page, "build", lambda *_: Mock())
    monkeypatch.setattr(demo_page, "_launch", lambda *_: None)
    monkeypatch.setattr(demo_page.time, "sleep", sleep)
    monkeypatch.setattr(Store, "sweep", lambda store: swept.append(store))
    demo_page.serve(None, "127.0.0.1", 7860, 1000, 1000)
    assert len(swept) == 1


UPLOAD = "#upload input[type=file]"
ENHANCE = "document.querySelector('#enhance').click()"
MESSAGE = "document.querySelector('#message').innerText"
BRIGHTNESS = """(() => {
  const image = [...document.querySelectorAll("#gallery img")].find((one) => one.alt.startsWith("NAME"));
  if (!image || !image.complete || !image.naturalWidth) return null;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return [data.reduce((sum, value) => sum + value) / data.length, canvas.width, canvas.height];
})()"""


def loaded(page: Page, name: str) -> None:
    """Wait until a file is in the list of uploads, which shows its ending apart."""
    listed = f"document.querySelector('#upload').innerText.replace(/\\s/g, '').includes({name!r})"
    page.wait(f"document.querySelector('#upload [aria-label=Clear]') !== null && {listed}")


def put(page: Page, path: Path) -> None:
    """Upload a file in place of the one before."""
    page.wait(f'document.querySelector("{UPLOAD}, #upload [aria-label=Clear]") !== null')
    page.wait("document.querySelector('#enhance') !== null")  # the page is laid out part by part
    page.run("document.querySelector('#upload [aria-label=Clear]')?.click()")
    page.wait(f"document.querySelector({UPLOAD!r}) !== null")
    page.upload(UPLOAD, path)


def put_and_enhance(page: Page, path: Path) -> None:
    put(page, path)
    loaded(page, path.name)
    page.run(ENHANCE)


@pytest.mark.browser
def test_a_photograph_is_enhanced_on_the_page(served: tuple[str, Path], tmp_path: Path) -> None:
    address, _ = served
    source = written(tmp_path / "dusk.png", photograph(3, 96, 128) // 6)
    with Page(address, tmp_path) as page:
        put_and_enhance(page, source)
        page.wait("document.querySelectorAll('#gallery img').length === 3")
        before, after = (page.wait(BRIGHTNESS.replace("NAME", name)) for name in ("before", "coarse_to_fine"))
        assert before[1:] == after[1:] == [128, 96]
        assert after[0] > before[0] + 20
        assert page.wait("document.querySelectorAll('#slider img').length") == 2
        assert page.wait("document.querySelector('#histogram img').naturalWidth") > 300

        links = page.run("[...document.querySelectorAll('#downloads a')].map((one) => one.href)")
        link = next(link for link in links if link.endswith("dusk-coarse_to_fine.png"))
        with urllib.request.urlopen(link) as answer:
            assert Image.open(BytesIO(answer.read())).size == (128, 96)

        shown = "document.querySelector('#slider').innerHTML"
        first = page.run(shown)
        page.run("[...document.querySelectorAll('#shown input')].find((one) => !one.checked).click()")
        page.wait(f"{shown} !== {json.dumps(first)}")

        for width in (1280, 390):
            page.resize(width, 900)
            assert page.run("innerWidth") == width
            assert page.run("document.documentElement.scrollWidth") <= width
        outside = [url for url in page.asked if not url.startswith((address, "data:", "blob:", "about:"))]
        assert outside == []


SHOWN = """(() => {
  const image = [...document.querySelectorAll("#slider img")].pop();
  if (!image || !image.complete || !image.naturalWidth) return null;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return data.reduce((sum, value) => sum + value) / data.length;
})()"""
MOVE = """(() => {
  const range = document.querySelector("#NAME input[type=range]");
  range.value = VALUE;
  range.dispatchEvent(new Event("input", {bubbles: true}));
})()"""


@pytest.mark.browser
def test_a_slider_answers_at_once_and_the_files_follow_on_demand(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    address, temporary = served
    source = written(tmp_path / "dusk.png", photograph(3, 96, 128) // 6)
    with Page(address, tmp_path) as page:
        put_and_enhance(page, source)
        page.wait("document.querySelectorAll('#gallery img').length === 3")
        first = page.wait(SHOWN)
        kept = {path: path.stat().st_mtime_ns for path in temporary.rglob("network.npy")}
        assert kept
        page.run(MOVE.replace("NAME", "exposure").replace("VALUE", "1"))
        brighter = page.wait(f"(() => {{ const now = {SHOWN}; return now > {first} + 10 && now; }})()", 10)
        page.wait("document.querySelector('#gallery img') === null")
        page.run(MOVE.replace("NAME", "saturation").replace("VALUE", "0"))
        page.run(MOVE.replace("NAME", "brightness").replace("VALUE", "0.2"))
        darker = page.wait(f"(() => {{ const now = {SHOWN}; return now < {brighter} - 10 && now; }})()", 10)
        assert {path: path.stat().st_mtime_ns for path in kept} == kept
        page.run(MOVE.replace("NAME", "brightness").replace("VALUE", "0"))
        # The button is there already: pressed too early, it would write files that this move then hides.
        page.wait(f"(() => {{ const now = {SHOWN}; return now > {darker} + 10; }})()", 10)
        page.wait("document.querySelector('#write') !== null")
        page.run("document.querySelector('#write').click()")
        page.wait("document.querySelectorAll('#gallery img').length === 3")
        links = page.run("[...document.querySelectorAll('#downloads a')].map((one) => one.href)")
        with urllib.request.urlopen(next(link for link in links if "coarse_to_fine" in link)) as answer:
            pixels = np.asarray(Image.open(BytesIO(answer.read()))).astype(int)
        assert np.ptp(pixels, axis=-1).max() <= 1  # grey
        assert {path: path.stat().st_mtime_ns for path in kept} == kept


EMPTY = """(() => {
  const box = document.querySelector("#exposure input[type=number]");
  box.value = "";
  box.dispatchEvent(new Event("input", {bubbles: true}));
})()"""


@pytest.mark.browser
def test_the_picture_is_that_of_the_sliders_however_and_whenever_they_are_set(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    source = written(tmp_path / "dusk.png", photograph(3, 96, 128) // 6)
    brighten = MOVE.replace("NAME", "exposure").replace("VALUE", "1")
    with Page(served[0], tmp_path) as page:
        put(page, source)
        loaded(page, source.name)
        page.run(EMPTY)  # an empty box is the value at first
        page.run(ENHANCE)
        page.wait("document.querySelectorAll('#gallery img').length === 3")
        first = page.wait(SHOWN)
        page.run(brighten)
        page.wait(f"{SHOWN} > {first} + 10", 10)
        page.run("document.querySelector('#exposure button').click()")  # back to the value at first
        page.wait(f"Math.abs({SHOWN} - {first}) < 1", 10)
        page.wait("document.querySelectorAll('#gallery img').length === 3")

        page.run(ENHANCE)
        page.run(brighten)  # while it works
        page.wait("document.querySelector('#write') !== null")
        page.wait(f"!{MESSAGE}.includes('Enhancing') && !{MESSAGE}.includes('Photograph 1')")
        page.wait(f"{SHOWN} > {first} + 10", 10)


@pytest.mark.browser
def test_several_photographs_are_compared_in_turn_and_downloaded_together(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    address, _ = served
    sources = [written(tmp_path / f"{name}.png", photograph(3, 96, 128) // 6) for name in ("dawn", "dusk")]
    with Page(address, tmp_path) as page:
        page.wait(
            f"document.querySelector({UPLOAD!r}) !== null && document.querySelector('#enhance') !== null"
        )
        page.upload(UPLOAD, *sources)
        loaded(page, "dusk.png")
        page.run(ENHANCE)
        page.wait("document.querySelectorAll('#gallery img').length === 3")
        assert page.run("document.querySelector('#photograph input').value") == "dawn.png"
        page.run("HTMLAnchorElement.prototype.click = function () { window.link = this.href; }; 0")
        page.wait("document.querySelector('#archive') !== null")
        page.run("document.querySelector('#archive').click()")
        link = page.wait("window.link")
        with urllib.request.urlopen(link) as answer:
            names = zipfile.ZipFile(BytesIO(answer.read())).namelist()
        assert {Path(name).name for name in names} == {"dawn.png", "dusk.png"}
        page.run("document.querySelector('#photograph input').focus()")
        page.send("Input.dispatchKeyEvent", type="keyDown", key="ArrowDown", windowsVirtualKeyCode=40)
        page.wait("document.querySelector('#photograph [aria-expanded=true]') !== null")
        page.send("Input.dispatchKeyEvent", type="keyDown", key="Enter", windowsVirtualKeyCode=13)
        page.wait("document.querySelector('#downloads').innerText.includes('dusk')")


@pytest.mark.browser
def test_an_example_is_loaded_by_a_click_again_and_again(served: tuple[str, Path], tmp_path: Path) -> None:
    address, _ = served
    with Page(address, tmp_path) as page:
        for _ in range(2):
            page.wait("document.querySelectorAll('#examples img').length === 3")
            page.run("document.querySelectorAll('#examples .thumbnail-lg')[1].click()")
            loaded(page, "cat.jpg")
            page.run("document.querySelector('#upload [aria-label=Clear]').click()")
            page.wait(f"document.querySelector({UPLOAD!r}) !== null")
        chosen = page.run("document.querySelector('#methods').innerText")
        assert chosen.index("coarse_to_fine (comes with lowlight)") < chosen.index("small")


@pytest.mark.browser
def test_what_is_no_photograph_or_too_large_is_refused(served: tuple[str, Path], tmp_path: Path) -> None:
    address, _ = served
    text = tmp_path / "notes.txt"
    text.write_text("not a photograph")
    many = written(tmp_path / "many.png", np.zeros((800, 800, 3), np.uint8))
    heavy = written(
        tmp_path / "heavy.png", np.random.default_rng(0).integers(0, 256, (600, 700, 3), dtype=np.uint8)
    )
    with Page(address, tmp_path) as page:
        put_and_enhance(page, text)
        page.wait(f"{MESSAGE}.includes('notes.txt cannot be enhanced: not an image')")
        put_and_enhance(page, many)
        page.wait(f"{MESSAGE}.includes('many.png cannot be enhanced: more than 0.5 megapixels')")
        put(page, heavy)
        page.wait(
            "document.body.innerText.includes('exceed the maximum allowed size of 1.0 Mb: \"heavy.png\"')"
        )
        page.run(ENHANCE)
        page.wait(f"{MESSAGE}.includes('Choose a photograph first.')")
