"""Losses of structure."""

import numpy as np
import pytest
import torch

from lowlight.colour import luminance
from lowlight.losses import Loss
from lowlight.perceptual import block_ssim_loss


def test_block_ssim_is_that_of_each_block() -> None:
    torch.manual_seed(0)
    high = torch.rand(2, 3, 20, 27)
    enhanced = 0.5 * high + 0.3 * torch.rand(2, 3, 20, 27)
    expected = []
    for top in (0, 8):  # the four rows and three columns at the end fill no block
        for left in (0, 8, 16):
            blocks = (one[..., top : top + 8, left : left + 8].double().numpy() for one in (enhanced, high))
            x, y = (block.reshape(6, 64) for block in blocks)
            covariance = [np.cov(one, other, bias=True) for one, other in zip(x, y, strict=True)]
            for one, other, ((var_x, cov), (_, var_y)) in zip(x.mean(1), y.mean(1), covariance, strict=True):
                brightness = (2 * one * other + 1e-4) / (one**2 + other**2 + 1e-4)
                expected.append(brightness * (2 * cov + 1e-3) / (var_x + var_y + 1e-3))
    assert block_ssim_loss(enhanced, high).item() == pytest.approx(1 - np.mean(expected), abs=1e-5)


def test_block_ssim_of_flat_images_by_hand() -> None:
    dark, bright = torch.full((1, 3, 8, 8), 0.1), torch.full((1, 3, 8, 8), 0.5)
    expected = 1 - (2 * 0.05 + 1e-4) / (0.01 + 0.25 + 1e-4)
    assert block_ssim_loss(dark, bright).item() == pytest.approx(expected, abs=1e-6)


def test_block_ssim_of_one_channel_compares_the_luma() -> None:
    enhanced, high = torch.rand(2, 2, 3, 16, 16)
    grey = [luminance(image)[:, None].expand(-1, 3, -1, -1) for image in (enhanced, high)]
    expected = block_ssim_loss(*grey)
    torch.testing.assert_close(block_ssim_loss(enhanced, high, channels=1), expected)
    assert block_ssim_loss(enhanced, high) != expected


def test_block_ssim_refuses_what_it_cannot_compare() -> None:
    with pytest.raises(ValueError, match="windows of 8 pixels needs sides of at least as many, got 7x40"):
        block_ssim_loss(torch.rand(1, 3, 7, 40), torch.rand(1, 3, 7, 40))
    with pytest.raises(ValueError, match=r"1 \(luma\) or 3"):
        block_ssim_loss(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), channels=2)


@pytest.mark.parametrize("loss", [block_ssim_loss])
def test_losses_are_zero_scalars_with_finite_gradients_for_equal_images(loss: Loss) -> None:
    high = torch.rand(2, 3, 48, 48)
    enhanced = high.clone().requires_grad_()
    value = loss(enhanced, high)
    value.backward()
    assert value.shape == ()
    assert value.item() == pytest.approx(0, abs=1e-5)
    assert enhanced.grad.isfinite().all()
