"""What a file says of its samples is asked, not guessed: every encoding is read to its right values."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from lowlight.decoding.reading import TooLargeError, in_memory, read_photo, read_size
from lowlight.inference.photos.writing import write_photo

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 20, 30
RGB = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (HEIGHT, WIDTH, 3), np.uint16)
GREY, DEEP_GREY = RGB[..., 0], DEEP[..., 0]
ALPHA = {
    np.uint8: RNG.integers(1, 256, (HEIGHT, WIDTH, 1), np.uint8),
    np.uint16: RNG.integers(1, 65536, (HEIGHT, WIDTH, 1), np.uint16),
}


def check(path: Path, pixels: np.ndarray, alpha: np.ndarray | None = None, within: int = 0) -> None:
    photo = read_photo(path)
    expected = np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels
    assert (photo.pixels.shape, photo.pixels.dtype) == (expected.shape, expected.dtype)
    assert np.abs(photo.pixels.astype(int) - expected).max() <= within
    assert read_size(path) == photo.pixels.shape[1::-1]
    assert (photo.alpha is None) == (alpha is None)
    if alpha is not None and photo.alpha is not None:
        assert np.abs(photo.alpha.astype(int) - alpha).max() <= within


def tiff(folder: Path, values: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(folder / "a.tif", values, metadata=None, **options)
    return folder / "a.tif"


def stretched(values: np.ndarray, bits: int) -> np.ndarray:
    white = 2**bits - 1
    return ((values.astype(int) * 65535 + white // 2) // white).astype(np.uint16)


@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero(order: str, tmp_path: Path) -> None:
    check(tiff(tmp_path, DEEP_GREY, photometric="miniswhite", byteorder=order), 65535 - DEEP_GREY)
    check(tiff(tmp_path, GREY, photometric="miniswhite", byteorder=order), 255 - GREY)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_per_sample_are_scaled_to_16(bits: int, tmp_path: Path) -> None:
    grey, colour = DEEP_GREY >> (16 - bits), DEEP >> (16 - bits)
    check(tiff(tmp_path, grey, bitspersample=bits, photometric="minisblack"), stretched(grey, bits))
    check(tiff(tmp_path, colour, bitspersample=bits, photometric="rgb"), stretched(colour, bits))


def test_four_bits_are_scaled_to_8(tmp_path: Path) -> None:
    check(tiff(tmp_path, GREY >> 4, bitspersample=4, photometric="minisblack"), (GREY >> 4) * 17)
    check(tiff(tmp_path, RGB >> 4, bitspersample=4, photometric="rgb"), (RGB >> 4) * 17)


@pytest.mark.parametrize("colours", [RGB, DEEP], ids=["8", "16"])
def test_planes_are_joined(colours: np.ndarray, tmp_path: Path) -> None:
    planes = np.ascontiguousarray(np.moveaxis(colours, -1, 0))
    check(tiff(tmp_path, planes, photometric="rgb", planarconfig="separate", byteorder=">"), colours)


@pytest.mark.parametrize("colours", [RGB, DEEP], ids=["8", "16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_extra_samples_are_opacity_only_where_the_file_says_so(
    colours: np.ndarray, channels: int, tmp_path: Path
) -> None:
    alpha = ALPHA[colours.dtype.type]
    shown = colours[..., :channels]
    options = {"photometric": "rgb" if channels == 3 else "minisblack", "planarconfig": "contig"}
    four = np.concatenate((shown, alpha), -1)
    expected = shown[..., 0] if channels == 1 else shown
    check(tiff(tmp_path, four, extrasamples=["unspecified"], **options), expected)
    check(tiff(tmp_path, four, extrasamples=["unassalpha"], **options), expected, alpha[..., 0])
    five = np.concatenate((shown, 255 - alpha, alpha), -1)
    kinds = ["unspecified", "unassalpha"]
    check(tiff(tmp_path, five, extrasamples=kinds, **options), expected, alpha[..., 0])


@pytest.mark.parametrize("colours", [RGB, DEEP], ids=["8", "16"])
def test_associated_opacity_is_divided_out_and_written_as_what_it_then_is(
    colours: np.ndarray, tmp_path: Path
) -> None:
    alpha = ALPHA[colours.dtype.type]
    white = int(np.iinfo(colours.dtype).max)
    stored = ((colours.astype(np.uint64) * alpha + white // 2) // white).astype(colours.dtype)
    expected = np.minimum((stored.astype(np.uint64) * white + alpha // 2) // alpha, white)
    path = tiff(tmp_path, np.concatenate((stored, alpha), -1), photometric="rgb", extrasamples=["assocalpha"])
    within = 1 if white == 255 else 0
    check(path, expected.astype(colours.dtype), alpha[..., 0], within)
    write_photo(read_photo(path), tmp_path / "out.tif")
    check(tmp_path / "out.tif", expected.astype(colours.dtype), alpha[..., 0], within)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages.first.tags[338].value == (2,)


@pytest.mark.parametrize("kind", ["i1", "i2", "u4", "i4", "f2", "f4", "f8", "c8"])
def test_samples_that_do_not_define_white_are_refused(kind: str, tmp_path: Path) -> None:
    path = tiff(tmp_path, (GREY // 2).astype(kind), photometric="minisblack")
    for read in (read_photo, read_size):
        with pytest.raises(ValueError, match=r"a\.tif: .*do not define which value is white"):
            read(path)


def test_many_channels_are_refused_before_they_take_more_memory_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.zeros((HEIGHT, WIDTH, 64), np.uint16)
    path = tiff(tmp_path, values, photometric="minisblack", planarconfig="contig", compression="zlib")
    whole = 16 * HEIGHT * WIDTH  # as much as RGBA of 16 bits
    assert read_photo(path, whole).pixels.shape == (HEIGHT, WIDTH, 3)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda *_, **__: pytest.fail("decoded"))
    for read in (read_photo, read_size):
        told = r"a\.tif: 64 channels of 16 bits take more than 0\.009599 megapixels of RGBA"
        with pytest.raises(TooLargeError, match=told):
            read(path, whole - 1)


@pytest.mark.parametrize("channels", [(1, 64), (64, 1)])
def test_tags_that_contradict_each_other_are_refused_before_decoding(
    channels: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = [(256, 10), (257, 10), (258, 16), (259, 1), (262, 1), (273, 146)]
    tags += [*((277, count) for count in channels), (278, 10), (279, 12800), (284, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    (tmp_path / "a.tif").write_bytes(head + entries + bytes(4 + 12800))
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(ValueError, match=r"a\.tif: broken \(the TIFF tags contradict each other\)"):
        read_photo(tmp_path / "a.tif")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, kind: int, bits: int, rows: np.ndarray, *chunks: bytes) -> Path:
    """Write a PNG file from its packed rows."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + chunk(b"IEND", b""))
    return path


def test_a_colour_key_is_transparency_at_every_depth(tmp_path: Path) -> None:
    path, big = tmp_path / "a.png", DEEP.astype(">u2")
    for colours, bits in ((RGB, 8), (DEEP, 16)):
        key = colours[3, 4]
        rows = (big if bits == 16 else colours).reshape(HEIGHT, -1)
        alpha = np.where((colours == key).all(-1), 0, 2**bits - 1)
        check(png(path, 2, bits, rows, chunk(b"tRNS", key.astype(">u2").tobytes())), colours, alpha)
    key = DEEP_GREY[2, 2]
    alpha = np.where(key == DEEP_GREY, 0, 65535)
    check(png(path, 0, 16, big[..., 0], chunk(b"tRNS", struct.pack(">H", key))), DEEP_GREY, alpha)
    nibbles = GREY >> 4
    key, alpha = nibbles[0, 0], np.where(nibbles == nibbles[0, 0], 0, 255)
    rows = nibbles[:, ::2] << 4 | nibbles[:, 1::2]
    check(png(path, 0, 4, rows, chunk(b"tRNS", struct.pack(">H", key))), nibbles * 17, alpha)


def packed(values: np.ndarray, bits: int) -> np.ndarray:
    """Pack values of a few bits into bytes, row by row."""
    return np.packbits(np.unpackbits(values[..., None], axis=-1)[..., -bits:].reshape(HEIGHT, -1), axis=1)


@pytest.mark.parametrize("bits", [2, 4])
def test_a_colour_key_of_few_bits_is_transparency_in_a_pillow_image_too(bits: int, tmp_path: Path) -> None:
    values = GREY >> (8 - bits)
    key = chunk(b"tRNS", struct.pack(">H", values[0, 0]))
    path = png(tmp_path / "a.png", 0, bits, packed(values, bits), key)
    with Image.open(path) as image:
        for _ in range(2):  # the second time its pixels are loaded
            alpha = in_memory(image).alpha
            assert alpha is not None
            assert np.array_equal(alpha == 0, values == values[0, 0])


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_transparent_place_in_a_palette_is_no_value_to_be_scaled(bits: int, tmp_path: Path) -> None:
    values = GREY >> (8 - bits)
    palette = chunk(b"PLTE", bytes(range(3 * 2**bits)) if bits < 8 else bytes(768))
    path = png(tmp_path / "a.png", 3, bits, packed(values, bits), palette, chunk(b"tRNS", b"\xff\xff\0\xff"))
    alpha = read_photo(path).alpha
    assert alpha is not None
    assert np.array_equal(alpha == 0, values == 2)


def linear(values: np.ndarray) -> np.ndarray:
    """Convert linear light in [0, 1] to 8-bit sRGB."""
    return (np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055) * 255).round()


@pytest.mark.parametrize(
    ("chunks", "decode"),
    [
        ((chunk(b"gAMA", struct.pack(">I", 100000)),), lambda value: value),
        ((chunk(b"gAMA", struct.pack(">I", 55556)),), lambda value: value**1.8),
        ((chunk(b"cICP", bytes((1, 8, 0, 1))),), lambda value: value),
        ((chunk(b"gAMA", struct.pack(">I", 45455)),), None),
        ((chunk(b"gAMA", struct.pack(">I", 100000)), chunk(b"sRGB", b"\0")), None),
        ((chunk(b"cICP", bytes((1, 13, 0, 1))),), None),
    ],
    ids=["linear", "1.8", "cICP linear", "2.2", "sRGB", "cICP sRGB"],
)
def test_a_declared_transfer_function_is_applied(
    chunks: tuple[bytes, ...], decode: Callable[[np.ndarray], np.ndarray] | None, tmp_path: Path
) -> None:
    path = png(tmp_path / "a.png", 2, 8, RGB.reshape(HEIGHT, -1), *chunks)
    check(path, RGB if decode is None else linear(decode(RGB / 255)).astype(np.uint8), within=1)
    assert bool(read_photo(path).notes) == (decode is not None)


def test_declared_primaries_are_converted_and_white_stays_white(tmp_path: Path) -> None:
    display_p3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    pixels[1:] = (200, 100, 50)
    for extra in (chunk(b"cHRM", struct.pack(">8I", *display_p3)), chunk(b"cICP", bytes((12, 13, 0, 1)))):
        path = png(tmp_path / "a.png", 2, 8, pixels.reshape(HEIGHT, -1), extra)
        converted = read_photo(path).pixels
        assert (converted[0] == 255).all()
        assert np.abs(converted[1, 0].astype(int) - (215, 93, 31)).max() <= 1
        assert "become sRGB" in read_photo(path).notes[0]


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.5807), (18, 0.75)])
def test_hdr_is_converted_from_its_diffuse_white(transfer: int, white: float, tmp_path: Path) -> None:
    pixels = np.full((HEIGHT, WIDTH, 3), round(white * 65535), np.uint16)
    pixels[0] = 65535
    rows = pixels.astype(">u2").reshape(HEIGHT, -1)
    path = png(tmp_path / "a.png", 2, 16, rows, chunk(b"cICP", bytes((1, transfer, 0, 1))))
    photo = read_photo(path)
    assert (photo.pixels[0] == 65535).all()
    assert np.abs(photo.pixels[1:] / 65535 - 1).max() < 0.002
    assert "without the highlights above white" in photo.notes[0]


def test_pixmaps_keep_16_bits(tmp_path: Path) -> None:
    path, few = tmp_path / "a.ppm", DEEP >> 6
    path.write_bytes(b"P6\n# a comment\n30 20\n65535\n" + DEEP.astype(">u2").tobytes())
    check(path, DEEP)
    path.write_bytes(b"P6 30 20 1023\n" + few.astype(">u2").tobytes())
    check(path, stretched(few, 10))
    path.write_bytes(b"P5 30 20 1023\n" + few[..., 0].astype(">u2").tobytes())
    check(path, stretched(few[..., 0], 10))


def test_avif_of_10_bits_keeps_them(tmp_path: Path) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    smooth = np.linspace(0, 1023, HEIGHT * WIDTH * 3).astype(np.uint16).reshape(HEIGHT, WIDTH, 3)
    data = imagecodecs.avif_encode(smooth, level=100, bitspersample=10, pixelformat="444")
    (tmp_path / "a.avif").write_bytes(data)
    photo = read_photo(tmp_path / "a.avif")
    assert (photo.pixels.dtype, photo.notes) == (np.uint16, ())
    assert np.abs(photo.pixels / 65535 - smooth / 1023).mean() < 0.01


def digital_negative(path: Path, xmp: bytes = b"") -> Path:
    """Write a DNG file: a thumbnail of 16x16 and, below it, a mosaic of 64x48 with 16 bits."""
    thumbnail = np.full((16, 16, 3), 200, np.uint8).tobytes()
    mosaic = np.full((48, 64), 1500, "<u2").tobytes()

    def directory(at: int, tags: list[tuple[int, int, int, bytes]]) -> bytes:
        entries, rest = b"", b""
        for tag, kind, count, data in sorted(tags):
            place = at + 2 + 12 * len(tags) + 4 + len(rest)
            entries += struct.pack("<HHI", tag, kind, count)
            entries += data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", place)
            rest += data if len(data) > 4 else b""
        return struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + rest

    def short(*values: int) -> bytes:
        return struct.pack(f"<{len(values)}H", *values)

    def long(value: int) -> bytes:
        return struct.pack("<I", value)

    def image(size: tuple[int, int], bits: tuple[int, ...], kind: int, at: int, length: int) -> list[Any]:
        width, height = size
        return [
            *((256, 3, 1, short(width)), (257, 3, 1, short(height)), (258, 3, len(bits), short(*bits))),
            *((259, 3, 1, short(1)), (262, 3, 1, short(kind)), (273, 4, 1, long(at))),
            *((277, 3, 1, short(len(bits))), (278, 3, 1, short(height)), (279, 4, 1, long(length))),
        ]

    raw = [*image((64, 48), (16,), 32803, 2048, len(mosaic)), (254, 4, 1, long(0))]
    raw += [(33421, 3, 2, short(2, 2)), (33422, 1, 4, bytes((0, 1, 1, 2)))]
    first = [*image((16, 16), (8, 8, 8), 2, 1024, len(thumbnail)), (254, 4, 1, long(1))]
    first += [(271, 2, 5, b"ACME\0"), (330, 4, 1, long(512)), (50706, 1, 4, bytes((1, 4, 0, 0)))]
    first += [(274, 3, 1, short(1)), (50708, 2, 8, b"ACME X1\0")]
    end = 2048 + len(mosaic)
    first += [(700, 1, len(xmp), long(end))] if xmp else []
    parts = {0: struct.pack("<2sHI", b"II", 42, 8), 8: directory(8, first), 512: directory(512, raw)}
    parts |= {1024: thumbnail, 2048: mosaic}
    content = bytearray(end)
    for at, part in parts.items():
        content[at : at + len(part)] = part
    path.write_bytes(content + xmp)
    return path


def test_the_xmp_of_a_raw_photograph_is_kept_or_its_loss_is_told(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    photo = read_photo(digital_negative(tmp_path / "a.dng", b'<x tiff:Orientation="6" Rating="5"/>'))
    assert photo.xmp == b'<x tiff:Orientation="1" Rating="5"/>'
    assert photo.pixels.shape == (48, 64, 3)
    photo = read_photo(digital_negative(tmp_path / "b.dng", b"<x>" * 30_000))
    assert (photo.xmp, photo.notes[-1]) == (None, "XMP of more than 60 kB is left out")


@pytest.mark.parametrize("name", ["a.dng", "a.tif"])
def test_a_raw_photograph_is_developed_and_its_thumbnail_never_taken(name: str, tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    path = digital_negative(tmp_path / name)
    photo = read_photo(path)
    assert (photo.pixels.shape, photo.pixels.dtype) == ((48, 64, 3), np.uint16)
    assert read_size(path) == (64, 48)
    assert photo.exif is not None
    assert b"ACME" in photo.exif
    light = ((photo.pixels.mean() / 65535 + 0.055) / 1.055) ** 2.4
    assert abs(light * 65535 - 1500) < 150  # coded as sRGB, not brightened
    with pytest.raises(ValueError, match=r"more than 0\.001 megapixels"):
        read_photo(path, max_pixels=1000)


@pytest.mark.parametrize("name", ["a.dng", "a.tif", "a.nef"])
def test_a_raw_photograph_is_refused_by_name_without_rawpy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    path = digital_negative(tmp_path / name)
    for read in (read_photo, read_size):
        with pytest.raises(ValueError, match=rf"{name}: a camera raw file.*lowlight\[raw\]"):
            read(path)


def test_cmyk_and_lab_become_srgb(tmp_path: Path) -> None:
    from PIL import ImageCms

    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    smooth = np.asarray(Image.fromarray(RGB[:4, :4]).resize((WIDTH, HEIGHT)))
    converted = ImageCms.profileToProfile(Image.fromarray(smooth), srgb, lab, outputMode="LAB")
    assert converted is not None
    converted.save(tmp_path / "a.tif")
    check(tmp_path / "a.tif", smooth, within=20)
