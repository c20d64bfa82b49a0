"""Fusion of two images by local contrast and exposure."""

import math

import pytest
import torch
from torch import Tensor, nn

from lowlight.model import Model
from lowlight.networks import FusedNetworks
from lowlight.networks.function import Function
from lowlight.networks.fusion import Rule


def fusion(rule: Rule = "contrast", levels: int = 3, chained: bool = False) -> FusedNetworks:
    """Fuse the image brightened by a power and the image times three."""
    bright, brighter = Function(lambda low: low**0.5), Function(lambda low: 3 * low)
    return FusedNetworks(bright, brighter, rule, chained, levels=levels)


def texture(level: float, amplitude: float, side: int = 64) -> Tensor:
    """Return a grey checkerboard, clipped to [0, 1], shape (1, 3, side, side)."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    sign = 1 - 2 * ((rows // 2 + columns // 2) % 2)
    return (level + amplitude * sign).clamp(0, 1).expand(1, 3, side, side).clone()


@pytest.mark.parametrize("size", [(8, 8), (40, 24)])
def test_weights_sum_to_1(size: tuple[int, int]) -> None:
    weights = fusion().weights(torch.rand(2, 3, *size), torch.rand(2, 3, *size))
    assert weights.shape == (2, 2, *size)
    assert weights.min() >= 0
    torch.testing.assert_close(weights.sum(1), torch.ones(2, *size))


def test_black_and_white_flat_images_have_weights_too() -> None:
    black, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    torch.testing.assert_close(fusion().weights(black, white), torch.full((1, 2, 16, 16), 0.5))


@pytest.mark.parametrize("levels", [0, 1, 5])
def test_equal_inputs_give_the_input(levels: int) -> None:
    image = torch.rand(2, 3, 32, 64)
    assert torch.equal(fusion(levels=levels).fuse(image, image), image)


def test_exchanged_inputs_give_the_same() -> None:
    one, other = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(fusion().fuse(one, other), fusion().fuse(other, one), atol=1e-5, rtol=0)


def test_over_illuminated_parts_take_the_first() -> None:
    """The second is white in its left half, and in its right half well exposed where the first is black."""
    first, second = texture(0.5, 0.1), texture(0.5, 0.1) + 0.1
    second[..., :32] = texture(1.1, 0.05)[..., :32]
    first[..., 32:] = texture(0.02, 0.005)[..., 32:]
    fused = fusion().fuse(first, second)
    torch.testing.assert_close(fused[..., 8:-8, 8:20], first[..., 8:-8, 8:20], atol=0.02, rtol=0)
    torch.testing.assert_close(fused[..., 8:-8, 44:56], second[..., 8:-8, 44:56], atol=0.02, rtol=0)


def test_the_weights_follow_contrast_at_equal_exposure_and_exposure_at_equal_contrast() -> None:
    net, middle = fusion(), (0, slice(None), 32, 32)
    strong, weak = texture(0.5, 0.2), texture(0.5, 0.05)
    first, second = net.weights(strong, weak)[middle]
    # The luma is 0.7 and 0.55 there: 0.2 and 0.05 off the middle, 1 and 0.25 deviations.
    assert first / second == pytest.approx(0.2 / 0.05 * math.exp((0.25**2 - 1) / 2), rel=0.05)
    first, second = net.weights(texture(0.5, 0.05), texture(0.9, 0.05))[middle]
    assert first / second == pytest.approx(math.exp((2.25**2 - 0.25**2) / 2), rel=0.05)


def test_a_blend_has_no_seam_where_single_pixels_would_have_one() -> None:
    """The weights jump at the middle; the blended offset between two flat images does not."""
    first, second = texture(0.4, 0.05), texture(0.6, 0.05)
    first[..., 32:] = 0.4  # flat, so the second is taken there
    second[..., :32] = 0.6
    smooth, pointwise = (fusion(levels=levels).fuse(first, second).mean((1, 2))[0] for levels in (4, 0))
    steps = [row.unfold(0, 4, 4).mean(1).diff().abs().max() for row in (smooth, pointwise)]
    assert steps[0] < 0.6 * steps[1]


@pytest.mark.parametrize(
    ("rule", "chained", "expected"),
    [
        ("first", False, 0.4),
        ("first", True, 0.4),
        ("second", False, 0.48),
        ("second", True, 1.0),
        ("mean", False, 0.44),
        ("mean", True, 0.7),
    ],
)
def test_the_rules_of_the_ablation(rule: Rule, chained: bool, expected: float) -> None:
    """Of 0.16 the first makes 0.4; the second makes 0.48 of it, or of the first's result 1 after clipping."""
    low = torch.full((1, 3, 8, 8), 0.16)
    torch.testing.assert_close(fusion(rule, chained=chained)(low), torch.full_like(low, expected))


def test_the_stride_suits_both_networks_and_the_pyramid() -> None:
    first, second = nn.Identity(), nn.Identity()
    first.stride, second.stride = 12, 16  # type: ignore[assignment]
    net = FusedNetworks(first, second, levels=3)
    assert net.stride == 48
    assert Model(net).enhance(torch.rand(1, 3, 5, 50)).shape == (1, 3, 5, 50)


def test_gradients_reach_both_networks() -> None:
    net = FusedNetworks(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), levels=2)
    net(torch.rand(1, 3, 16, 16)).square().sum().backward()
    assert [name for name, weight in net.named_parameters() if not weight.grad.any()] == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"rule": "max"}, "rule=max is none of contrast, mean, first, second"),
        ({"levels": -1}, "levels=-1 must be at least 0"),
        ({"window": 4}, "window=4 odd"),
        ({"spread": 0.0}, "spread=0.0 positive"),
    ],
)
def test_refuses_wrong_settings(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FusedNetworks(nn.Identity(), nn.Identity(), **setting)  # type: ignore[arg-type]
