import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from skimage.color import rgb2lab
from torch import Tensor

from lowlight.images import from_uint8, to_uint8
from lowlight.methods import Classical
from lowlight.methods.classical import bilateral, clahe, gamma, histogram, identity
from lowlight.methods.retinex import lime, msrcr


def test_gamma_by_hand() -> None:
    assert torch.equal(gamma(torch.tensor([0.0, 0.25, 1.0]), exponent=0.5), torch.tensor([0.0, 0.5, 1.0]))


def test_identity_is_the_image() -> None:
    low = torch.rand(1, 3, 4, 4)
    assert Classical(identity).enhance(low).equal(low)


def test_histogram_of_a_grey_image_is_pillows_equalisation() -> None:
    grey = np.random.default_rng(0).integers(0, 60, (40, 50), dtype=np.uint8)
    expected = np.asarray(ImageOps.equalize(Image.fromarray(grey)))
    low = from_uint8(np.repeat(grey[..., None], 3, axis=2))[None]
    got = to_uint8(histogram(low))[0].movedim(0, -1).numpy().astype(int)
    assert np.abs(got - expected[..., None]).max() <= 1  # the way to YCbCr and back rounds


def test_histogram_keeps_chroma() -> None:
    low = torch.rand(2, 3, 30, 30) * 0.2 + 0.02
    equalised = histogram(low)
    inside = (equalised.amin(1) > 0) & (equalised.amax(1) < 1)  # the others are clipped
    difference = (equalised - low).movedim(1, -1)[inside]
    assert len(difference) > 100
    assert (difference.amax(-1) - difference.amin(-1)).max() < 2e-3


@pytest.mark.parametrize("clip_limit", [1, 2.0, 8.0])
def test_clahe_is_opencvs_on_lightness(clip_limit: float) -> None:
    cv2 = pytest.importorskip("cv2")
    coarse = Image.fromarray(np.random.default_rng(0).integers(5, 60, (6, 9), dtype=np.uint8))
    grey = np.asarray(coarse.resize((240, 160), Image.Resampling.BICUBIC))
    low = from_uint8(np.repeat(grey[..., None], 3, axis=2))[None]
    got, before = (
        rgb2lab(image[0].movedim(0, -1).numpy())[..., 0] for image in (clahe(low, clip_limit), low)
    )
    expected = cv2.createCLAHE(clip_limit, (8, 8)).apply((before * 2.55).round().astype(np.uint8)) / 2.55
    assert np.abs(got - expected).mean() < 0.8  # of 100; OpenCV rounds to 8 bits twice
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.998


def test_clahe_without_contrast_to_spare_leaves_hues() -> None:
    low = torch.rand(1, 3, 64, 64) * 0.2 + 0.1
    ours, theirs = (rgb2lab(image[0].movedim(0, -1).numpy()) for image in (clahe(low), low))
    inside = (clahe(low)[0].amin(0) > 0).numpy() & (clahe(low)[0].amax(0) < 1).numpy()
    assert inside.sum() > 1000
    assert np.abs(ours[inside][:, 1:] - theirs[inside][:, 1:]).max() < 0.1


def test_bilateral_reduces_noise_and_keeps_edges() -> None:
    clean = torch.full((1, 3, 40, 40), 0.2)
    clean[..., 20:] = 0.8
    noisy = (clean + 0.02 * torch.randn(clean.shape)).clamp(0, 1)
    smooth = bilateral(noisy, exponent=1.0)
    assert (smooth - clean).square().mean() < 0.1 * (noisy - clean).square().mean()
    assert (smooth[..., 20] - smooth[..., 19]).min() > 0.5


def test_bilateral_by_hand() -> None:
    """The middle of a mirrored row 0.5, 0.6, 0.5 is weighted by distance and a colour difference of 0.3."""
    low = torch.full((1, 3, 3, 3), 0.5)
    low[..., 1] = 0.6
    far, across, unlike = math.exp(-0.5), math.exp(-0.5), math.exp(-0.5 * (0.3 / 0.5) ** 2)
    like = (1 + 2 * across) * 0.6
    other = 2 * far * unlike * (1 + 2 * across) * 0.5
    expected = (like + other) / ((1 + 2 * across) * (1 + 2 * far * unlike))
    got = bilateral(low, exponent=1.0, size=3, sigma_colour=0.5, sigma_space=1.0)
    assert got[0, 0, 1, 1].item() == pytest.approx(expected, abs=1e-5)


def test_a_bilateral_window_of_one_pixel_is_the_gamma() -> None:
    low = torch.rand(1, 3, 5, 6)
    torch.testing.assert_close(bilateral(low, size=1), gamma(low))


@pytest.mark.parametrize(
    ("function", "setting", "message"),
    [
        (gamma, {"exponent": -1}, "exponent=-1 must be positive"),
        (bilateral, {"size": 4}, "size=4 must be odd"),
        (bilateral, {"sigma_colour": 0}, "sigma_colour=0"),
        (clahe, {"grid": 0}, "grid=0 must be positive"),
        (lime, {"sigma": 0}, "sigma=0"),
        (msrcr, {"sigmas": []}, r"sigmas=\[\] must be positive, at least one"),
        (msrcr, {"sigmas": [15, 0]}, r"sigmas=\[15, 0\] must be positive"),
        (msrcr, {"clipped": 0.5}, r"clipped=0\.5 in \[0, 0\.5\)"),
    ],
)
def test_settings_out_of_range_are_refused(
    function: Callable[..., Tensor], setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(torch.rand(1, 3, 16, 16), **setting)


def test_bilateral_brightens_as_gamma_does() -> None:
    flat = torch.full((1, 3, 20, 20), 0.1)
    assert torch.allclose(bilateral(flat), gamma(flat), atol=1e-6)


def test_classical_methods_refuse_to_train() -> None:
    with pytest.raises(ValueError, match="learns nothing"):
        Classical(identity).training_step({}, 0)


def test_the_class_is_still_found_at_its_home_in_0_1_0() -> None:
    from lowlight.methods import classical

    assert classical.Classical is Classical
