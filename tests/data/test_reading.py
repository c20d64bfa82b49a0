"""Data sets are read as photographs are, with the same refusals."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlight.data.pairs import FilePair


def test_pairs_are_read_as_photographs_are(tmp_path: Path) -> None:
    """A turned dark image fits its upright reference, whatever the sizes in the headers are."""
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(tmp_path / "low.png", exif=exif)
    Image.fromarray(pixels).save(tmp_path / "high.png")
    pair = FilePair("a/1", tmp_path / "low.png", tmp_path / "high.png")
    pair.check()
    low, high = pair.read()
    assert np.array_equal(low, high)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_values_that_do_not_define_white_are_refused_by_name(kind: type, tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 24), 1, kind)).save(tmp_path / "low.tif")
    pair = FilePair("a/1", tmp_path / "low.tif", tmp_path / "low.tif")
    for read in (pair.check, pair.read):
        with pytest.raises(ValueError, match=r"low\.tif: .*do not define which value is white"):
            read()


def test_a_picture_beyond_the_pixel_limit_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "low.bmp"
    Image.new("RGB", (4, 4)).save(path)
    header = bytearray(path.read_bytes())
    header[18:26] = (20000).to_bytes(4, "little") * 2
    path.write_bytes(header)
    pair = FilePair("a/1", path, path)
    for read in (pair.check, pair.read):
        with pytest.raises(ValueError, match=r"low\.bmp: more than 250 megapixels; scale it down"):
            read()


def test_pixels_of_an_earlier_reader_are_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "1.png"
    path.touch()
    pair = FilePair("a/1", path, path)
    before = pair.key()
    monkeypatch.setattr("lowlight.data.pairs.READER", "another reader")
    assert pair.key() != before
