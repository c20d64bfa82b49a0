"""The CNN autoencoder."""

import pytest
import torch
from torch import nn

from lowlight.networks import Autoencoder


def test_default_size_by_hand() -> None:
    down = [(3, 128), (128, 128), (128, 256), (256, 512), (512, 512)]
    up = [(512, 512), (1024, 256), (512, 128), (256, 128), (256, 3)]
    first, rest = down[:2], down[2:]
    expected = sum(9 * i * o + o for i, o in [*first, *up]) + sum(9 * i * o + 2 * o for i, o in rest)
    assert sum(p.numel() for p in Autoencoder().parameters()) == expected + 4 * 6 * 3 + 3


@pytest.mark.parametrize("channels", [(4,), (4, 6, 8), (4, 4, 6, 8, 8)])
def test_keeps_the_shape_and_trains_every_parameter(channels: tuple[int, ...]) -> None:
    net = Autoencoder(channels)
    assert net.stride == 2 ** len(channels)
    low = torch.rand(2, 3, net.stride, 3 * net.stride)
    enhanced = net(low)
    assert enhanced.shape == low.shape
    enhanced.square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_normalises_from_the_third_level_down_only() -> None:
    net = Autoencoder((2, 2, 2, 2, 2))
    normalised = [any(isinstance(layer, nn.BatchNorm2d) for layer in level) for level in net.down]
    assert normalised == [False, False, True, True, True]
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in net.up.modules())


def test_the_last_skip_is_the_input() -> None:
    """With the last convolution passing the input's half through, the network is the identity."""
    net = Autoencoder((2, 2)).eval()
    weight, bias = net.conv_out[1].weight, net.conv_out[1].bias
    with torch.no_grad():
        weight.zero_()
        bias.zero_()
        weight[:, 3:, 0, 0] = torch.eye(3)
    low = torch.rand(1, 3, 8, 12)
    assert torch.equal(net(low), low)


@pytest.mark.parametrize("channels", [(), (8, 0)])
def test_refuses_no_levels_and_empty_ones(channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="channels must be one or more positive widths"):
        Autoencoder(channels)
