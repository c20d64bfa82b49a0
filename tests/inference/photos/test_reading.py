"""Users' files are read and written correctly, or refused in one clear line."""

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import read_photo
from lowlight.files import whole
from lowlight.inference.photos.writing import write_photo
from tests.conftest import photograph

RGB = photograph(3, 21, 34)
GREY = RGB[..., 0]
ALPHA = np.linspace(0, 255, 21 * 34).astype(np.uint8).reshape(21, 34)
DEEP = (np.arange(21 * 34 * 3) * 29 % 65536).astype(np.uint16).reshape(21, 34, 3)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = [".png", ".bmp", ".tif"]


def save(pixels: np.ndarray, path: Path, mode: str | None = None, **options: Any) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def exif(orientation: int = 1) -> Image.Exif:
    data = Image.Exif()
    data[0x0112], data[271] = orientation, "Maker"
    data.get_ifd(0x8769)[0x9003] = "2020:02:03 04:05:06"
    return data


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_colour_is_read_and_written_to_the_last_bit(suffix: str, tmp_path: Path) -> None:
    photo = read_photo(save(RGB, tmp_path / f"in{suffix}"))
    assert write_photo(photo, tmp_path / f"out{suffix}") == ()
    assert np.array_equal(photo.pixels, RGB)
    assert np.array_equal(read_photo(tmp_path / f"out{suffix}").pixels, RGB)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_stay_near(suffix: str, tmp_path: Path) -> None:
    write_photo(Photo(RGB), tmp_path / f"out{suffix}")
    assert np.abs(read_photo(tmp_path / f"out{suffix}").pixels.astype(int) - RGB).mean() < 4


@pytest.mark.parametrize(
    ("make", "mode", "grey", "transparent"),
    [
        (lambda path: save(GREY, path), "L", True, False),
        (lambda path: save(GREY, path, mode="1"), "L", True, False),
        (lambda path: save(np.stack((GREY, ALPHA), -1), path), "LA", True, True),
        (lambda path: save(np.concatenate((RGB, ALPHA[..., None]), -1), path), "RGBA", False, True),
        (lambda path: save(RGB, path, mode="P"), "RGB", False, False),
        (lambda path: save(GREY, path, transparency=7), "LA", True, True),
        (lambda path: save(RGB, path, mode="P", transparency=3), "RGBA", False, True),
    ],
    ids=["grey", "black-white", "grey+alpha", "rgba", "palette", "grey-key", "palette-key"],
)
def test_png_of_every_mode_keeps_its_kind(
    make: Callable[[Path], Path], mode: str, grey: bool, transparent: bool, tmp_path: Path
) -> None:
    photo = read_photo(make(tmp_path / "in.png"))
    assert photo.is_grey == grey
    assert (photo.alpha is not None) == transparent
    assert photo.pixels.shape == RGB.shape
    write_photo(photo, tmp_path / "out.png")
    with Image.open(tmp_path / "in.png") as before, Image.open(tmp_path / "out.png") as after:
        assert after.mode == mode
        assert np.array_equal(np.asarray(before.convert("RGBA")), np.asarray(after.convert("RGBA")))


def test_inks_become_srgb(tmp_path: Path) -> None:
    photo = read_photo(save(RGB, tmp_path / "inks.jpg", mode="CMYK", quality=100))
    assert np.abs(photo.pixels.astype(int) - RGB).mean() < 3
    assert photo.icc is None


def test_inks_of_16_bits_are_not_taken_for_opacity(tmp_path: Path) -> None:
    inks = np.asarray(Image.fromarray(RGB).convert("CMYK")).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "inks.tif", inks, photometric="separated")
    photo = read_photo(tmp_path / "inks.tif")
    assert photo.alpha is None
    assert np.abs(photo.pixels.astype(int) - RGB).mean() < 3
    assert photo.notes == ("more than 8 bits per channel read as 8",)


def test_avif_is_read(tmp_path: Path) -> None:
    photo = read_photo(save(RGB, tmp_path / "in.avif", quality=95, exif=exif(6)))
    assert photo.pixels.shape == (34, 21, 3)
    assert np.abs(photo.pixels.astype(int) - np.rot90(RGB, -1)).mean() < 8


@pytest.mark.parametrize("orientation", [3, 6])
def test_16_bits_are_turned_too(orientation: int, tmp_path: Path) -> None:
    tag = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "deep.tif", DEEP, photometric="rgb", extratags=tag)
    photo = read_photo(tmp_path / "deep.tif")
    upright = np.rot90(DEEP, {3: 2, 6: -1}[orientation])
    assert np.array_equal(photo.pixels, upright)
    write_photo(photo, tmp_path / "out.tif")
    assert np.array_equal(read_photo(tmp_path / "out.tif").pixels, upright)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_orientation_is_applied_once(orientation: int, suffix: str, tmp_path: Path) -> None:
    from PIL import ImageOps

    path = save(RGB, tmp_path / f"in{suffix}", exif=exif(orientation))
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    photo = read_photo(path)
    assert np.array_equal(photo.pixels, upright)
    write_photo(photo, tmp_path / f"out{suffix}")
    assert np.array_equal(read_photo(tmp_path / f"out{suffix}").pixels, upright)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("source", [".jpg", ".tif"])
def test_exif_and_profile_are_kept(source: str, suffix: str, tmp_path: Path) -> None:
    save(RGB, tmp_path / "first.jpg", exif=exif(6), icc_profile=SRGB)
    photo = read_photo(tmp_path / "first.jpg")
    write_photo(photo, tmp_path / f"second{source}")
    write_photo(read_photo(tmp_path / f"second{source}"), tmp_path / f"third{suffix}")
    with Image.open(tmp_path / f"third{suffix}") as image:
        kept = image.getexif()
        assert kept[271] == "Maker"
        assert kept.get_ifd(0x8769)[0x9003] == "2020:02:03 04:05:06"
        assert kept.get(0x0112, 1) == 1
        assert image.info["icc_profile"] == SRGB


def write_deep(path: Path, channels: np.ndarray) -> Path:
    if path.suffix == ".tif":
        tifffile.imwrite(path, channels, photometric="rgb" if channels.ndim == 3 else "minisblack")
    elif channels.ndim == 2:
        save(channels, path)
    else:
        import imagecodecs

        path.write_bytes(imagecodecs.png_encode(channels))
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("grey", [True, False])
def test_16_bits_are_kept(suffix: str, grey: bool, tmp_path: Path) -> None:
    channels = DEEP[..., 0] if grey else DEEP
    photo = read_photo(write_deep(tmp_path / f"in{suffix}", channels))
    assert (photo.pixels.dtype, photo.is_grey, photo.notes) == (np.uint16, grey, ())
    assert np.array_equal(photo.pixels, channels[..., None].repeat(3, -1) if grey else channels)
    photo = Photo(photo.pixels, is_grey=grey, icc=SRGB)
    assert write_photo(photo, tmp_path / f"out{suffix}") == ()
    again = read_photo(tmp_path / f"out{suffix}")
    assert np.array_equal(again.pixels, photo.pixels)
    assert again.icc == SRGB


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_with_opacity_are_kept(grey: bool, suffix: str, tmp_path: Path) -> None:
    pixels = DEEP[..., :1].repeat(3, -1) if grey else DEEP
    photo = Photo(pixels, alpha=DEEP[..., 1], is_grey=grey, icc=SRGB)
    assert write_photo(photo, tmp_path / f"out{suffix}") == ()
    again = read_photo(tmp_path / f"out{suffix}")
    assert (again.is_grey, again.icc) == (grey, SRGB)
    assert np.array_equal(again.pixels, pixels)
    assert again.alpha is not None
    assert np.array_equal(again.alpha, photo.alpha)


def test_16_bit_colour_without_the_extra_is_read_as_8_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_deep(tmp_path / "deep.png", DEEP)
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "imagecodecs":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    photo = read_photo(path)
    assert photo.pixels.dtype == np.uint8
    assert "pip install 'lowlight[photo]'" in photo.notes[0]


def test_heic_of_8_and_10_bits_is_read(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    big = np.ascontiguousarray(np.tile(DEEP, (4, 4, 1))[:64, :64])
    heif.from_bytes("RGB;16", (64, 64), big.tobytes()).save(tmp_path / "ten.heic", quality=-1)
    heif.from_pillow(Image.fromarray(photograph(1, 64, 64))).save(tmp_path / "eight.heic", quality=-1)
    deep, shallow = read_photo(tmp_path / "ten.heic"), read_photo(tmp_path / "eight.heic")
    assert (deep.pixels.dtype, shallow.pixels.dtype) == (np.uint16, np.uint8)
    assert np.abs(shallow.pixels.astype(int) - photograph(1, 64, 64)).mean() < 3


@pytest.mark.parametrize(
    ("photo", "suffix", "lost"),
    [
        (Photo(DEEP), ".jpg", "8 bits"),
        (Photo(RGB, ALPHA), ".jpg", "transparency"),
        (Photo(RGB, exif=exif().tobytes()), ".bmp", "EXIF"),
    ],
)
def test_what_a_format_cannot_hold_is_told(photo: Photo, suffix: str, lost: str, tmp_path: Path) -> None:
    (note,) = write_photo(photo, tmp_path / f"out{suffix}")
    assert lost in note
    assert read_photo(tmp_path / f"out{suffix}").pixels.shape == RGB.shape


def test_the_content_counts_not_the_suffix(tmp_path: Path) -> None:
    path = save(RGB, tmp_path / "really a jpeg, ünïcode.png", format="JPEG", quality=100)
    assert np.abs(read_photo(path).pixels.astype(int) - RGB).mean() < 5


def test_a_film_strip_is_read_for_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(photograph(seed, 20, 20)) for seed in range(3)]
    frames[0].save(tmp_path / "strip.tif", save_all=True, append_images=frames[1:])
    photo = read_photo(tmp_path / "strip.tif")
    assert photo.notes == ("only the first of 3 frames",)
    assert np.array_equal(photo.pixels, photograph(0, 20, 20))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.png", b"", "0 bytes"),
        ("text.jpg", b"dear diary, it was dark", "not an image"),
        ("header.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "broken|not an image"),
        ("photo.heic", b"\0\0\0\x18ftypheic", "not an image|broken"),
    ],
)
def test_what_is_no_image_is_refused_by_name(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}: .*({message})"):
        read_photo(tmp_path / name)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
def test_a_truncated_file_is_refused_by_name(suffix: str, tmp_path: Path) -> None:
    path = save(photograph(5, 200, 300), tmp_path / f"half{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"half{suffix}: "):
        read_photo(path)


def test_floats_and_folders_and_absences_are_refused(tmp_path: Path) -> None:
    save(RGB[..., 0].astype(np.float32), tmp_path / "float.tif")
    for path, message in [
        (tmp_path / "float.tif", "do not define which value is white"),
        (tmp_path, "a folder"),
        (tmp_path / "absent.png", "no such file"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_photo(path)


def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path) -> None:
    path = save(RGB, tmp_path / "large.png")
    with pytest.raises(ValueError, match=r"more than 0\.0005 megapixels; crop it$"):
        read_photo(path, max_pixels=500, remedy="crop it")
    assert Image.MAX_IMAGE_PIXELS is not None


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    write_photo(Photo(RGB), target)

    def fail() -> None:
        with whole(target) as partial:
            partial.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert np.array_equal(read_photo(target).pixels, RGB)
    assert list(tmp_path.iterdir()) == [target]
