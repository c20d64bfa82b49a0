"""One set of luma weights and one sRGB curve, to the bit what each use has always computed."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lowlight.colour import blend, linear_to_srgb, luma, luminance, srgb_to_linear
from lowlight.data import thumbnail
from lowlight.data.synthetic import darken, expose
from lowlight.metrics.delta_e import lab

LEVELS = torch.arange(256) / 255
EDGES = torch.tensor([-1.0, -1e-3, 0.0, 1e-12, 0.0031308, 0.04045, 1.0, 1.5, torch.nan, torch.inf])


def values(dtype: torch.dtype) -> Tensor:
    """Return every 8-bit level, the edges of both curves, and random values, their number a multiple of 3."""
    generator = torch.Generator().manual_seed(0)
    random = torch.rand(3 * 100_000 - len(LEVELS) - len(EDGES), generator=generator, dtype=dtype)
    return torch.cat([LEVELS.to(dtype), EDGES.to(dtype), random])


def pixels(height: int = 97, width: int = 131) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def equal(one: Tensor, other: Tensor) -> bool:
    """Compare bit by bit; an undefined value equals another."""
    return torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


def old_blend(low: Tensor, enhanced: Tensor, strength: float) -> Tensor:
    def linear(image: Tensor) -> Tensor:
        return (image / 12.92).where(image <= 0.04045, ((image + 0.055) / 1.055) ** 2.4)

    light = (1 - strength) * linear(low) + strength * linear(enhanced)
    return (12.92 * light).where(light <= 0.0031308, 1.055 * light.clamp(min=1e-9) ** (1 / 2.4) - 0.055)


def old_darken(high: np.ndarray, seed: int) -> np.ndarray:
    value = high / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = expose(light, 0.05, 20000, 4, np.random.default_rng(seed)).clip(0, 1)
    value = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(value * 255).astype(np.uint8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_follow_the_curve_as_blending_and_lab_wrote_it(dtype: torch.dtype) -> None:
    image = values(dtype)
    clamped = ((image + 0.055) / 1.055).clamp(min=0) ** 2.4
    assert equal(srgb_to_linear(image), torch.where(image <= 0.04045, image / 12.92, clamped))
    shuffled = image.flip(0)
    assert equal(blend(image, shuffled, 0.3), old_blend(image, shuffled, 0.3))


def test_arrays_are_blended_as_tensors_are() -> None:
    image = values(torch.float32).nan_to_num().clamp(0, 1)
    blended = blend(image.numpy(), image.flip(0).numpy(), 0.3)
    assert blended.dtype == np.float32
    assert np.abs(blended - blend(image, image.flip(0), 0.3).numpy()).max() < 1e-6


def test_lab_is_what_it_was() -> None:
    image = values(torch.float32).reshape(1, 3, 1, -1)
    linear = torch.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055).clamp(min=0) ** 2.4)
    matrix = (
        torch.tensor(
            [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
        )
        / torch.tensor([0.95047, 1.0, 1.08883])[:, None]
    )
    xyz = torch.einsum("ij,bjhw->bihw", matrix, linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(1)
    assert equal(lab(image), torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=1))


def test_arrays_follow_the_curve_in_double_precision_so_that_made_data_stay() -> None:
    value = values(torch.float64).numpy()
    value = value[(value >= 0) & (value <= 1)]
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    assert np.array_equal(srgb_to_linear(value), light)
    back = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    assert np.array_equal(linear_to_srgb(value), back)
    assert srgb_to_linear(value).dtype == linear_to_srgb(value).dtype == np.float64


def test_made_photographs_stay() -> None:
    high = pixels()
    assert np.array_equal(darken(high, 0.05, generator=np.random.default_rng(3)), old_darken(high, 3))


def test_luma_is_the_matrix_product_that_scenes_and_shifts_are_found_by() -> None:
    grey = pixels().astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    assert np.array_equal(luma(pixels().astype(np.float32)), grey)
    small = np.asarray(Image.fromarray(grey).resize((48, 32), Image.Resampling.BOX))
    assert np.array_equal(thumbnail(pixels()), small)


def test_luminance_is_a_sum_in_single_precision() -> None:
    image = values(torch.float32).reshape(1, 3, 1, -1)
    red, green, blue = image.unbind(1)
    assert equal(luminance(image), 0.299 * red + 0.587 * green + 0.114 * blue)
    assert luminance(image.double()).dtype == torch.float32
