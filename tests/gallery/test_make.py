"""Making galleries: what is shown, scored and written."""

import math
import os
import re
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lowlight
from lowlight.files import read_table
from lowlight.gallery import make
from lowlight.gallery.make import Made, _warm_up, make_gallery
from lowlight.gallery.sources import Subject
from lowlight.images import read_image
from lowlight.inference.settings import Settings
from lowlight.metrics import loe, mean_luma, psnr
from lowlight.runtimes.enhancer import Enhancer
from tests.conftest import photograph
from tests.gallery.conftest import METHODS, NAMES
from tests.inference.video.clips import still, write_clip

pytestmark = pytest.mark.xdist_group("gallery")


class Pictures(HTMLParser):
    """Collects the pictures of a page: address by text alternative."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.sources: dict[str, str] = {}
        self.text = page.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        if tag == "img" and "src" in about:
            self.sources[str(about["alt"])] = str(about["src"])


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_the_page_holds_every_version_of_every_photograph_and_asks_no_one(made: Made) -> None:
    page = Pictures(made.page)
    versions = ["input", *METHODS, "reference"]
    assert list(page.sources) == [f"{name}: {label}" for name in sorted(NAMES) for label in versions]
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources.values())
    assert made.embedded
    assert not re.search(r"(src|href)=\"?(?!data:|\{)[\w/]|https?://|@import|url\(", page.text)
    assert "<b>dark" not in page.text
    assert sorted(path.name for path in made.page.parent.iterdir()) == [
        "index.html",
        "methods.csv",
        "scores.csv",
    ]


def test_the_scores_are_those_of_the_enhanced_photographs(made: Made, photographs: Path) -> None:
    rows = {(row["picture"], row["method"]): row for row in read_table(made.page.parent / "scores.csv")}
    assert len(rows) == 3 * 5
    low, high = (read_image(photographs / role / f"{NAMES[0]}.png")[None] for role in ("low", "high"))
    enhanced = torch.from_numpy(lowlight.enhance(low.numpy()[0].transpose(1, 2, 0), "gamma", fail_safe=False))
    enhanced = (enhanced.movedim(-1, 0)[None] * 255).round() / 255
    row = rows[NAMES[0], "gamma"]
    assert float(row["psnr"]) == pytest.approx(psnr(enhanced, high).item(), abs=0.02)
    assert float(row["loe"]) == pytest.approx(loe(enhanced, low).item(), abs=5)
    assert float(row["mean_luma"]) == pytest.approx(mean_luma(enhanced).item(), abs=1e-3)
    assert float(row["milliseconds"]) > 0
    assert rows[NAMES[0], "input"]["milliseconds"] == ""
    assert float(rows[NAMES[0], "input"]["psnr"]) < float(row["psnr"])
    assert float(rows[NAMES[0], "reference"]["mean_luma"]) == pytest.approx(mean_luma(high).item(), abs=1e-5)


def test_the_means_have_intervals_times_and_memory(made: Made) -> None:
    rows = {row["method"]: row for row in read_table(made.page.parent / "methods.csv")}
    assert list(rows) == ["input", *METHODS, "reference"]
    scores = read_table(made.page.parent / "scores.csv")
    values = [float(row["psnr"]) for row in scores if row["method"] == "clahe"]
    mean, low, high = (float(rows["clahe"][f"psnr{end}"]) for end in ("", "_low", "_high"))
    assert mean == pytest.approx(sum(values) / 3, abs=1e-3)
    assert min(values) - 1e-3 <= low < mean < high <= max(values) + 1e-3
    assert float(rows["clahe"]["ms_per_megapixel"]) > 0
    assert (rows["input"]["ms_per_megapixel"], rows["input"]["memory_mb"]) == ("", "")
    assert rows["reference"]["psnr"] == ""
    if sys.platform == "linux":
        assert float(rows["clahe"]["memory_mb"]) < 200


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process its size")
def test_the_memory_counts_buffers_that_a_runtime_keeps() -> None:
    class Keeping(Enhancer):
        stride, name, halo, bytes_per_pixel = 1, "keeping", 0, 100.0
        held = torch.empty(0)

        def enhance(self, low: torch.Tensor) -> torch.Tensor:
            if self.held.numel() < 1000 * low[0, 0].numel():
                self.held = torch.ones(1000 * low[0, 0].numel())
            return low

    subject = Subject("dark", "dark", np.full((1, 3, 100, 150), 0.1, np.float32))
    assert _warm_up({"keeping": Keeping()}, subject, "cpu")["keeping"] == pytest.approx(60, rel=0.4)


@pytest.mark.slow
def test_pictures_beside_the_page_do_not_name_their_method_and_go_when_they_are_embedded(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "page"
    low = photographs / "low" / f"{NAMES[0]}.png"
    beside = make_gallery([low], ["gamma", "histogram"], out, embed=False)
    sources = Pictures(beside.page).sources.values()
    assert len(sources) == 3
    for source in sources:
        assert re.fullmatch(r"pictures/[0-9a-f]{16}\.jpg", source)
        with Image.open(out / source) as picture:
            assert picture.size == (200, 100)
    make_gallery([low], ["gamma"], out, embed=False)
    assert len(list((out / "pictures").iterdir())) == 2
    make_gallery([low], ["gamma"], out)
    assert not (out / "pictures").exists()
    assert not list(out.glob(".*"))
    monkeypatch.setattr("lowlight.gallery.make.MOST_EMBEDDED", 1000)
    assert not make_gallery([low], ["gamma"], out).embedded
    assert len(list((out / "pictures").iterdir())) == 2


def test_large_photographs_are_reduced_grey_ones_stay_grey_and_small_ones_have_no_niqe(
    tmp_path: Path,
) -> None:
    save(tmp_path / "in" / "wide.png", photograph(1, 150, 300) // 4)
    save(tmp_path / "in" / "sub" / "grey.png", photograph(1, 60, 40)[..., 0] // 4)
    made = make_gallery([tmp_path / "in"], ["gamma"], tmp_path / "page", longest=100)
    grey, wide = sorted(made.gallery.items, key=lambda item: item.name)
    assert (grey.name, grey.width, grey.height) == ("sub/grey", 40, 60)
    assert (wide.name, wide.width, wide.height) == ("wide", 100, 50)
    assert grey.scores["gamma"]["colour_cast"] < 0.01 < wide.scores["gamma"]["colour_cast"]
    assert all(math.isnan(item.scores["gamma"]["niqe"]) for item in (grey, wide))
    assert "psnr" not in grey.scores["gamma"]
    assert ">–</td>" in made.page.read_text()


def test_files_of_one_name_are_told_apart_and_one_given_twice_is_shown_once(tmp_path: Path) -> None:
    pixels = photograph(1, 16, 16) // 4
    paths = [save(tmp_path / folder / "a.png", pixels) for folder in ("one", "two")]
    made = make_gallery([*paths, tmp_path / "one"], ["gamma"], tmp_path / "page")
    assert [item.name for item in made.gallery.items] == ["one/a.png", "two/a.png"]


def test_a_gallery_beside_its_photographs_does_not_show_its_own_pictures(tmp_path: Path) -> None:
    save(tmp_path / "a.png", photograph(1, 16, 16) // 4)
    for _ in range(2):
        made = make_gallery([tmp_path], ["gamma"], tmp_path, embed=False)
        assert [item.name for item in made.gallery.items] == ["a"]
    assert [*(tmp_path / "pictures").iterdir()]


@pytest.mark.slow
def test_8_bit_integers_are_calibrated_on_the_gallerys_photographs(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    for seed in (1, 2):
        save(tmp_path / f"{seed}.png", photograph(seed, 48, 64) // 4)
    made = make_gallery(
        [tmp_path], ["coarse_to_fine_small"], tmp_path / "page", precision="int8", device="cpu"
    )
    assert not made.failed
    assert [item.name for item in made.gallery.items] == ["1", "2"]


def test_a_gallery_needs_methods(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--methods is needed"):
        make_gallery([save(tmp_path / "a.png", photograph(1, 16, 16))], [], tmp_path / "page")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf_8_are_escaped_and_stay_unique(tmp_path: Path) -> None:
    pixels = photograph(1, 16, 16) // 4
    for name in (b"caf\xe9.png", b"caf\\udce9.png", b"a.png"):
        save(tmp_path / "in" / os.fsdecode(name), pixels)
    out = tmp_path / "page"
    make_gallery([tmp_path / "in"], ["gamma"], out)
    shown = ["1: {0}/a.png", r"2: {0}/caf\udce9.png", r"3: {0}/caf\udce9.png"]
    assert sorted({row["picture"] for row in read_table(out / "scores.csv")}) == [
        one.format(tmp_path / "in") for one in shown
    ]
    (tmp_path / "in" / r"caf\udce9.png").unlink()
    made = make_gallery([tmp_path / "in"], ["gamma"], out)
    assert [item.name for item in made.gallery.items] == ["a", r"caf\udce9"]
    assert r"caf\udce9: gamma" in Pictures(made.page).sources


def test_frames_of_a_video_are_shown_and_count_as_one_scene(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.1, 0.2, 0.3, 0.2, 0.1, 0.2]))
    made = make_gallery([clip], ["gamma"], tmp_path / "page", frames=2)
    assert [item.name for item in made.gallery.items] == ["clip, 0.04 s", "clip, 0.16 s"]
    (row,) = [row for row in read_table(tmp_path / "page/methods.csv") if row["method"] == "gamma"]
    assert float(row["mean_luma"]) > 0
    assert row["mean_luma_low"] == ""
    assert made.page.read_text().count('data-scene="clip"') == 2


@pytest.mark.slow
def test_a_broken_photograph_is_left_out_and_told(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    good = photographs / "low" / f"{NAMES[0]}.png"
    made = make_gallery([tmp_path / "broken.png", good], ["gamma"], tmp_path / "page")
    assert [item.name for item in made.gallery.items] == [NAMES[0]]
    assert len(made.failed) == 1
    assert str(tmp_path / "broken.png") in made.failed[0]
    assert "1 file is left out" in made.page.read_text()
    with pytest.raises(ValueError, match=r"broken\.png"):
        make_gallery([tmp_path / "broken.png"], ["gamma"], tmp_path / "other")
    assert not (tmp_path / "other/index.html").exists()


def test_a_method_that_fails_is_named_and_costs_its_photograph_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("a", 20), ("b", 24)):
        save(tmp_path / f"{name}.png", photograph(1, size, size) // 4)
    real = make.enhance_pixels

    def enhance(enhancer: Enhancer, pixels: np.ndarray, settings: Settings) -> object:
        if len(pixels) == 20:
            raise IndexError("list index\nout of range")
        return real(enhancer, pixels, settings)

    monkeypatch.setattr(make, "enhance_pixels", enhance)
    made = make_gallery([tmp_path / "a.png", tmp_path / "b.png"], ["gamma"], tmp_path / "page")
    assert [item.name for item in made.gallery.items] == ["b"]
    assert made.failed == [f"{tmp_path / 'a.png'}: gamma failed: IndexError: list index out of range"]


def test_references_must_fit(photographs: Path, tmp_path: Path) -> None:
    low = photographs / "low"
    with pytest.raises(ValueError, match=r"--references .*nowhere: no such folder"):
        make_gallery([low], ["gamma"], tmp_path / "page", references=tmp_path / "nowhere")
    high = tmp_path / "high"
    save(high / f"{NAMES[0]}.png", photograph(0, 50, 60))
    with pytest.raises(ValueError, match="Every photograph needs exactly one reference") as told:
        make_gallery([low], ["gamma"], tmp_path / "page", references=high)
    assert NAMES[2] in str(told.value)
    one = low / f"{NAMES[0]}.png"
    with pytest.raises(ValueError, match="low is 200x100 pixels but high is 60x50"):
        make_gallery([one], ["gamma"], tmp_path / "page", references=high)


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a"), ("a", "a")])
def test_videos_have_no_references_and_leave_those_of_the_photographs(
    names: tuple[str, str], tmp_path: Path
) -> None:
    of_photo, of_video = names
    high = photograph(0, 48, 64)
    save(tmp_path / "photos" / f"{of_photo}.png", high // 4)
    write_clip(tmp_path / "photos" / f"{of_video}.mp4", still([0.1, 0.2, 0.3]))
    references = save(tmp_path / "refs" / f"{of_photo}.png", high).parent
    save(references / "other.png", high)  # of a photograph that is not shown
    made = make_gallery([tmp_path / "photos"], ["gamma"], tmp_path / "page", references=references, frames=1)
    assert not made.failed
    assert sorted(len(item.pictures) for item in made.gallery.items) == [2, 3]
    rows = {row["method"]: row for row in read_table(tmp_path / "page/methods.csv")}
    assert list(rows) == ["input", "gamma", "reference"]
    (alone,) = [
        row for row in read_table(tmp_path / "page/scores.csv") if row["method"] == "gamma" and row["psnr"]
    ]
    assert float(rows["gamma"]["psnr"]) == float(alone["psnr"])
    assert rows["reference"]["mean_luma"]
    # the page draws its table by picture from these, column by column
    text = made.page.read_text()
    assert len(re.findall(r"<th[^>]*>\s*reference\s*</th>", text)) == text.count("<table") - 1


def test_a_page_of_another_program_is_kept(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(ValueError, match=r"holds index\.html, not written by lowlight gallery"):
        make_gallery([photographs / "low"], ["gamma"], tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"


def command(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(sys, "argv", ["lowlight gallery", *arguments])
    with pytest.raises(SystemExit) as stop:
        import_module("lowlight.cli.gallery").main()
    return stop.value.code


@pytest.mark.slow
def test_the_command_prints_the_means_and_what_failed(
    photographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no image")
    good = str(photographs / "low" / f"{NAMES[0]}.png")
    options = ["--methods", "gamma, histogram", "--methods", "clahe", "--out", "page", "--longest", "0"]
    assert command(good, "a.png", *options, monkeypatch=monkeypatch) == 1
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()[1:5]] == [
        "input",
        "gamma",
        "histogram",
        "clahe",
    ]
    assert "The gallery is page/index.html: 1 picture, " in printed.out
    assert re.fullmatch(r"failed: a\.png: .+\n", printed.err)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a.png", "--methods", "gamma"], "--out is missing"),
        (["--methods", "gamma", "--out", "page"], "PHOTOS is missing"),
        (["a.png", "--methods", "gamma", "--votes", "b.csv"], "give --votes to rank, or --methods"),
        (["a.png", "--methods", "gamma", "--out", "page"], "a.png: no such file"),
    ],
)
def test_what_is_missing_is_told_in_one_line(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(*arguments, monkeypatch=monkeypatch) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"lowlight gallery: {told}")
    assert (printed.out, printed.err.count("\n")) == ("", 1)
