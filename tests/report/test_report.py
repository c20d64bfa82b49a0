"""The written report: page, figures, replacement, and the command."""

import io
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lowlight.cli.compare import app
from lowlight.report import compare
from lowlight.report.compare import FILES, SCORES
from lowlight.report.figures import CURVE_FIGURES
from tests.chromium import chromium
from tests.report.fake_runs import write_run

pytestmark = pytest.mark.xdist_group("report")


class Elements(HTMLParser):
    """Collect a page's elements and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_file_is_written_whole(report: Path) -> None:
    assert sorted(path.name for path in report.iterdir()) == sorted(FILES)


def test_figures_are_pictures_with_content(report: Path) -> None:
    for path in report.glob("*.png"):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert min(pixels.shape[:2]) > 200, path
        assert pixels.std() > 5, path


def test_the_page_needs_no_other_file_and_no_network(report: Path) -> None:
    page = Elements(report / "index.html")
    assert page.open == []
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed")
        for name in ("src", "srcset", "href", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"https?://|@import|url\(|fetch\(|import ", (report / "index.html").read_text())
    policy = next(meta["content"] for tag, meta in page.elements if "http-equiv" in meta)
    assert str(policy).startswith("default-src 'none'; img-src data:;")


def test_every_picture_is_described(report: Path) -> None:
    images = [attributes for tag, attributes in Elements(report / "index.html").elements if tag == "img"]
    figures, grid, extremes, progress = len(CURVE_FIGURES) + len(SCORES), 3 * (2 + 4), 4 * 2, 6 + 6 + 6
    assert len(images) == figures + grid + extremes + progress
    assert all(image["alt"] for image in images)


def test_the_page_tells_what_a_number_must_come_with(report: Path) -> None:
    text = Elements(report / "index.html").text
    for fact in (
        "mirnet has the highest PSNR, 21.50 dB; too few scenes to distinguish methods (3; it takes 7).",
        "3 test images of 3 scenes. Whether training shows the test scenes is unknown for mirnet, "
        "autoencoder and gan_<b>&$x_.",
        "The test split at native size, 8-bit outputs.",
        "p by Wilcoxon's signed-rank test over scenes, adjusted for 3 comparisons by Holm's method.",
        "Do the published study's claims hold here?",
        "Quality rises with the epochs: autoencoder",
        "gan_<b>&$x_",
        "Gaussian 11x11",
        "0123456789ab",
        "Imaginary CPU",
        "2.13.0",
        "lowlight train method=mirnet",
        "training was stopped by its time limit",
        "max time",
        "20 of 40",
        "train436",
        "augmentyes",
        "resizenone",
        "scene_groupsnone",
        "seed0",
    ):
        assert fact in text


def test_names_and_values_of_runs_are_no_markup(tmp_path: Path) -> None:
    evil = '</code></script><script>alert(1)</script>{{ 7 * 7 }}{% raw %}" onload="x'
    facts = {"machine": {evil: [evil]}, "data": {"leak": None, evil: {evil: evil}}, "command": [evil]}
    run = write_run(tmp_path / "run", evil, epochs=0, manifest=facts)
    page = compare([run], tmp_path / "out")
    elements = Elements(page)
    assert elements.open == []
    assert [tag for tag, _ in elements.elements].count("script") == 1
    assert not any("onload" in attributes for _, attributes in elements.elements)
    assert elements.text.count(evil) >= 6
    assert "49" not in page.read_text().split("<h2>Scores</h2>")[0]


def test_figures_are_chosen_by_the_columns_logged(report: Path) -> None:
    alts = [str(image["alt"]) for tag, image in Elements(report / "index.html").elements if tag == "img"]
    distribution, tradeoff, curves, accuracy, adversarial = alts[:5]
    assert "mirnet: 21.5 to 21.5 dB" in distribution
    assert tradeoff.startswith("PSNR against time and size")
    assert all(name in curves for name in ("mirnet", "autoencoder", "gan_"))
    assert "gan_" not in accuracy
    assert "autoencoder, validation Channel accuracy" in accuracy
    assert "discriminator Discriminator accuracy" in adversarial
    assert "mirnet" not in adversarial
    assert "identity" not in "".join(alts[2:5])


def test_without_pictures_no_photograph_is_left(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "identity", psnr=8.0, epochs=0)
    out = tmp_path / "out"
    compare([run], out)
    assert (out / "pictures.png").exists()
    page = compare([str(run)], str(out), pictures=False)
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "table.csv", "table.md", "table.tex"]
    assert "image/" not in page.read_text()


def test_a_method_that_returns_its_input_has_no_column(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "identity", psnr=25 * 0.12, epochs=0)
    page = compare([run], tmp_path / "out")
    assert "enhanced by identity" not in page.read_text()


def test_a_folder_or_device_of_no_use_is_refused_and_foreign_files_stay(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", epochs=0)
    for name in ("index.html", "table.csv"):
        out = tmp_path / name
        out.mkdir()
        (out / name).write_text("mine")
        with pytest.raises(ValueError, match=f"holds {name}, not written by lowlight compare"):
            compare([run], out)
        assert (out / name).read_text() == "mine"
    with pytest.raises(ValueError, match="device 'abacus' is not available"):
        compare([run], tmp_path / "out", device="abacus")
    with pytest.raises(ValueError, match=r"config\.yaml: a file, not a folder"):
        compare([run], run / "config.yaml")


def test_the_command_writes_the_report_and_prints_the_table(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "identity", epochs=0)
    result = CliRunner().invoke(app, [str(run), "--out", str(tmp_path / "out"), "--no-pictures"])
    assert result.exit_code == 0
    assert "| identity |" in result.stdout
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_wrong_argument_gets_one_line_and_a_traceback_only_in_debug(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert result.stderr == f"lowlight compare: {tmp_path}/nowhere: no such run folder\n"
    assert not (tmp_path / "out").exists()
    assert isinstance(CliRunner().invoke(app, [*arguments, "--debug"]).exception, ValueError)


@pytest.mark.browser
def test_a_browser_shows_the_page_without_complaint(report: Path, tmp_path: Path) -> None:
    shot = tmp_path / "page.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--log-level=0"]
    options += [f"--screenshot={shot}", "--window-size=500,2000", (report / "index.html").as_uri()]
    result = subprocess.run([chromium(), *options], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in result.stderr
    pixels = np.asarray(Image.open(io.BytesIO(shot.read_bytes())).convert("L"))
    bands = np.array_split(pixels, 4)
    assert pixels.shape[1] == 500
    assert all(band.std() > 5 for band in bands)
