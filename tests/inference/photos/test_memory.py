"""Reading, enhancing and writing take little memory beyond the photograph and its enhancement."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lowlight.decoding.bands import BAND, bands
from lowlight.decoding.photo import Photo, triple
from lowlight.decoding.reading import read_photo
from lowlight.inference.load import choose
from lowlight.inference.photos.enhance import enhance_photo, enhance_pixels
from lowlight.inference.photos.writing import write_photo
from lowlight.inference.settings import Settings
from lowlight.memory import STATM

HEIGHT, WIDTH = 2000, 1500
IN_TILES = Settings(fail_safe=False, tile=256)


@contextmanager
def bounded(bytes_per_pixel: float) -> Iterator[None]:
    """Fail if NumPy and Python take more for HEIGHT x WIDTH pixels; what C libraries take is not seen."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / (HEIGHT * WIDTH)
    finally:
        tracemalloc.stop()
    assert peak < bytes_per_pixel


def ramp(channels: int, kind: type = np.uint16, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return an array of shape (H, W, C), in which each row and each column differs from the next."""
    rows, columns, levels = (np.arange(length, dtype=kind) for length in (height, width, channels))
    values: np.ndarray = rows[:, None, None] * kind(3) + columns[:, None] * kind(7) + levels * kind(29)
    return values


COLOUR, GREY = ramp(3), triple(ramp(1)[..., 0])
OPACITY = np.ascontiguousarray(ramp(4)[..., 3])


@pytest.mark.parametrize(
    ("photo", "suffix", "most"),
    [
        (Photo(COLOUR), ".png", 4),
        (Photo(COLOUR, OPACITY), ".png", 4),
        (Photo(GREY, OPACITY, is_grey=True), ".png", 4),
        (Photo(COLOUR), ".jpg", 6),
        (Photo(COLOUR), ".tif", 2),
        (Photo(GREY, OPACITY, is_grey=True), ".tif", 10),
    ],
)
def test_16_bits_are_written_in_little_memory(photo: Photo, suffix: str, most: float, tmp_path: Path) -> None:
    write_photo(Photo(COLOUR[:2, :2]), tmp_path / f"first{suffix}")  # imports
    with bounded(most):
        write_photo(photo, tmp_path / f"photo{suffix}")


def test_grey_is_enhanced_in_little_memory() -> None:
    enhancer, dark = choose(method="gamma"), GREY // 5
    enhance_photo(enhancer, Photo(dark[:9, :9]), IN_TILES)
    with bounded(6 + 5):  # the result; a row of tiles as floats and its copy
        enhance_photo(enhancer, Photo(dark, is_grey=True), IN_TILES)


def test_a_brightness_is_set_in_little_memory() -> None:
    enhancer, dark = choose(method="gamma"), (COLOUR >> 11).astype(np.uint8)
    chosen = replace(IN_TILES, brightness=0.4)
    enhance_pixels(enhancer, dark[:9, :9], chosen)
    with bounded(6 + 3 + 6):  # 16 bits per colour, the result, and a band as floats
        enhance_pixels(enhancer, dark, chosen)


def save_noise(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, COLOUR.shape, np.uint16)
    tifffile.imwrite(path, noise, photometric="rgb", compression="packbits")


def save_deep_pixmap(path: Path) -> None:
    path.write_bytes(f"P6 {WIDTH} {HEIGHT} 4095\n".encode() + (COLOUR >> 4).astype(">u2").tobytes())


@pytest.mark.parametrize(
    ("name", "save", "most"),
    [
        ("rgb.jpg", lambda path: Image.fromarray((COLOUR >> 8).astype(np.uint8)).save(path), 3 + 2),
        ("grey.png", lambda path: Image.fromarray(GREY[..., 0]).save(path, compress_level=1), 2 + 6 + 2),
        ("rgb.ppm", save_deep_pixmap, 6 + 6 + 4),
        ("rgb.tif", save_noise, 6 + 6),
    ],
)
def test_photographs_are_read_in_little_memory(
    name: str, save: Callable[[Path], None], most: float, tmp_path: Path
) -> None:
    save(tmp_path / name)
    with bounded(most):
        read_photo(tmp_path / name)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_is_the_mean_of_the_channels(kind: type) -> None:
    shape = (700, 500, 3)
    assert shape[0] * shape[1] > BAND
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max + 1, shape, kind)
    enhancer = choose(method="gamma")
    colours, _ = enhance_pixels(enhancer, pixels, IN_TILES)
    grey, _ = enhance_photo(enhancer, Photo(pixels, is_grey=True), IN_TILES)
    assert grey.pixels.dtype == kind
    assert (grey.pixels == grey.pixels[..., :1]).all()
    assert np.abs(grey.pixels[..., 0] - colours.mean(axis=-1)).max() < 1


@pytest.mark.parametrize(("height", "width"), [(611, 433), (3, BAND + 5), (1, 1)])
@pytest.mark.parametrize("is_grey", [False, True], ids=["colour", "grey"])
@pytest.mark.parametrize("transparent", [False, True], ids=["opaque", "transparent"])
def test_16_bit_png_of_several_bands_is_read_back(
    height: int, width: int, is_grey: bool, transparent: bool, tmp_path: Path
) -> None:
    pixels = (
        triple(ramp(1, height=height, width=width)[..., 0]) if is_grey else ramp(3, np.uint16, height, width)
    )
    alpha = ramp(4, np.uint16, height, width)[..., 3] if transparent else None
    write_photo(Photo(pixels, alpha, is_grey), tmp_path / "deep.png")
    with Image.open(tmp_path / "deep.png") as image:
        assert image.size == (width, height)
        image.load()  # checks each chunk's sum
    again = read_photo(tmp_path / "deep.png")
    assert again.is_grey == is_grey
    assert np.array_equal(again.pixels, pixels)
    assert (again.alpha is None) if alpha is None else np.array_equal(again.alpha, alpha)


@pytest.mark.parametrize(("height", "width"), [(1000, 700), (2, 3 * BAND), (1, 1)])
def test_bands_cover_every_row_once(height: int, width: int) -> None:
    found = list(bands(np.broadcast_to(np.uint8(0), (height, width, 3))))
    assert [row for rows in found for row in range(rows.start, rows.stop)] == list(range(height))
    assert all(rows.stop - rows.start in (1, *range(BAND // width + 1)) for rows in found)


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="other systems do not tell a process its size")
def test_the_process_stays_within_the_memory_while_the_fail_safe_keeps_samples() -> None:
    """A new process, whose VmHWM is read (getrusage would inherit our peak)."""
    code = """
import re
from pathlib import Path
import numpy as np
from lowlight.inference.load import choose
from lowlight.inference.photos.enhance import enhance_pixels
from lowlight.inference.settings import Settings
pixels = np.tile(np.arange(200 * 500 * 3, dtype=np.uint16).reshape(200, 500, 3) // 5, (20, 8, 1))
_, reason = enhance_pixels(choose(method="gamma"), pixels, Settings(max_memory=900_000_000))
assert reason is None, reason
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 900_000_000
