"""Brackets, and the look of files that a user chooses."""

from pathlib import Path

import pytest
from PIL import Image

from lowlight.images import read_rgb
from tests.cli.test_enhance import folder_of, run
from tests.conftest import photograph


def test_a_bracket_writes_one_result_per_exposure(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 2)
    result = run(source, "--out", tmp_path / "out", "--method", "gamma", "--bracket", 3)
    assert result.exit_code == 0, result.output
    assert "6 enhanced" in result.stdout
    names = [f"photo 000{stops}EV.png" for stops in ("-1", "+0", "+1")]
    means = [read_rgb(tmp_path / "out" / name).mean() for name in names]
    assert means == sorted(means)
    assert run(source, "--out", tmp_path / "plain", "--method", "gamma").exit_code == 0
    plain = read_rgb(tmp_path / "plain" / "photo 000.png")
    assert (read_rgb(tmp_path / "out" / names[1]) == plain).all()
    one = run(source / "photo 001.png", "--out", tmp_path / "a.png", "--method", "gamma", "--bracket", 2)
    assert one.exit_code == 0, one.output
    assert sorted(path.name for path in tmp_path.glob("a*")) == ["a+0.5EV.png", "a-0.5EV.png"]


@pytest.mark.parametrize("way", [["--overwrite"], ["--skip-existing"], []])
def test_a_bracket_is_not_written_over_another_original(way: list[str], tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 2)
    other = (source / "photo 001.png").rename(source / "photo 000+1EV.png")
    before = other.read_bytes()
    result = run(source, "--out", source, "--method", "gamma", "--bracket", 3, *way)
    told = f"{other}: an original, which the result of {source / 'photo 000.png'} would replace"
    assert (result.exit_code, result.stderr) == (1, f"lowlight enhance: {told}; give another --out\n")
    assert other.read_bytes() == before
    assert len(list(source.iterdir())) == 2


def test_a_large_photograph_in_tiles_gets_the_same_look(tmp_path: Path) -> None:
    Image.fromarray(photograph(3, 300, 400) // 6).save(tmp_path / "dark.png")
    look = ["--method", "gamma", "--brightness", "0.4", "--saturation", "1.2", "--exposure", "0.3"]
    for name, more in (("whole", []), ("tiles", ["--tile", "160"])):
        result = run(tmp_path / "dark.png", "--out", tmp_path / f"{name}.png", *look, *more)
        assert result.exit_code == 0, result.output
    whole, tiles = (read_rgb(tmp_path / f"{name}.png").astype(int) for name in ("whole", "tiles"))
    assert abs(whole - tiles).max() <= 1


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (["--exposure", "9"], "exposure must be from -8 to 8, got 9.0"),
        (["--brightness", "1"], "brightness must be from 0.01 to 0.99, got 1.0"),
        (["--tile", "0"], "tile must be from 1 to 1e+06, got 0"),
        (["--smoothing", "nan"], "smoothing must be from 0 to 3600, got nan"),
    ],
)
def test_a_look_out_of_range_is_one_line(option: list[str], told: str, tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 1)
    result = run(source, "--out", tmp_path / "out", *option)
    assert (result.exit_code, result.stderr) == (1, f"lowlight enhance: {told}\n")
