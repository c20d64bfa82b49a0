import math
from functools import partial

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from lowlight import losses
from lowlight.perceptual import gradient_loss
from lowlight.similarity import _Similarity


def test_the_exposure_matched_loss_sees_all_but_the_exposure() -> None:
    high = torch.rand(2, 3, 16, 16) / 2
    enhanced = (high * torch.tensor([0.5, 1.7]).view(2, 1, 1, 1)).requires_grad_()
    loss = losses.exposure_matched(enhanced, high, losses.l1)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    other = torch.rand(2, 3, 16, 16)
    scaled = other * (high.mean((1, 2, 3), keepdim=True) / other.mean((1, 2, 3), keepdim=True))
    assert losses.exposure_matched(other, high, losses.l1).item() == pytest.approx(
        losses.l1(scaled, high).item()
    )
    assert losses.exposure_matched(torch.zeros_like(high), high, losses.l1).isfinite()


def test_l1_and_charbonnier_by_hand() -> None:
    enhanced, high = torch.zeros(1, 3, 1, 2), torch.zeros(1, 3, 1, 2)
    enhanced[..., 0] = 0.5
    assert losses.l1(enhanced, high).item() == pytest.approx(0.25)
    expected = (math.sqrt(0.25 + 1e-6) + 1e-3) / 2
    assert losses.charbonnier(enhanced, high).item() == pytest.approx(expected)


def test_the_chroma_loss_sees_paleness_and_no_grey() -> None:
    high = torch.rand(2, 3, 16, 16)
    grey = high.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert losses.chroma_loss(high, high) == 0
    assert losses.chroma_loss(grey + 0.1, grey).item() == pytest.approx(0, abs=1e-6)
    pale = [losses.chroma_loss(grey + share * (high - grey), high).item() for share in (0.9, 0.5, 0.1)]
    assert 0 < pale[0] < pale[1] < pale[2]
    reddish, bluish = (
        torch.tensor([[0.7, 0.5, 0.5], [0.5, 0.5, 0.7]]).view(2, 1, 3, 1, 1).expand(-1, -1, -1, 8, 8)
    )
    assert losses.chroma_loss(bluish, reddish) < 0.5 * losses.chroma_loss(
        reddish.mean(1, True).expand_as(reddish), reddish
    )


def test_total_variation_by_hand() -> None:
    image = torch.tensor([[0.0, 0.2], [0.6, 0.6]]).expand(1, 3, 2, 2)
    assert losses.total_variation(image, torch.zeros(1)).item() == pytest.approx(
        (0.6 + 0.4) / 2 + (0.2 + 0) / 2
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 20), (20, 1)])
@pytest.mark.parametrize("loss", [losses.total_variation, gradient_loss])
def test_a_line_of_pixels_varies_in_one_direction(loss: losses.Loss, size: tuple[int, int]) -> None:
    enhanced = torch.rand(2, 3, *size)
    steps = enhanced.flatten(2).diff().abs()
    expected = steps.mean() if steps.numel() else torch.tensor(0.0)
    torch.testing.assert_close(loss(enhanced, torch.zeros_like(enhanced)), expected)


def test_the_chroma_loss_needs_a_window() -> None:
    with pytest.raises(ValueError, match="windows of 8 pixels needs sides of at least as many, got 7x9"):
        losses.chroma_loss(torch.rand(1, 3, 7, 9), torch.rand(1, 3, 7, 9))


def test_ssim_is_scikit_images() -> None:
    generator = torch.Generator().manual_seed(0)
    high = torch.rand(2, 3, 40, 53, generator=generator)
    enhanced = (high + 0.2 * torch.randn(high.shape, generator=generator)).clamp(0, 1)
    enhanced[1] = enhanced[1] * 0.2
    expected = [
        structural_similarity(
            one.double().movedim(0, -1).numpy(),
            two.double().movedim(0, -1).numpy(),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=-1,
        )
        for one, two in zip(enhanced, high, strict=True)
    ]
    assert losses.ssim(enhanced, high).tolist() == pytest.approx(expected, abs=2e-5)
    assert losses.ssim_loss(enhanced, high).item() == pytest.approx(1 - sum(expected) / 2, abs=2e-5)


def test_the_derivative_of_ssim_is_that_of_its_values() -> None:
    x, y = (image.double().requires_grad_() for image in torch.rand(2, 2, 1, 7, 6))
    window = torch.tensor([0.2, 0.3, 0.5])  # lopsided, so that it cannot be taken for its mirror image
    assert torch.autograd.gradcheck(lambda x, y: _Similarity.apply(x, y, window, 1.1), (x, y))


def test_a_second_derivative_of_ssim_is_refused_and_not_wrong() -> None:
    x, y = torch.rand(2, 1, 3, 16, 16)
    (gradient,) = torch.autograd.grad(losses.ssim_loss(x.requires_grad_(), y).square(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_ssim_of_equal_images_is_one_also_in_the_dark() -> None:
    image = torch.rand(1, 3, 16, 16) * 0.01
    assert losses.ssim(image, image).item() == pytest.approx(1, abs=1e-6)


def test_ssim_refuses_small_images() -> None:
    with pytest.raises(ValueError, match="at least 11 pixels, got 10x40"):
        losses.ssim(torch.rand(1, 3, 10, 40), torch.rand(1, 3, 10, 40))


def test_weighted_sum_adds_weighted_terms_and_refuses_stray_weights() -> None:
    enhanced, high = torch.rand(1, 3, 12, 12), torch.rand(1, 3, 12, 12)
    terms = {"l1": losses.l1, "tv": losses.total_variation}
    total = losses.weighted_sum(enhanced, high, terms, {"tv": 0.1})
    expected = losses.l1(enhanced, high) + 0.1 * losses.total_variation(enhanced, high)
    assert torch.isclose(total, expected)
    with pytest.raises(ValueError, match="sism"):
        losses.weighted_sum(enhanced, high, terms, {"sism": 1.0})


def drift(enhanced: Tensor, high: Tensor, low: Tensor, factor: float = 4.0) -> Tensor:
    """Compare images with dark ones made brighter: a loss that needs no reference."""
    return losses.l1(enhanced, factor * low)


class Drift(torch.nn.Module):
    def forward(self, enhanced: Tensor, high: Tensor, low: Tensor | None = None) -> Tensor:
        assert low is not None
        return drift(enhanced, high, low)


def test_a_loss_sees_the_dark_images_if_it_has_a_parameter_for_them() -> None:
    low, high, enhanced = torch.rand(3, 1, 3, 12, 12)
    expected = losses.l1(enhanced, 4 * low)
    for loss in (drift, partial(drift, factor=4.0), Drift()):
        assert torch.equal(losses.apply_loss(loss, enhanced, high, low, None), expected)
    assert torch.equal(
        losses.apply_loss(partial(drift, factor=1.0), enhanced, low, low, None), losses.l1(enhanced, low)
    )
    total = partial(losses.weighted_sum, terms={"l1": losses.l1, "drift": drift}, weights={"drift": 2.0})
    assert torch.isclose(
        losses.apply_loss(total, enhanced, high, low, None), losses.l1(enhanced, high) + 2 * expected
    )
    matched = partial(losses.exposure_matched, loss=drift)
    scaled = enhanced * (high.mean() / enhanced.mean())
    assert torch.isclose(losses.apply_loss(matched, enhanced, high, low, None), drift(scaled, high, low))


def test_a_loss_of_two_arguments_is_called_with_two() -> None:
    low, high, enhanced = torch.rand(3, 1, 3, 12, 12)
    expected = losses.l1(enhanced, high)
    own = partial(lambda enhanced, high, low: losses.l1(enhanced, high) + low, low=0.0)  # a value of its own
    for loss in (losses.l1, torch.nn.L1Loss(), torch.nn.functional.l1_loss, own):
        assert torch.equal(losses.apply_loss(loss, enhanced, high, low, None), expected)
    builtin = losses.apply_loss(torch.dist, enhanced, high, low, None)
    assert torch.equal(builtin, torch.dist(enhanced, high))


def test_adversarial_losses_by_hand() -> None:
    logits = torch.tensor([0.0, 2.0])
    assert losses.vanilla(logits, real=True).tolist() == pytest.approx(
        [math.log(2), math.log(1 + math.exp(-2))]
    )
    assert losses.vanilla(logits, real=False).tolist() == pytest.approx(
        [math.log(2), math.log(1 + math.exp(2))]
    )
    assert losses.least_squares(logits, real=True).tolist() == [1, 1]
    assert losses.least_squares(logits, real=False).tolist() == [0, 4]
    assert losses.hinge(logits, real=True).tolist() == [1, 0]
    assert losses.hinge(logits, real=False).tolist() == [1, 3]
    assert losses.hinge(logits, real=True, generating=True).tolist() == [0, -2]


@pytest.mark.parametrize(
    "loss", [losses.l1, losses.charbonnier, losses.chroma_loss, losses.ssim_loss, losses.total_variation]
)
def test_losses_are_finite_scalars_with_gradients_even_for_equal_images(loss: losses.Loss) -> None:
    high = torch.rand(2, 3, 16, 16)
    enhanced = high.clone().requires_grad_()
    value = loss(enhanced, high)
    value.backward()
    assert value.shape == ()
    assert enhanced.grad is not None
    assert enhanced.grad.isfinite().all()


def test_ssim_is_computed_in_float32_under_autocast() -> None:
    enhanced, high = torch.rand(1, 3, 20, 20), torch.rand(1, 3, 20, 20)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(losses.ssim(enhanced, high), losses.ssim(enhanced.clone(), high))
        inside = losses.ssim(enhanced, high)
    assert torch.equal(inside, losses.ssim(enhanced, high))


def test_a_constant_difference_has_edges_at_the_border_only() -> None:
    image, noise = torch.rand(1, 3, 128, 128), 0.3 * torch.rand(1, 3, 128, 128)
    assert losses.edge_loss(image + 0.3, image) < 0.002
    assert losses.edge_loss(image + noise, image) > 0.004


def test_is_the_mean_square_of_one_level_of_a_pyramid() -> None:
    spot = torch.zeros(1, 1, 17, 17)
    spot[..., 8, 8] = 1
    line = torch.tensor([0.05, 0.25, 0.4, 0.25, 0.05])
    blurred = torch.zeros(17, 17)
    blurred[6:11, 6:11] = line.outer(line)
    kept = torch.zeros(17, 17)
    kept[::2, ::2] = 4 * blurred[::2, ::2]
    again = torch.nn.functional.conv2d(kept[None, None], line.outer(line)[None, None], padding=2)
    expected = (spot - again).square().mean()
    assert torch.isclose(losses.edge_loss(spot, torch.zeros_like(spot)), expected)


def test_psnr_loss_is_minus_the_mean_psnr() -> None:
    high = torch.full((2, 3, 4, 4), 0.5)
    enhanced = high + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    torch.testing.assert_close(losses.psnr_loss(enhanced, high), torch.tensor(-30.0), atol=1e-2, rtol=0)
