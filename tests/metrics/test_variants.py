"""Every metric against an independent implementation, published values, or a calculation by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from lowlight.images import from_uint8
from lowlight.metrics import (
    all_scores,
    delta_e,
    loe,
    ms_ssim,
    niqe,
    psnr,
    psnr_gtmean,
    psnr_y,
    ssim,
    ssim_gray,
    ssim_gtmean,
    ssim_uniform7,
)
from lowlight.metrics.delta_e import ciede2000
from lowlight.metrics.psnr import gt_mean

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def picture(seed: int, height: int = 61, width: int = 83) -> Tensor:
    """Return a smooth 8-bit picture with some noise, of shape (3, height, width)."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    noisy = smooth + generator.normal(0, 4 * seed, smooth.shape)
    return from_uint8(noisy.clip(0, 255).round().astype(np.uint8))


def pairs() -> tuple[Tensor, Tensor]:
    """Return three enhanced images of odd size and their references."""
    high = torch.stack([picture(seed) for seed in (1, 2, 3)])
    enhanced = (0.8 * high + 0.03 * torch.randn(high.shape)).clamp(0, 1)
    return enhanced, high


def array(image: Tensor) -> np.ndarray:
    return image.movedim(0, -1).double().numpy()


def grey(image: Tensor) -> np.ndarray:
    return array(image) @ np.array([0.299, 0.587, 0.114])


def crop(image: np.ndarray, border: int) -> np.ndarray:
    return image[border:-border, border:-border]


def scikit_ssim(one: Tensor, two: Tensor, **form: object) -> float:
    border = 3 if not form else 5
    *_, full = structural_similarity(
        array(one), array(two), channel_axis=-1, data_range=1.0, full=True, **form
    )
    return float(crop(full, border).mean())


def scikit_grey(one: Tensor, two: Tensor) -> float:
    *_, full = structural_similarity(grey(one), grey(two), data_range=1.0, full=True, **GAUSSIAN)
    return float(crop(full, 5).mean())


EXPECTED: list[tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], float], float]] = [
    (psnr, lambda one, two: peak_signal_noise_ratio(array(two), array(one), data_range=1.0), 1e-4),
    (
        psnr_y,
        lambda one, two: peak_signal_noise_ratio(16 + 219 * grey(two), 16 + 219 * grey(one), data_range=255),
        1e-4,
    ),
    (ssim, lambda one, two: scikit_ssim(one, two, **GAUSSIAN), 1e-5),
    (ssim_uniform7, scikit_ssim, 1e-5),
    (ssim_gray, scikit_grey, 1e-5),
    (
        delta_e,
        lambda one, two: deltaE_ciede2000(rgb2lab(array(one)), rgb2lab(array(two))).mean(),
        1e-3,
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "tolerance"), EXPECTED, ids=[row[0].__name__ for row in EXPECTED])
def test_variants_equal_scikit_images_for_one_image_and_for_batches(
    ours: Callable[[Tensor, Tensor], Tensor], theirs: Callable[[Tensor, Tensor], float], tolerance: float
) -> None:
    enhanced, high = pairs()
    expected = [theirs(*pair) for pair in zip(enhanced, high, strict=True)]
    assert ours(enhanced, high).tolist() == pytest.approx(expected, abs=tolerance)
    assert ours(enhanced[1:2], high[1:2]).tolist() == pytest.approx(expected[1:2], abs=tolerance)


def test_ms_ssim_equals_torchmetrics_at_all_scales_but_the_last_and_scikit_image_there() -> None:
    """At the last scale torchmetrics also counts positions that reflect the image beyond its border."""
    high = torch.stack([picture(seed, 176, 197) for seed in (1, 2)])
    enhanced = (0.8 * high + 0.1 * torch.randn(high.shape)).clamp(0, 1)
    upper = multiscale_structural_similarity_index_measure(
        enhanced, high, reduction=None, data_range=1.0, betas=(0.0448, 0.2856, 0.3001, 0.2363, 0.0)
    )
    last = [
        scikit_ssim(*pair, **GAUSSIAN)
        for pair in zip(*(F.avg_pool2d(one, 16) for one in (enhanced, high)), strict=True)
    ]
    expected = [float(one) * other**0.1333 for one, other in zip(upper, last, strict=True)]
    assert ms_ssim(enhanced, high).tolist() == pytest.approx(expected, abs=1e-5)


def test_ms_ssim_of_opposites_is_0_and_of_small_images_undefined() -> None:
    high = picture(3, 176, 176)[None]
    assert ms_ssim(1 - high, high).item() == 0
    assert ms_ssim(high[..., :175], high[..., :175]).isnan().all()


def test_a_short_last_batch_weighs_by_its_images() -> None:
    enhanced, high = pairs()
    scores = all_scores()
    for part in (slice(0, 2), slice(2, 3)):
        names = ["a", "b", "c"][part]
        scores.update(enhanced[part], {"low": high[part], "high": high[part], "name": names})  # type: ignore[typeddict-item]
    means = scores.compute()
    expected = [scikit_ssim(*pair, **GAUSSIAN) for pair in zip(enhanced, high, strict=True)]
    assert means["test/ssim"].item() == pytest.approx(np.mean(expected), abs=1e-5)
    expected = [
        peak_signal_noise_ratio(array(two), array(one), data_range=1.0)
        for one, two in zip(enhanced, high, strict=True)
    ]
    assert means["test/psnr"].item() == pytest.approx(np.mean(expected), abs=1e-4)


def constant(*levels: float, size: int = 12) -> Tensor:
    return torch.tensor(levels).view(1, 3, 1, 1).expand(1, 3, size, size).div(255)


def test_luma_of_a_red_error_by_hand() -> None:
    """An error of 40 in red is an error of 40 times 0.299 times 219/255 in studio luma."""
    error = 40 / 255 * 0.299 * 219 / 255
    got = psnr_y(constant(140, 100, 100), constant(100, 100, 100)).item()
    assert got == pytest.approx(-20 * math.log10(error), abs=1e-3)


def test_gt_mean_scales_clamps_and_rounds_by_hand() -> None:
    """The mean of (20, 40, 60) is 40, that of the reference 180: times 4.5 is (90, 180, 270), clamped."""
    scaled = gt_mean(constant(20.3, 39.6, 60), constant(150, 180, 210))
    assert scaled[0, :, 0, 0].mul(255).tolist() == pytest.approx([90, 180, 255], abs=1e-3)
    assert gt_mean(constant(100, 100, 100), constant(33, 33, 34))[0, 0, 0, 0].item() * 255 == pytest.approx(
        33
    )


def test_gt_mean_leaves_black_black() -> None:
    black, high = constant(0, 0, 0), constant(100, 100, 100)
    assert torch.equal(gt_mean(black, high), black)
    assert psnr_gtmean(black, high).item() == pytest.approx(-20 * math.log10(100 / 255), abs=1e-4)
    assert torch.isfinite(ssim_gtmean(black, high)).all()


def test_gt_mean_forgives_exposure_and_nothing_else() -> None:
    high = picture(1)[None] / 2 + 0.25
    half = (high * 255 / 2).round() / 255
    assert psnr_gtmean(half, high).item() > 45 > 20 > psnr(half, high).item()
    assert ssim_gtmean(half, high).item() > 0.99 > ssim(half, high).item()
    mirrored = high.flip(-1)
    assert psnr_gtmean(mirrored, high).item() == pytest.approx(psnr(mirrored, high).item(), abs=0.05)


SHARMA = [
    ((50.0000, 2.6772, -79.7751), (50.0000, 0.0000, -82.7485), 2.0425),
    ((50.0000, -1.3802, -84.2814), (50.0000, 0.0000, -82.7485), 1.0000),
    ((50.0000, 0.0000, 0.0000), (50.0000, -1.0000, 2.0000), 2.3669),
    ((50.0000, 2.4900, -0.0010), (50.0000, -2.4900, 0.0009), 7.1792),
    ((50.0000, 2.4900, -0.0010), (50.0000, -2.4900, 0.0011), 7.2195),
    ((50.0000, -0.0010, 2.4900), (50.0000, 0.0009, -2.4900), 4.8045),
    ((50.0000, -0.0010, 2.4900), (50.0000, 0.0011, -2.4900), 4.7461),
    ((50.0000, 2.5000, 0.0000), (73.0000, 25.0000, -18.0000), 27.1492),
    ((50.0000, 2.5000, 0.0000), (56.0000, -27.0000, -3.0000), 31.9030),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((90.9257, -0.5406, -0.9208), (88.6381, -0.8985, -0.7239), 1.5381),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]
"""Pairs of L*a*b* and their difference from Table 1 of Sharma, Wu and Dalal (2005)."""


@pytest.mark.parametrize(("first", "second", "expected"), SHARMA)
def test_colour_difference_equals_the_published_test_data(
    first: tuple[float, ...], second: tuple[float, ...], expected: float
) -> None:
    one, two = (torch.tensor(lab, dtype=torch.float64).view(1, 3) for lab in (first, second))
    assert ciede2000(one, two).item() == pytest.approx(expected, abs=1e-4)
    assert ciede2000(two, one).item() == pytest.approx(expected, abs=1e-4)


def test_equal_colours_do_not_differ() -> None:
    assert delta_e(picture(2)[None], picture(2)[None]).item() == 0


def test_lightness_order_by_hand() -> None:
    """The brightest of three pixels becomes the darkest, which reverses its order with both others."""
    low = torch.tensor([0.1, 0.2, 0.3]).expand(1, 3, 1, 3)
    enhanced = torch.tensor([0.5, 0.6, 0.4]).expand(1, 3, 1, 3)
    # Ordered pairs whose order changed: (1,3), (3,1), (2,3), (3,2): 4 of them over 3 pixels.
    assert loe(enhanced, low).item() == pytest.approx(4 / 3)
    assert loe(low.sqrt(), low).item() == 0


def test_lightness_order_sees_the_greatest_channel_only() -> None:
    low = picture(2)[None]
    dulled = low.clone()
    dulled.scatter_(1, low.argmin(1, keepdim=True), 0.0)
    assert loe(dulled, low).item() == 0


def test_a_negative_turns_every_order() -> None:
    low = torch.rand(1, 3, 20, 30)
    assert loe(1 - low.amax(1, keepdim=True).expand_as(low), low).item() == pytest.approx(
        20 * 30 - 1, abs=0.1
    )


def test_lightness_order_is_of_a_reduced_image() -> None:
    low = picture(3, 100, 200)[None]
    negative = 1 - low.amax(1, keepdim=True).expand_as(low)
    assert loe(negative, low).item() == pytest.approx(50 * 100 - 1, abs=50)


SCIKIT_VIDEO = {1: 38.2350, 2: 37.9498, 5: 27.9996}
"""NIQE by scikit-video 1.1.11 (mended for today's NumPy) of the grey of ``picture(seed, 200, 300)``."""


def test_flat_areas_keep_their_order_whatever_the_reduction_rounds() -> None:
    for dark, bright in ((1 / 255, 77 / 255), (0.1, 0.5)):
        low = torch.full((1, 3, 400, 600), dark)
        assert loe(torch.full_like(low, bright), low).item() == 0
    levels = torch.where(torch.arange(600) < 200, 3 / 255, 9 / 255).expand(1, 3, 400, 600)
    assert loe(levels**0.4, levels).item() < 1  # at the edge between them


@pytest.mark.parametrize("seed", SCIKIT_VIDEO)
def test_naturalness_is_scikit_videos(seed: int) -> None:
    assert niqe(picture(seed, 200, 300)[None]).item() == pytest.approx(SCIKIT_VIDEO[seed], rel=0.005)


def test_naturalness_of_a_batch_is_that_of_each_image() -> None:
    batch = torch.stack([picture(seed, 200, 300) for seed in SCIKIT_VIDEO])
    assert niqe(batch).tolist() == pytest.approx([niqe(image[None]).item() for image in batch], rel=1e-4)


def test_naturalness_needs_two_patches_and_bears_flat_images() -> None:
    assert math.isnan(niqe(torch.rand(1, 3, 191, 191)).item())
    assert math.isfinite(niqe(torch.rand(1, 3, 96, 192)).item())
    assert math.isfinite(niqe(torch.zeros(1, 3, 200, 300)).item())


def test_small_images_are_refused_by_name_of_the_window() -> None:
    with pytest.raises(ValueError, match="at least 7 pixels, got 6x20"):
        ssim_uniform7(torch.rand(1, 3, 6, 20), torch.rand(1, 3, 6, 20))
    with pytest.raises(ValueError, match="at least 11 pixels, got 10x20"):
        ssim_gray(torch.rand(1, 3, 10, 20), torch.rand(1, 3, 10, 20))
