"""LIME and MSRCR against direct solutions, and what must hold of them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from lowlight.methods.retinex import _blur, _gradient, _gradient_transposed, _refine, lime, msrcr

SIZES = [(1, 1), (1, 5), (3, 2), (7, 9), (17, 33)]


def textured(height: int = 24, width: int = 32) -> Tensor:
    """Return dark images with a bright side and texture, of shape (1, 3, height, width)."""
    torch.manual_seed(0)
    image = 0.1 + 0.02 * torch.rand(1, 3, height, width)
    image[..., width // 2 :] += 0.5
    return image


@pytest.mark.parametrize("enhance", [lime, msrcr])
@pytest.mark.parametrize("size", SIZES)
def test_any_size_is_enhanced_each_image_for_itself(enhance, size: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    low = torch.rand(2, 3, *size) * 0.3
    enhanced = enhance(low)
    assert enhanced.shape == low.shape
    assert torch.isfinite(enhanced).all()
    assert torch.allclose(enhanced[:1], enhance(low[:1]), atol=1e-4)


@pytest.mark.parametrize("enhance", [lime, msrcr])
def test_black_and_white_are_borne(enhance) -> None:  # type: ignore[no-untyped-def]
    for level in (0.0, 1.0):
        assert torch.isfinite(enhance(torch.full((1, 3, 12, 12), level))).all()


def test_the_gradients_transposed_is_its_adjoint() -> None:
    image, field = torch.rand(1, 1, 6, 7), torch.rand(1, 2, 6, 7)
    left, right = (_gradient(image) * field).sum(), (image * _gradient_transposed(field)).sum()
    assert left.item() == pytest.approx(right.item(), abs=1e-4)


def objective(illumination: Tensor, rough: Tensor, weight: Tensor) -> float:
    return float((illumination - rough).square().sum() + (weight * _gradient(illumination).abs()).sum())


def test_the_illumination_map_is_the_minimum_of_its_objective() -> None:
    """With a constant penalty no step makes it smaller; the growing one ends nearby, and sooner."""
    rough = textured().amax(1, keepdim=True)
    blurred = torch.cat([_blur(part, 2.0) for part in _gradient(rough).split(1, dim=1)], dim=1)
    weight = 0.15 / (blurred.abs() + 1e-3)
    exact = _refine(rough, 0.15, 2.0, 1.0, 1e-7, 2000)
    least = objective(exact, rough, weight)
    for size in (1e-1, 1e-2, 1e-3):
        steps = [size * torch.randn(exact.shape) for _ in range(10)]
        steps += [size * (rough - exact), size * exact, -size * exact]
        for step in steps:
            assert objective(exact + step, rough, weight) > least - 1e-3
    quick = _refine(rough, 0.15, 2.0, 1.5, 1e-5, 50)
    assert objective(quick, rough, weight) < 1.1 * least < 0.1 * objective(rough, rough, weight)


def test_lime_flattens_texture_in_its_map_and_keeps_the_step() -> None:
    rough = textured().amax(1, keepdim=True)
    smooth = _refine(rough, 0.15, 2.0, 1.5, 1e-5, 50)
    dark, bright = smooth[..., 4:12], smooth[..., 20:28]
    assert dark.std() < 0.3 * rough[..., 4:12].std()
    assert (bright.mean() - dark.mean()).item() > 0.3


def test_lime_of_a_flat_image_by_hand() -> None:
    """The map of a flat image is its greatest channel: 0.25 to the power 0.8 divides it."""
    low = torch.tensor([0.25, 0.1, 0.05]).view(1, 3, 1, 1).expand(1, 3, 10, 10)
    expected = torch.tensor([0.25, 0.1, 0.05]) / 0.25**0.8
    assert torch.allclose(lime(low)[0, :, 5, 5], expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.8, 3.0, 40.0])
def test_the_wide_blur_is_scipys_with_mirrored_edges(sigma: float) -> None:
    image = torch.rand(2, 3, 13, 21)
    expected = gaussian_filter(image.double().numpy(), sigma, axes=(2, 3), mode="reflect", truncate=4.0)
    assert np.abs(_blur(image, sigma).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("level", [0, 1, 20, 200, 255])
@pytest.mark.parametrize("size", [(1, 1), (40, 60)])
def test_an_image_of_one_colour_stays_as_it_is(level: int, size: tuple[int, int]) -> None:
    flat = torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1).expand(1, 3, *size) * level / 255
    both = torch.cat([flat, torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))])
    torch.testing.assert_close(msrcr(both)[:1], flat)
    torch.testing.assert_close(msrcr(both)[1:], msrcr(both[1:]))
    edge = torch.full((1, 3, 40, 60), 254 / 255)
    edge[..., 30:] = 1  # one level is no rounding
    assert msrcr(edge)[0, 0, :, [0, -1]].mean(0).tolist() != pytest.approx([254 / 255, 1], abs=0.01)


def test_msrcr_by_its_formula() -> None:
    low = torch.rand(1, 3, 20, 30) * 0.4
    image = low[0].double().numpy() * 255 + 1
    scales = [np.log(gaussian_filter(image, sigma, axes=(1, 2), mode="reflect")) for sigma in (2, 5)]
    values = 46 * (np.log(125 * image) - np.log(image.sum(0))) * (np.log(image) - np.mean(scales, axis=0))
    ordered = np.sort(values.ravel())
    rank = int(0.01 * (values.size - 1))
    darkest, brightest = ordered[rank], ordered[-1 - rank]
    expected = np.clip((values - darkest) / (brightest - darkest), 0, 1)
    assert np.abs(msrcr(low, sigmas=(2.0, 5.0))[0].numpy() - expected).max() < 1e-3


def test_msrcr_does_not_depend_on_a_gradual_illumination() -> None:
    torch.manual_seed(1)
    scene = 0.3 + 0.4 * torch.rand(1, 3, 60, 60)
    light = torch.linspace(0.3, 1.0, 60).expand(1, 1, 60, 60)
    lit, shaded = (msrcr(scene * factor, sigmas=(3.0, 6.0, 10.0)) for factor in (torch.ones(1), light))
    assert (lit - shaded).abs().mean() < 0.05 < (scene - scene * light).abs().mean()
