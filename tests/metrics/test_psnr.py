import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from lowlight.metrics import psnr


def test_psnr_is_scikit_images_per_image() -> None:
    high = torch.rand(3, 3, 9, 14)
    enhanced = (high + 0.1 * torch.randn(high.shape)).clamp(0, 1)
    expected = [
        peak_signal_noise_ratio(two.double().numpy(), one.double().numpy(), data_range=1.0)
        for one, two in zip(enhanced, high, strict=True)
    ]
    assert psnr(enhanced, high).tolist() == pytest.approx(expected, abs=1e-4)


def test_psnr_by_hand() -> None:
    assert psnr(torch.full((1, 3, 2, 2), 0.6), torch.full((1, 3, 2, 2), 0.5)).item() == pytest.approx(
        20, abs=1e-4
    )


def test_psnr_of_equal_images_is_infinite() -> None:
    image = torch.rand(1, 3, 4, 4)
    assert math.isinf(psnr(image, image).item())


def test_psnr_refuses_unequal_shapes() -> None:
    with pytest.raises(ValueError, match="equal shapes"):
        psnr(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 5))
