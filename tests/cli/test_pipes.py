"""`lowlight enhance` of single files, and between pipes."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlight.decoding.formats import suffix_of
from tests.cli.test_enhance import folder_of, run
from tests.conftest import photograph
from tests.decoding.test_encodings import digital_negative
from tests.decoding.test_raw_tags import canon, fujifilm, olympus

DARK = photograph(2, 30, 40) // 6


def encoded(form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(DARK).save(file, format=form)
    return file.getvalue()


def test_one_photograph_is_written_to_the_file_that_is_named(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 2)
    result = run(source / "photo 000.png", "--out", tmp_path / "new/bright.jpg", "--method", "gamma")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "new/bright.jpg") as bright:
        assert (bright.format, bright.size) == ("JPEG", (32, 24))
    again = run(source / "photo 001.png", "--out", tmp_path / "new/bright.jpg", "--method", "gamma")
    assert "bright.jpg exists; --skip-existing does the rest" in again.stderr
    onto_itself = run(source / "photo 000.png", "--out", source / "photo 000.png", "--overwrite")
    assert "would be written over itself" in onto_itself.stderr


def test_a_folder_that_is_named_like_a_file_stays_a_folder(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 2)
    (tmp_path / "out.png").mkdir()
    assert run(source, "--out", tmp_path / "out.png", "--method", "gamma").exit_code == 0
    assert len(list((tmp_path / "out.png").iterdir())) == 2


@pytest.mark.parametrize(
    ("given", "out", "message"),
    [
        (["in"], "bright.png", "bright.png: a file for one photograph or video; give --out a folder"),
        (["in/photo 000.png", "in/photo 001.png"], "bright.png", "a file for one photograph or video"),
        (["in/photo 000.png"], "bright.heic", "bright.heic: photographs are written as .png, .jpg"),
        (["in/photo 000.png"], "clip.mp4", "clip.mp4: photographs are written as .png, .jpg"),
        (["in/clip.mp4"], "bright.png", "bright.png: videos are written as .mp4, .m4v"),
        (["in"], "notes.txt", "notes.txt: a file, not a folder; give another --out"),
        (["in"], "notes.txt/out", "notes.txt: a file, not a folder; give another --out"),
        (["in/photo 000.png"], "notes.txt/bright.png", "notes.txt: a file, not a folder"),
        (["in"], "-", "--out - takes one photograph, not 2"),
    ],
)
def test_an_output_that_does_not_suit_is_one_line(
    given: list[str], out: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "in", 2)
    Path("notes.txt").write_text("kept")
    result = run(*given, "--out", out, "--method", "gamma")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert message in result.stderr
    assert Path("notes.txt").read_text() == "kept"
    assert sorted(path.name for path in Path().iterdir()) == ["in", "notes.txt"]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF"])
def test_a_photograph_goes_through_a_pipe(form: str) -> None:
    result = run("-", "--out", "-", "--method", "gamma", stdin=encoded(form))
    assert result.exit_code == 0, result.stderr
    with Image.open(io.BytesIO(result.stdout_bytes)) as bright:
        assert bright.format == (form if form not in ("PPM", "GIF") else "PNG")
        assert np.asarray(bright.convert("RGB")).mean() > 2 * DARK.mean()
    assert "1 enhanced" in result.stderr
    assert "in standard output" in result.stderr


def test_a_raw_photograph_on_a_pipe_becomes_png(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    negative = digital_negative(tmp_path / "a.dng").read_bytes()
    result = run("-", "--out", "-", "--method", "gamma", stdin=negative)
    assert result.exit_code == 0, result.stderr
    with Image.open(io.BytesIO(result.stdout_bytes)) as bright:
        assert (bright.format, bright.size) == ("PNG", (64, 48))
    assert run("-", "--out", tmp_path / "out", "--method", "gamma", stdin=negative).exit_code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photograph.raw.png"]


@pytest.mark.parametrize("content", [fujifilm(), olympus(), b"IIU\0\x18\0\0\0" + bytes(99), canon()])
def test_a_broken_raw_photograph_on_a_pipe_is_no_list_of_names(content: bytes) -> None:
    result = run("-", "--out", "-", "--method", "gamma", stdin=content)
    assert result.exit_code == 1
    assert result.stderr.startswith("failed: -: ")
    assert result.stderr.count("\n") == 2  # with the summary


def test_a_pipe_may_be_at_one_end_only(tmp_path: Path) -> None:
    assert run("-", "--out", tmp_path / "a.png", "--method", "gamma", stdin=encoded("PNG")).exit_code == 0
    result = run(tmp_path / "a.png", "--out", "-", "--method", "identity")
    assert result.stdout_bytes == (tmp_path / "a.png").read_bytes()
    assert run("-", "--out", tmp_path / "out", "--method", "gamma", stdin=encoded("JPEG")).exit_code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photograph.jpg"]


def test_a_folder_below_is_no_hindrance(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in/below", 1)
    result = run(source.parent, "--out", "-", "--method", "identity")
    assert result.exit_code == 0, result.stderr
    with Image.open(io.BytesIO(result.stdout_bytes)) as image:
        assert image.size == (32, 24)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    ("to", "status", "told"),
    [("> /dev/full", 1, "the output was not written whole: No space left"), ("| true", 0, "")],
)
def test_a_photograph_that_a_full_disk_does_not_take_is_told(
    to: str, status: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "dark.png").write_bytes(encoded("PNG"))
    command = f"set -o pipefail; {sys.executable} -m lowlight enhance dark.png --method gamma --out - -q {to}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == status
    assert told in done.stderr
    assert done.stderr.count("\n") == status


def test_an_empty_pipe_is_told(tmp_path: Path) -> None:
    for out, told in (
        (tmp_path / "a.png", "a.png: no photograph or video is given to write there"),
        ("-", "--out - takes one photograph, not 0"),
    ):
        result = run("-", "--out", out, "--method", "gamma", stdin=b"")
        assert (result.exit_code, result.stdout_bytes) == (1, b"")
        assert told in result.stderr


def test_a_broken_photograph_on_a_pipe_is_told_without_a_temporary_name(tmp_path: Path) -> None:
    result = run("-", "--out", "-", "--method", "gamma", stdin=encoded("PNG")[:60])
    assert (result.exit_code, result.stdout_bytes) == (1, b"")
    assert result.stderr.startswith("failed: -: ")
    told = json.loads(
        run("-", "--out", tmp_path / "a.png", "--json", "--method", "gamma", stdin=encoded("PNG")).stdout
    )
    assert (told["files"][0]["source"], told["files"][0]["target"]) == ("-", str(tmp_path / "a.png"))
    refused = run("-", "--out", "-", "--json", stdin=encoded("PNG"))
    assert "--json and --out - both write to standard output" in refused.stderr


@pytest.mark.parametrize("names", ["BMW.jpg", "P1010001.JPG", "P1 10.jpg", "RIFF.png", "II.tif", "GIF8.gif"])
def test_no_list_of_names_is_taken_for_a_photograph(names: str) -> None:
    for text in (f"{names}\n", f"{names}\r\n{names}\r\n", f"{names}\0{names}\0"):
        assert suffix_of(text.encode()) is None
        assert suffix_of(text.encode("utf-16")) is None


def test_quiet_prints_failures_only(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 2)
    Image.fromarray(photograph(1)).save(source / "bright.png")
    assert run(source, "--out", tmp_path / "out", "--quiet").output == ""
    (source / "broken.png").write_bytes(b"no image")
    result = run(source, "--out", tmp_path / "out", "-q", "--overwrite")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("failed: ")
    assert result.stderr.count("\n") == 1


def test_the_notice_on_research_is_printed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = folder_of(tmp_path / "in", 1)
    told = [run(source, "--out", tmp_path / "out", "--overwrite").stderr for _ in range(3)]
    assert ["research only" in text for text in told] == [True, False, False]
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "research only" in run(source, "--out", tmp_path / "out", "--overwrite").stderr
