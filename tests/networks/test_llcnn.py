"""LLCNN: the published structure, and how it treats colour."""

from functools import partial

import pytest
import torch

from lowlight.colour import luminance
from lowlight.methods import Supervised
from lowlight.networks import LLCNN
from lowlight.networks.receptive_field import receptive_radius
from lowlight.perceptual import block_ssim_loss
from lowlight.runtimes.torch_enhancer import TorchEnhancer


def test_published_size_by_hand() -> None:
    """A first and a last convolution; three modules of a 1x1 and four 3x3 convolutions, with biases."""
    first, last = 9 * 64 + 64, 9 * 64 + 1
    module = 64 * 64 + 64 + 4 * (9 * 64 * 64 + 64)
    assert sum(weight.numel() for weight in LLCNN().parameters()) == first + 3 * module + last == 456_833


@pytest.mark.parametrize("channels", [1, 3])
def test_keeps_any_shape_and_trains_every_parameter(channels: int) -> None:
    torch.manual_seed(0)
    net = LLCNN(channels, width=8, modules=2)
    low = torch.rand(2, 3, 11, 7)
    enhanced = net(low)
    assert enhanced.shape == low.shape
    enhanced.square().sum().backward()
    assert [name for name, weight in net.named_parameters() if not weight.grad.any()] == []
    assert Supervised(net).stride == 1


def test_a_module_adds_before_it_rectifies() -> None:
    """With zero residuals and an identity as the 1x1 convolution, features that are not negative pass."""
    torch.manual_seed(0)
    net = LLCNN(3, width=4, modules=1)
    module = net.body[2]
    for name, weight in module.named_parameters():
        torch.nn.init.zeros_(weight)
        if name == "skip.weight":
            torch.nn.init.eye_(weight[..., 0, 0])
    features = torch.randn(1, 4, 5, 5)
    assert torch.equal(module(features), features.relu())


def test_the_luma_is_the_networks_and_colours_are_scaled() -> None:
    torch.manual_seed(0)
    net = LLCNN(1, width=4, modules=1)
    low = torch.rand(1, 3, 6, 6) * 0.2 + 0.01
    enhanced = net(low)
    torch.testing.assert_close(luminance(enhanced)[:, None], net.body(luminance(low)[:, None]))
    ratio = luminance(enhanced) / luminance(low)
    torch.testing.assert_close(enhanced, low * ratio[:, None], atol=1e-5, rtol=1e-4)


def test_black_becomes_grey_and_stays_finite() -> None:
    torch.manual_seed(0)
    net = LLCNN(1, width=4, modules=1)
    low = torch.zeros(1, 3, 4, 4, requires_grad=True)
    enhanced = net(low + 0)
    assert torch.equal(enhanced, enhanced[:, :1].expand(-1, 3, -1, -1))
    enhanced.sum().backward()
    assert low.grad.isfinite().all()


@pytest.mark.parametrize(("channels", "modules"), [(1, 1), (3, 2)])
def test_sees_two_pixels_per_residual_unit_and_so_tiles_exactly(channels: int, modules: int) -> None:
    net = LLCNN(channels, width=4, modules=modules)
    radius = 4 * modules + 2
    assert receptive_radius(net, 1) == radius
    assert TorchEnhancer(Supervised(net)).tiling.halo == radius


@pytest.mark.parametrize("channels", [1, 3])
def test_overfits_one_pair_by_its_own_loss(channels: int) -> None:
    torch.manual_seed(0)
    net = LLCNN(channels, width=8, modules=1)
    high = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 6), 32, mode="bicubic").clamp(0, 1)
    low = 0.1 * high
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    loss = partial(block_ssim_loss, channels=channels)
    losses = []
    for _ in range(100):
        losses.append(loss(net(low), high))
        optimizer.zero_grad()
        losses[-1].backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    assert losses[-1] < 0.2 < 0.9 < losses[0]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"channels": 2}, r"1 \(luma\) or 3"), ({"width": 0}, "width must"), ({"modules": 0}, "modules must")],
)
def test_refuses_impossible_sizes(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LLCNN(**sizes)
