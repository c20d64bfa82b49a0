"""Only the promised formats are opened, and whatever a decoder raises is one error that names the file."""

import ast
import os
import random
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import EpsImagePlugin, Image

import lowlight
from lowlight.decoding.reading import read_photo, read_size
from lowlight.images import read_rgb
from tests.conftest import photograph
from tests.decoding.test_encodings import digital_negative

PACKAGE = Path(lowlight.__file__).parent


def test_no_other_place_opens_images() -> None:
    """``Image.open`` picks a reader by content, from all that there are."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        nodes = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute))
        calls = {ast.unparse(node) for node in nodes if node.attr in ("open", "imread")}
        found |= {
            (path.name, call) for call in calls if call.startswith(("Image.", "PIL.")) or "imread" in call
        }
    assert found == {("raw.py", "rawpy.imread")}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".eps"])
def test_postscript_is_never_run(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *options, **_: started.append(options))
    path = tmp_path / f"a{suffix}"
    Image.fromarray(photograph(0)).save(path, format="EPS")
    for read in (read_photo, read_size, read_rgb):
        with pytest.raises(ValueError, match=f"a{suffix}: not an image, or of an unknown format"):
            read(path)
    assert started == []


@pytest.mark.parametrize("name", ["PDF", "TGA", "ICO", "PCX", "SGI", "JPEG2000", "DDS", "IM", "MSP"])
def test_formats_that_are_not_promised_are_refused(name: str, tmp_path: Path) -> None:
    picture = Image.fromarray(photograph(0))
    (picture.convert("1") if name == "MSP" else picture).save(tmp_path / "a.png", format=name)
    with pytest.raises(ValueError, match=r"a\.png: not an image, or of an unknown format"):
        read_photo(tmp_path / "a.png")


def test_only_the_first_picture_of_several_jpegs_is_read(tmp_path: Path) -> None:
    pictures = [Image.fromarray(photograph(seed)) for seed in (0, 1)]
    pictures[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=pictures[1:], quality=95)
    content = (tmp_path / "a.jpg").read_bytes()
    whole = read_photo(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(content[: content.index(b"\xff\xd9\xff\xd8") + 2])
    assert np.array_equal(read_photo(tmp_path / "a.jpg").pixels, whole.pixels)
    assert whole.notes == ("only the first of 2 frames",)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: a pipe or a device"):
        read_photo(tmp_path / "a.png")


@pytest.mark.parametrize(
    "error", [TypeError("odd"), KeyError(3), RecursionError(), MemoryError(), OverflowError()]
)
def test_whatever_a_decoder_raises_names_the_file(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(photograph(0)).save(tmp_path / "a.png")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("lowlight.decoding.reading.from_pillow", fail)
    with pytest.raises(ValueError, match=r"a\.png: \w"):
        read_photo(tmp_path / "a.png")


def sound_files(folder: Path) -> dict[str, bytes]:
    """Return a small file per reader."""
    pixels = photograph(0, 24, 32)
    picture, deep = Image.fromarray(pixels), pixels.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112], exif[271] = 6, "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:02:03 04:05:06"

    def saved(image: Image.Image = picture, **options: object) -> bytes:
        file = BytesIO()
        image.save(file, **options)
        return file.getvalue()

    def tiff(values: np.ndarray = deep, **options: object) -> bytes:
        file = BytesIO()
        tifffile.imwrite(file, values, metadata=None, **({"photometric": "rgb"} | options))
        return file.getvalue()

    found = {name: saved(format=name, exif=exif) for name in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")}
    found |= {name: saved(format=name) for name in ("BMP", "GIF", "PPM")}
    found["palette"] = saved(picture.convert("P"), format="PNG", transparency=3)
    found["inks"] = saved(picture.convert("CMYK"), format="JPEG")
    for method in ("tiff_lzw", "jpeg", "packbits"):
        found[method] = saved(format="TIFF", compression=method)
    found["16 bits"], found["zlib"] = tiff(), tiff(compression="zlib", predictor=True)
    found["BigTIFF"], found["tiles"] = tiff(bigtiff=True, byteorder=">"), tiff(tile=(16, 16))
    found["12 bits"] = tiff(deep[..., 0] >> 4, photometric="minisblack", bitspersample=12)
    found["planes"] = tiff(np.moveaxis(deep, -1, 0).copy(), planarconfig="separate")
    found["deep PPM"] = b"P6 32 24 65535\n" + deep.astype(">u2").tobytes()
    found["raw"] = digital_negative(folder / "a.dng").read_bytes()
    try:
        import imagecodecs
        import pillow_heif
    except ImportError:
        return found
    found["deep PNG"] = imagecodecs.png_encode(deep)
    pillow_heif.from_bytes("RGB;16", (32, 24), deep.tobytes()).save(folder / "a.heic")
    found["HEIC"] = (folder / "a.heic").read_bytes()
    return found


NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\1\0\0\0")


def damaged(content: bytes, choose: random.Random) -> bytes:
    """Return a file with bytes flipped, cut, inserted or set, or two fields swapped."""
    data, size = bytearray(content), len(content)
    kind = choose.choice(("flip", "header", "cut", "swap", "number", "insert"))
    if kind in ("flip", "header"):
        for _ in range(choose.choice((1, 3, 12))):
            data[choose.randrange(min(size, 200) if kind == "header" else size)] = choose.randrange(256)
    elif kind == "cut":
        del data[choose.randrange(size) :]
    elif kind == "swap":
        width = choose.choice((2, 4, 8, 12))
        one, other = choose.randrange(size - width), choose.randrange(size - width)
        data[one : one + width], data[other : other + width] = (
            data[other : other + width],
            data[one : one + width],
        )
    elif kind == "number":
        place = choose.randrange(size - 4)
        data[place : place + 4] = choose.choice(NUMBERS)
    else:
        place = choose.randrange(size)
        data[place:place] = choose.randbytes(choose.choice((1, 4, 16)))
    return bytes(data)


@pytest.mark.parametrize(
    ("seed", "number"), [(0, 12), pytest.param(1, 120, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_damaged_file_of_any_format_is_read_or_refused_by_name(
    seed: int, number: int, tmp_path: Path
) -> None:
    choose, path = random.Random(seed), tmp_path / "damaged"
    for content in sound_files(tmp_path).values():
        path.write_bytes(content)
        read_photo(path)
        for _ in range(number):
            path.write_bytes(damaged(content, choose))
            for read in (lambda one: read_photo(one, max_pixels=10**6), read_size):
                try:
                    read(path)
                except ValueError as error:
                    assert str(error).startswith(f"{path}: ")  # noqa: PT017
