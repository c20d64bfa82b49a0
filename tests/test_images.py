"""What an image is, and how it is read and written."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lowlight.images import (
    check_image,
    from_uint8,
    pad_to_stride,
    read_image,
    round_to_8_bits,
    to_uint8,
    write_image,
)


@given(st.floats(-2, 3, width=32))
def test_to_uint8_clamps_and_rounds(value: float) -> None:
    level = int(to_uint8(torch.tensor(value)))
    assert abs(level - 255 * min(max(value, 0.0), 1.0)) <= 0.5 + 1e-4


def test_all_8_bit_levels_survive_the_float_image() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    image = from_uint8(levels)
    assert image.shape == (3, 16, 16)
    assert (to_uint8(image).movedim(0, -1).numpy() == levels).all()
    assert torch.equal(round_to_8_bits(image), image)


def test_the_image_of_kept_pixels_is_ones_own() -> None:
    pixels = np.zeros((1, 1, 3), dtype=np.uint8)
    pixels.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as torch's, of memory that may not be written
        from_uint8(pixels)


def test_write_then_read_is_the_rounded_image(tmp_path: Path) -> None:
    image = torch.rand(3, 5, 7) * 1.4 - 0.2
    write_image(image, tmp_path / "new" / "a.png")
    assert torch.equal(read_image(tmp_path / "new" / "a.png"), round_to_8_bits(image))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_any_mode_is_read_as_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.new("RGB", (4, 3), (255, 255, 255)).convert(mode).save(path)
    assert torch.equal(read_image(path), torch.ones(3, 3, 4))


def test_16_bit_grey_keeps_its_level(tmp_path: Path) -> None:
    Image.fromarray(np.full((3, 4), 30000, dtype=np.uint16)).save(tmp_path / "a.png")
    assert torch.allclose(
        read_image(tmp_path / "a.png"), torch.full((3, 3, 4), 30000 / 65535), atol=0.5 / 255
    )


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3), (255, 0, 0)).save(tmp_path / "a.bmp", format="BMP")
    (tmp_path / "a.bmp").rename(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0].eq(1).all()


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_an_unreadable_file_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.png"):
        read_image(path)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"cut\.png"):
        read_image(path)


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (8, 8), (9, 5), (5, 40)])
def test_arrays_are_padded_as_tensors_are(shape: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *shape)
    padded = pad_to_stride(image.numpy(), 8)
    assert torch.equal(torch.from_numpy(padded), pad_to_stride(image, 8))
    assert padded.shape[2] % 8 == padded.shape[3] % 8 == 0


@pytest.mark.parametrize("bad", [torch.rand(3, 4, 4), torch.rand(1, 1, 4, 4), torch.zeros(1, 3, 4, 4).byte()])
def test_the_contract_is_checked(bad: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="low must be RGB float"):
        check_image(bad, "low")
    with pytest.raises(ValueError, match="low must be RGB float"):
        check_image(bad.numpy(), "low")


def test_a_suffix_without_a_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.xyz: no image format has the suffix '\.xyz'"):
        write_image(torch.zeros(3, 2, 2), tmp_path / "a.xyz")
    assert not list(tmp_path.iterdir())
