"""Output formats are one table, separate from the input formats."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlight.decoding.formats import PHOTO_SUFFIXES
from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import read_photo
from lowlight.inference.batch.enhance import enhance_job
from lowlight.inference.batch.jobs import Job, find_jobs
from lowlight.inference.load import choose
from lowlight.inference.photos.writing import FORMATS, Format, photo_suffix, write_photo
from lowlight.inference.settings import Settings
from tests.conftest import photograph

DARK = photograph(3, 21, 34) // 6


def targets(source: Path, out: Path) -> list[Job]:
    jobs, refused = find_jobs([source], out)
    assert refused == []
    return jobs


def test_a_new_output_format_is_one_line_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "dark.PPM", tmp_path / "out"
    Image.fromarray(DARK).save(source, format="PPM")
    assert photo_suffix(source) == ".png"
    assert [job.target.name for job in targets(source, out)] == ["dark.PPM.png"]
    monkeypatch.setitem(FORMATS, ".ppm", Format("PPM", has_alpha=False, has_metadata=False))
    (job,) = targets(source, out)
    assert job.target == out / "dark.PPM"
    assert enhance_job(choose(method="gamma"), job, Settings()).status == "enhanced"
    with Image.open(job.target) as written:
        assert written.format == "PPM"
    assert read_photo(job.target).pixels.mean() > 2 * DARK.mean()
    deep = Photo(
        DARK.astype(np.uint16) * 257, alpha=np.full(DARK.shape[:2], 65535, np.uint16), exif=b"Exif\0\0"
    )
    notes = write_photo(deep, tmp_path / "deep.ppm")
    assert notes == ("PPM holds 8 bits, not 16", "PPM holds no transparency", "PPM holds no EXIF data")
    assert np.array_equal(read_photo(tmp_path / "deep.ppm").pixels, DARK)


def test_a_format_that_nothing_writes_is_refused_with_those_that_are_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.heic: photographs are written as \.png, \.jpg"):
        write_photo(Photo(DARK), tmp_path / "a.heic")
    assert list(tmp_path.iterdir()) == []


def test_a_side_that_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    for suffix, most in ((".jpg", 65_500), (".webp", 16_383)):
        write_photo(Photo(np.zeros((1, most, 3), np.uint8)), tmp_path / f"whole{suffix}")
        with pytest.raises(ValueError, match=f"holds {most} pixels per side; write a .png"):
            write_photo(Photo(np.zeros((most + 1, 1, 3), np.uint8)), tmp_path / f"long{suffix}")
        assert not (tmp_path / f"long{suffix}").exists()


def test_every_written_format_is_read_back_and_looked_for(tmp_path: Path) -> None:
    for suffix in FORMATS:
        assert suffix in PHOTO_SUFFIXES
        write_photo(Photo(DARK), tmp_path / f"a{suffix}")
        assert read_photo(tmp_path / f"a{suffix}").pixels.shape == DARK.shape
    assert {path.suffix for path in tmp_path.iterdir()} == set(FORMATS)


@pytest.mark.parametrize(("suffix", "lost"), [(".webp", True), (".png", False), (".bmp", False)])
def test_a_resolution_is_kept_or_its_loss_is_told(suffix: str, lost: bool, tmp_path: Path) -> None:
    photo = Photo(np.zeros((4, 5, 3), np.uint8), dpi=(300.0, 300.0))
    notes = write_photo(photo, tmp_path / f"photo{suffix}")
    assert any("no resolution" in note for note in notes) == lost
    if not lost:
        with Image.open(tmp_path / f"photo{suffix}") as image:
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
