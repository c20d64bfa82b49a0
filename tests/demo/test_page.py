"""The web page: what it does with an upload, and the page itself in headless Chromium."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from lowlight.cli.demo import app
from lowlight.demo import page as demo_page
from lowlight.demo import uploads as demo
from lowlight.demo.uploads import PREVIEW, REASONS, enhance_upload, find_models, loader
from lowlight.inference.load import choose
from lowlight.inference.photos.fail_safe import mean_luma
from lowlight.inference.photos.reading import read_photo
from lowlight.inference.settings import Settings
from lowlight.methods import Method
from lowlight.runtimes.enhancer import Enhancer
from tests.chromium import Page, chromium
from tests.conftest import photograph
from tests.tiny import tiny

ROOT = Path(__file__).parents[2]
CLASSICAL: dict[str, Path | None] = {"gamma": None, "lime": None}


@dataclass(eq=False)
class Fixed(Enhancer):
    """Makes every photograph one colour."""

    colour: tuple[float, float, float]
    stride = 1
    halo = 0
    name = "fixed"

    def enhance(self, low: Tensor) -> Tensor:
        return torch.tensor(self.colour)[:, None, None].expand_as(low).clone()


def written(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def dark(path: Path) -> Path:
    return written(path, photograph(1) // 5)


def save(method: Method, path: Path) -> None:
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": method.state_dict(), "recipe": method.recipe}, path)


def test_models_are_found_at_any_depth_each_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ready_made", lambda: ["gamma", "lime"])
    for name in ("a/best.ckpt", "a/epoch=3.ckpt", "b/c/last.ckpt", "loose/net.ckpt", ".hidden/best.ckpt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    models = find_models(tmp_path)
    assert list(models) == ["a", "b/c", "loose/net.ckpt", "gamma", "lime"]
    assert models["b/c"] == tmp_path / "b/c"
    assert models["gamma"] is None
    assert next(iter(find_models(tmp_path / "a").items())) == ("a", tmp_path / "a")
    assert list(find_models(None)) == ["gamma", "lime"]


def test_a_run_goes_before_what_comes_along_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "coarse_to_fine").mkdir()
    (tmp_path / "coarse_to_fine" / "best.ckpt").touch()
    assert find_models(None)["coarse_to_fine"] is None
    assert find_models(tmp_path)["coarse_to_fine"] == tmp_path / "coarse_to_fine"


def test_exports_and_pretrained_folders_are_models_too(tmp_path: Path) -> None:
    for name in ("net.onnx", "net.xml", "net.bin", "handed/model.safetensors", "handed/config.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [name for name, path in find_models(tmp_path).items() if path] == ["handed", "net.onnx", "net.xml"]


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--runs", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"lowlight demo: {tmp_path}: no run folder")
    assert result.stderr.count("\n") == 1


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(demo_page, "find_models", lambda _: CLASSICAL)
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert result.stderr == "lowlight demo: the page needs: pip install 'lowlight[demo]'\n"


def test_the_last_few_models_stay_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def counted(path: Path | None, method: str | None, *rest: object) -> object:
        loaded.append(method)
        return choose(path, method)

    monkeypatch.setattr(demo, "choose", counted)
    names = ["gamma", "identity", "histogram", "lime"]
    assert len(names) == demo.KEPT + 1
    load = loader(dict.fromkeys(names))
    for name in [*names, *reversed(names)]:
        load(name)
    assert loaded == [*names, names[0]]


def test_an_upload_keeps_its_format_size_and_depth(tmp_path: Path) -> None:
    deep = np.linspace(0, 12_000, 1500 * 40).reshape(40, 1500).astype(np.uint16)
    source = tmp_path / "night walk.png"
    Image.fromarray(deep).save(source)
    (tmp_path / "out").mkdir()
    made = enhance_upload(source, ["gamma", "lime"], loader(CLASSICAL), Settings(), tmp_path / "out")
    gamma, lime = made.results
    assert gamma.download is not None
    assert gamma.download.name == "night walk-gamma.png"
    enhanced = read_photo(gamma.download)
    assert enhanced.pixels.shape == (40, 1500, 3)
    assert enhanced.pixels.dtype == np.uint16
    assert enhanced.is_grey
    assert np.unique(enhanced.pixels).size > 256
    assert Image.open(gamma.preview).size == (PREVIEW, 34)
    assert Image.open(made.before).mode == "RGB"
    assert made.caption == "before · mean 0.09"
    assert gamma.caption.startswith("gamma · ")
    assert f"mean {mean_luma(enhanced.pixels):.2f}" in gamma.caption
    assert np.asarray(Image.open(gamma.histogram)).std() > 0
    assert lime.download != gamma.download
    assert made.remarks == ()


@pytest.mark.parametrize(
    ("reason", "colour"),
    [
        ("not_dark", None),
        ("not_finite", (float("nan"), 0.5, 0.5)),
        ("clipped", (1.0, 1.0, 1.0)),
        ("colour_cast", (0.9, 0.1, 0.1)),
    ],
)
def test_a_photograph_left_alone_is_told_of(
    tmp_path: Path, reason: str, colour: tuple[float, float, float] | None
) -> None:
    source = written(tmp_path / "day.png", photograph(1)) if colour is None else dark(tmp_path / "dusk.png")
    made = enhance_upload(source, ["some"], lambda _: Fixed(colour or (0.5, 0.5, 0.5)), Settings(), tmp_path)
    assert made.results[0].download is None
    assert made.results[0].caption == "some · left as it is"
    assert made.remarks == (
        f"some left it as it is: {REASONS[reason]}. To enhance it all the same, untick the fail-safe.",
    )


def test_without_the_fail_safe_it_is_enhanced(tmp_path: Path) -> None:
    source = written(tmp_path / "day.png", photograph(1))
    made = enhance_upload(
        source, ["some"], lambda _: Fixed((1.0, 1.0, 1.0)), Settings(fail_safe=False), tmp_path
    )
    assert made.results[0].download is not None
    assert made.remarks == ()


def test_a_method_that_fails_is_told_of_and_the_rest_is_done(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ckpt"
    broken.write_bytes(b"no checkpoint")
    load = loader({"broken": broken, "gamma": None})
    made = enhance_upload(dark(tmp_path / "a.jpg"), ["broken", "gamma"], load, Settings(), tmp_path)
    assert [one.name for one in made.results] == ["gamma"]
    assert len(made.remarks) == 1
    assert made.remarks[0].startswith("broken failed: ")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.txt", b"not a photograph", "not an image, or of an unknown format."),
        ("fake.png", b"not a photograph", "not an image, or of an unknown format."),
        ("empty.png", b"", "empty, 0 bytes."),
        ("large.png", None, "more than 0.001 megapixels."),
    ],
)
def test_refusals_name_the_file_and_not_its_place(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    source = dark(tmp_path / name) if content is None else tmp_path / name
    if content is not None:
        source.write_bytes(content)
    settings = Settings(max_pixels=1000)
    with pytest.raises(ValueError, match="cannot be enhanced") as refused:
        enhance_upload(source, ["gamma"], loader(CLASSICAL), settings, tmp_path)
    assert str(refused.value) == f"{name} cannot be enhanced: {sentence}"


def test_a_truncated_photograph_is_refused(tmp_path: Path) -> None:
    source = dark(tmp_path / "cut.png")
    source.write_bytes(source.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"^cut\.png cannot be enhanced: broken") as refused:
        enhance_upload(source, ["gamma"], loader(CLASSICAL), Settings(), tmp_path)
    assert str(tmp_path) not in str(refused.value)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start the page on a free port; give its address and the folder of its temporary files."""
    chromium()
    folder = tmp_path_factory.mktemp("demo")
    save(tiny("autoencoder"), folder / "runs" / "small" / "best.ckpt")
    temporary = folder / "temporary"
    temporary.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--runs", "runs", "--port", str(port), "--max-upload", "100KB", "--max-pixels", "20e3"]
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}  # nobody answers there
    process = subprocess.Popen(
        [sys.executable, "-m", "lowlight.cli.demo", *options],
        cwd=folder,
        env=os.environ | proxy | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    address = f"http://127.0.0.1:{port}/"
    assert address in line
    yield address, temporary
    process.terminate()
    assert process.wait(30) == 0
    assert [*temporary.glob("lowlight*"), *temporary.glob("gradio*")] == []  # what was uploaded is gone


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


def put(page: Page, path: Path) -> None:
    """Upload a file in place of the one before."""
    page.wait(f'document.querySelector("{UPLOAD}, #upload [aria-label=Clear]") !== null')
    page.run("document.querySelector('#upload [aria-label=Clear]')?.click()")
    page.wait(f"document.querySelector({UPLOAD!r}) !== null")
    page.upload(UPLOAD, path)


def put_and_enhance(page: Page, path: Path) -> None:
    put(page, path)
    page.wait(f"document.querySelector('#upload').innerText.includes({path.name!r})")
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


@pytest.mark.browser
def test_what_is_no_photograph_or_too_large_is_refused(served: tuple[str, Path], tmp_path: Path) -> None:
    address, _ = served
    text = tmp_path / "notes.txt"
    text.write_text("not a photograph")
    many = written(tmp_path / "many.png", np.zeros((150, 150, 3), np.uint8))
    heavy = written(
        tmp_path / "heavy.png", np.random.default_rng(0).integers(0, 99, (200, 300, 3), dtype=np.uint8)
    )
    with Page(address, tmp_path) as page:
        put_and_enhance(page, text)
        page.wait(f"{MESSAGE}.includes('notes.txt cannot be enhanced: not an image')")
        put_and_enhance(page, many)
        page.wait(f"{MESSAGE}.includes('many.png cannot be enhanced: more than 0.02 megapixels')")
        put(page, heavy)
        page.wait(
            "document.body.innerText.includes('exceed the maximum allowed size of 100.0 Kb: \"heavy.png\"')"
        )
        page.run(ENHANCE)
        page.wait(f"{MESSAGE}.includes('Choose a photograph first.')")


@pytest.mark.browser
def test_a_taken_port_is_told_of(served: tuple[str, Path], tmp_path: Path) -> None:
    port = served[0].rstrip("/").rpartition(":")[2]
    result = subprocess.run(
        [sys.executable, "-m", "lowlight.cli.demo", "--port", port],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    expected = f"cannot listen on 127.0.0.1, port {port}; give another --port or --host"
    assert result.stderr == f"lowlight demo: {expected}\n"
