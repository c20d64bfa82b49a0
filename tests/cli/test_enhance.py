"""`lowlight enhance` as a user runs it."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from lowlight.cli.enhance import app
from lowlight.images import read_rgb
from tests.cli.commands import lowlight
from tests.conftest import photograph
from tests.inference.video.clips import rgb_of, still, write_clip


def folder_of(folder: Path, count: int, height: int = 24) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        Image.fromarray(photograph(seed, height, 32) // 5).save(folder / f"photo {seed:03}.png")
    return folder


def run(*arguments: Any, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def test_a_folder_is_enhanced_by_the_weights_that_come_along_which_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = folder_of(tmp_path / "in", 3)
    result = run(source, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "3 enhanced" in result.stdout
    assert "coarse_to_fine enhances, with the weights that come with lowlight" in result.stderr
    for path in source.iterdir():
        assert read_rgb(tmp_path / "out" / path.name).mean() > 2 * read_rgb(path).mean()


def test_a_folder_is_enhanced_by_a_method_that_learns_nothing(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 3)
    result = run(source, "--out", tmp_path / "out", "--method", "gamma")
    assert result.exit_code == 0, result.output
    assert "lowlight" not in result.stderr
    for path in source.iterdir():
        low = read_rgb(path).astype(np.float32) / 255
        assert np.abs(read_rgb(tmp_path / "out" / path.name) - 255 * low**0.4).max() <= 0.51


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no control characters in names")
def test_a_name_with_control_characters_does_not_steer_the_terminal(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 0)
    (source / "a\x1b[2J\n\u202e.png").touch()
    result = run(source, tmp_path / "absent\x1b[2J.jpg", "--out", tmp_path / "out", "--method", "gamma")
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    assert "a\\x1b[2J\\n\\u202e.png" in result.output


def test_a_bad_file_fails_alone_and_json_says_so(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 2)
    (source / "zero.png").touch()
    Image.fromarray(photograph(9)).save(source / "bright.png")
    result = run(source, tmp_path / "absent.jpg", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    became = {Path(file["source"]).name: file["status"] for file in told["files"]}
    assert became == {
        "photo 000.png": "enhanced",
        "photo 001.png": "enhanced",
        "bright.png": "unchanged",
        "zero.png": "failed",
        "absent.jpg": "failed",
    }
    assert told["summary"]["failed"] == 2
    assert (tmp_path / "out" / "bright.png").read_bytes() == (source / "bright.png").read_bytes()
    assert not (tmp_path / "out" / "zero.png").exists()
    assert f"{source / 'zero.png'}: empty, 0 bytes" in result.stderr


def test_a_video_among_photographs_is_enhanced_too(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 1)
    write_clip(source / "clip.mp4", still([0.05] * 4))
    (source / "broken.mkv").write_bytes(b"no video")
    result = run(source, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 1
    files = {Path(file["source"]).name: file for file in json.loads(result.stdout)["files"]}
    assert files["clip.mp4"]["video"]["frames"] == 4
    assert files["broken.mkv"]["status"] == "failed"
    assert rgb_of(tmp_path / "out" / "clip.mp4").mean() > rgb_of(source / "clip.mp4").mean() + 50
    assert "flicker" in result.stderr


def test_what_is_refused_before_the_work_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run(tmp_path / "empty", folder_of(tmp_path / "in", 1), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert f"failed: {tmp_path / 'empty'}: no images or videos in this folder" in result.stderr
    assert "1 enhanced, 1 failed" in result.stdout


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_a_list_comes_on_standard_input(separator: str, tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 3)
    names = separator.join(str(path) for path in sorted(source.iterdir())[:2])
    result = run("-", "--out", tmp_path / "out", stdin=names)
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_with_a_byte_order_mark_is_understood(encoding: str, end: str, tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 3)
    names = [str(path) for path in sorted(source.iterdir())[:2]]
    result = run(
        "-", "--out", tmp_path / "out", "--method", "gamma", stdin=(end.join(names) + end).encode(encoding)
    )
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.parametrize("names", ["a.png", "a.png\nb.png\n", "夜/b.png\r\n"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_list_in_an_unknown_encoding_names_no_other_files(
    names: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder_of(tmp_path / "in", 1))  # which "." names
    result = run("-", "--out", tmp_path / "out", "--method", "gamma", stdin=names.encode(encoding))
    assert result.exit_code == 1
    assert "write it in UTF-8" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_listed_name_ends_at_the_line_and_nowhere_else(tmp_path: Path) -> None:
    folder_of(tmp_path / "in", 1)
    odd = tmp_path / "in" / "photo\u2028000.png"
    (tmp_path / "in" / "photo 000.png").rename(odd)
    result = run("-", "--out", tmp_path / "out", "--method", "gamma", stdin=f"{odd}\n".encode())
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == [odd.name]


def test_what_exists_is_kept_unless_asked(tmp_path: Path) -> None:
    source, out = folder_of(tmp_path / "in", 2), tmp_path / "out"
    assert run(source, "--out", out).exit_code == 0
    (out / "photo 001.png").unlink()
    before = (out / "photo 000.png").stat().st_mtime_ns
    refused = run(source, "--out", out)
    assert refused.exit_code == 1
    assert "--skip-existing does the rest" in refused.stderr
    assert not (out / "photo 001.png").exists()
    assert "1 enhanced, 1 skipped" in run(source, "--out", out, "--skip-existing").stdout
    assert (out / "photo 000.png").stat().st_mtime_ns == before
    assert "2 enhanced" in run(source, "--out", out, "--overwrite", "--strength", 0.5).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-memory", "much"], "--max-memory=much is no size"),
        (["--strength", "3"], "strength must be from 0 to 2"),
        (["--bracket", "30"], "exposure must be from -8 to 8, got -14.5"),
        (["--method", "gama"], "gama is no method: give a checkpoint, or one of"),
        (["--method", "mirnet"], "mirnet must be trained first"),
        (["--checkpoint", "nowhere.ckpt"], "nowhere.ckpt: no such"),
        (["--checkpoint", "x", "--method", "lime"], "not both"),
    ],
)
def test_a_wrong_argument_gets_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = run(folder_of(tmp_path / "in", 1), "--out", tmp_path / "out", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_kill_in_a_folder_of_200_breaks_and_loses_nothing(tmp_path: Path) -> None:
    source, out = folder_of(tmp_path / "in", 200, height=200), tmp_path / "out"
    gamma = ["--method", "gamma"]
    command = [sys.executable, "-m", "lowlight.cli.enhance", str(source), "--out", str(out), *gamma]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list(out.glob("*.png")) if out.exists() else []) < 30:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert 30 <= len(done) < 200
    for path in done:
        read_rgb(path)
    again = lowlight("enhance", str(source), "--out", str(out), "--skip-existing", *gamma, folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert f"{200 - len(done)} enhanced, {len(done)} skipped" in again.stdout
    assert {path.name for path in out.iterdir()} == {path.name for path in source.iterdir()}
    assert all(path.stat().st_mtime_ns == at for path, at in done.items())
    for path in source.iterdir():
        low = read_rgb(path).astype(np.float32) / 255
        assert np.abs(read_rgb(out / path.name) - 255 * low**0.4).max() <= 0.51


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--calibrate", "dark"], "--calibrate is for 8-bit integers: give --precision int8, too"),
        (["--actors", 2], "--actors and --ray-address are for several processes: give --engine ray, too"),
        (["--ray-address", "a:1"], "--actors and --ray-address are for several processes"),
    ],
)
def test_options_without_effect_are_refused_in_one_line(
    options: list[Any], told: str, tmp_path: Path
) -> None:
    source = folder_of(tmp_path / "in", 1)
    result = run(source, "--out", tmp_path / "out", "--method", "gamma", *options)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"lowlight enhance: {told}")
    assert not (tmp_path / "out").exists()
