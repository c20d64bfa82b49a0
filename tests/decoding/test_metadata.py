"""Metadata are kept as they are, or their loss is noted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import read_photo, read_size
from lowlight.inference.load import choose
from lowlight.inference.photos.enhance import enhance_file
from lowlight.inference.photos.writing import write_photo
from tests.conftest import photograph

DARK = photograph(3, 24, 32) // 6
XMP = '<x:xmpmeta><rdf tiff:Orientation="6" dc:title="Zürich"/></x:xmpmeta>'.encode()
ARTIST = "夜空写真 Zoë"


def exif(orientation: int = 1) -> bytes:
    data = Image.Exif()
    data[0x0112], data[271], data[315] = orientation, "Maker", "@" * len(ARTIST.encode())
    data.get_ifd(0x8769)[0x9003] = "2020:02:03 04:05:06"
    data.get_ifd(0x8825)[1], data.get_ifd(0x8825)[2] = "N", (1.0, 2.0, 3.5)
    return data.tobytes().replace(b"@" * len(ARTIST.encode()), ARTIST.encode())


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    path = tmp_path / "in.jpg"
    Image.fromarray(DARK).save(path, exif=exif(6), xmp=XMP, dpi=(300, 200), quality=95)
    return read_photo(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("deep", [False, True], ids=["8", "16"])
def test_texts_position_xmp_and_resolution_are_kept(
    suffix: str, deep: bool, photo: Photo, tmp_path: Path
) -> None:
    if deep:
        photo = replace(photo, pixels=photo.pixels.astype(np.uint16) * 257)
    write_photo(photo, tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as written:
        kept = written.getexif()
        assert (kept[271], kept.get(0x0112, 1)) == ("Maker", 1)
        assert kept[315].encode("latin-1").decode() == ARTIST
        assert kept.get_ifd(0x8769)[0x9003] == "2020:02:03 04:05:06"
        assert kept.get_ifd(0x8825) == {1: "N", 2: (1.0, 2.0, 3.5)}
        if suffix != ".webp":
            assert np.allclose(written.info["dpi"], (300, 200), atol=0.01)
    again = read_photo(tmp_path / f"out{suffix}")
    assert again.xmp == XMP.replace(b'"6"', b'"1"')
    assert again.pixels.shape == (32, 24, 3)


def test_metadata_of_16_bit_tiff_are_kept(tmp_path: Path) -> None:
    text = ARTIST.encode() + b"\0"
    tifffile.imwrite(
        tmp_path / "in.tif",
        DARK.astype(np.uint16) * 257,
        photometric="rgb",
        resolution=(118, 118),
        resolutionunit="CENTIMETER",
        extratags=[(315, 2, len(text), text, True), (700, 1, len(XMP), XMP, True)],
    )
    photo = read_photo(tmp_path / "in.tif")
    assert photo.dpi == pytest.approx((299.72, 299.72))
    assert write_photo(photo, tmp_path / "out.tif") == ()
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        tags = file.pages.first.tags
        assert tags[315].value == ARTIST
        assert tags[282].value[0] / tags[282].value[1] == pytest.approx(299.72)
        assert b"rich" in tags[700].value


def test_what_is_left_out_is_noted(photo: Photo, tmp_path: Path) -> None:
    notes = write_photo(replace(photo, icc=b"profile"), tmp_path / "out.bmp")
    assert notes == ("BMP holds no EXIF data", "BMP holds no XMP", "BMP holds no colour profile")
    long = replace(photo, xmp=b"<x>" * 30_000)
    assert write_photo(long, tmp_path / "out.jpg") == ("JPEG holds no XMP of 90000 bytes",)
    large = write_photo(replace(photo, icc=b"p" * 1_100_000), tmp_path / "out.png")
    assert large == ("PNG holds no colour profile of 1100000 bytes",)
    assert read_photo(tmp_path / "out.png").icc is None  # Pillow would refuse to read it
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Title\x1b[2J", "Night")
    Image.fromarray(DARK).save(tmp_path / "in.png", pnginfo=texts)
    assert read_photo(tmp_path / "in.png").notes == ("texts of the PNG file are left out: Title?[2J",)


@pytest.mark.parametrize(
    ("mark", "note"),
    [
        ('hdrgm:Version="1.0"', "the HDR gain map is left out, and the XMP that describes it"),
        ('GCamera:MotionPhoto="1"', "the video of this motion photograph is left out"),
        ('GCamera:MicroVideoOffset="9"', "the video of this motion photograph is left out"),
        ('xmpNote:HasExtendedXMP="A0"', "the XMP data in further segments are left out"),
    ],
)
def test_what_stands_beside_the_picture_is_noted_and_no_longer_claimed(
    mark: str, note: str, tmp_path: Path
) -> None:
    Image.fromarray(DARK).save(tmp_path / "in.jpg", xmp=f"<x {mark}/>".encode())
    photo = read_photo(tmp_path / "in.jpg")
    assert len(photo.notes) == 1
    assert photo.notes[0].startswith(note)
    assert photo.xmp is None


def test_further_pictures_of_a_jpeg_file_are_noted_but_not_its_previews(tmp_path: Path) -> None:
    pictures = [Image.fromarray(photograph(seed, 24, 32)) for seed in (0, 1)]
    pictures[0].save(tmp_path / "in.jpg", format="MPO", save_all=True, append_images=pictures[1:])
    assert read_photo(tmp_path / "in.jpg").notes == ("only the first of 2 frames",)
    content = (tmp_path / "in.jpg").read_bytes()
    second = content.rindex(bytes([0, 0, 3, 0])) + 16  # its kind, after that of the first
    preview = content[:second] + bytes([2, 0, 1, 0]) + content[second + 4 :]
    (tmp_path / "preview.jpg").write_bytes(preview)
    assert read_photo(tmp_path / "preview.jpg").notes == ()


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        (b"urn:com:abc:aux:hdrgainmap", ("auxiliary pictures are left out: hdrgainmap",)),
        (b"urn:mpeg:hevc:2015:auxid:2", ("auxiliary pictures are left out: depth map",)),
        (b"urn:mpeg:hevc:2015:auxid:1", ()),
    ],
    ids=["gain map", "depth", "opacity"],
)
def test_auxiliary_pictures_of_a_heic_file_are_noted(
    kind: bytes, note: tuple[str, ...], tmp_path: Path
) -> None:
    heif = pytest.importorskip("pillow_heif")
    transparent = np.dstack((photograph(0, 64, 64), np.full((64, 64), 99, np.uint8)))
    heif.from_pillow(Image.fromarray(transparent)).save(tmp_path / "in.heic")
    content = (tmp_path / "in.heic").read_bytes()
    opacity = b"urn:mpeg:hevc:2015:auxid:1"
    assert content.count(opacity) == 1
    (tmp_path / "in.heic").write_bytes(content.replace(opacity, kind))
    photo = read_photo(tmp_path / "in.heic")
    assert photo.notes == note
    assert (photo.alpha is None) == bool(note)


def test_a_makers_note_that_is_too_large_costs_no_other_tag(tmp_path: Path) -> None:
    data = Image.Exif()
    data[271] = "Maker"
    data.get_ifd(0x8769)[0x927C], data.get_ifd(0x8769)[0xA434] = b"n" * 64_000, "Lens"
    Image.fromarray(DARK).save(tmp_path / "in.png", exif=data)
    photo = read_photo(tmp_path / "in.png")
    assert photo.notes == ("metadata tag 37500 of more than 60 kB is left out",)
    assert write_photo(photo, tmp_path / "out.jpg") == ()
    with Image.open(tmp_path / "out.jpg") as written:
        assert written.getexif()[271] == "Maker"
        assert written.getexif().get_ifd(0x8769) == {0xA434: "Lens"}


def test_sides_before_turning_are_not_kept(tmp_path: Path) -> None:
    data = Image.Exif()
    data[0x0112] = 6
    data.get_ifd(0x8769)[0xA002], data.get_ifd(0x8769)[0xA003] = 32, 24
    Image.fromarray(DARK).save(tmp_path / "in.png", exif=data)
    photo = read_photo(tmp_path / "in.png")
    assert photo.pixels.shape == (32, 24, 3)
    write_photo(photo, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert not written.getexif().get_ifd(0x8769)


def test_broken_exif_data_do_not_cost_the_photograph(tmp_path: Path) -> None:
    Image.fromarray(DARK).save(tmp_path / "in.jpg", exif=b"Exif\0\0nonsense")
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.notes == ("broken EXIF data is left out",)
    assert photo.exif is None


def test_a_copy_has_lost_nothing(tmp_path: Path) -> None:
    frames = [Image.fromarray(photograph(seed, 24, 32)) for seed in (0, 1)]
    frames[0].save(tmp_path / "in.tif", save_all=True, append_images=frames[1:])
    outcome = enhance_file(choose(method="gamma"), tmp_path / "in.tif", tmp_path / "out.tif")
    assert (outcome.reason, outcome.notes) == ("not_dark", ())
    assert (tmp_path / "in.tif").read_bytes() == (tmp_path / "out.tif").read_bytes()


@pytest.mark.parametrize(("name", "other"), [("a.jpeg", "b.jpg"), ("a.tif", "b.TIFF"), ("a.jpg", "b.JPG")])
def test_an_unchanged_photograph_is_copied_to_another_suffix_of_its_format(
    name: str, other: str, tmp_path: Path
) -> None:
    Image.fromarray(photograph(1, 24, 32)).save(tmp_path / name)
    outcome = enhance_file(choose(method="gamma"), tmp_path / name, tmp_path / other)
    assert (outcome.reason, outcome.notes) == ("not_dark", ())
    assert (tmp_path / name).read_bytes() == (tmp_path / other).read_bytes()


def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path: Path) -> None:
    Image.fromarray(DARK).save(tmp_path / "in.png", exif=exif(9))
    assert np.array_equal(read_photo(tmp_path / "in.png").pixels, DARK)
    assert read_size(tmp_path / "in.png") == (32, 24)
