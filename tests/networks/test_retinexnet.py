"""RetinexNet: its size, its parts, and that any two networks of the form can be joined."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.retinexnet import Decomposition, Relighting, RetinexNet


def test_the_size_is_that_of_the_papers_layers() -> None:
    """The authors' code has 9x9 on 4 channels, five of 3x3, one to 4 channels; and the encoder."""
    conv = 64 * 64 * 9 + 64
    decomposition = (4 * 64 * 81 + 64) + 5 * conv + (64 * 4 * 9 + 4)
    relighting = (4 * 64 * 9 + 64) + 6 * conv + (3 * 64 * 64 + 64) + (64 * 9 + 1)
    with torch.device("meta"):
        net = RetinexNet(Decomposition(), Relighting())
    assert sum(weight.numel() for weight in net.decomposition.parameters()) == decomposition
    assert sum(weight.numel() for weight in net.relighting.parameters()) == relighting
    assert net.stride == 8


def test_the_decomposition_sees_the_greatest_channel_first() -> None:
    net = Decomposition(1, layers=0)
    for weight in net.parameters():
        nn.init.zeros_(weight)
    with torch.no_grad():
        net.shallow.weight[0, 0, 4, 4] = 1
        net.last.weight[3, 0, 1, 1] = 1
    image = torch.rand(2, 3, 5, 7)
    reflectance, illumination = net(image)
    assert reflectance.eq(0.5).all()
    torch.testing.assert_close(illumination, image.amax(1, keepdim=True).sigmoid())


def test_relighting_equals_its_layers_written_out() -> None:
    net = Relighting(4, levels=2)
    reflectance, illumination = torch.rand(1, 3, 8, 12), torch.rand(1, 1, 8, 12)

    def halved(features: Tensor, conv: nn.Module) -> Tensor:
        padded = torch.zeros(1, 4, features.shape[2] + 1, features.shape[3] + 1)
        padded[..., :-1, :-1] = features
        return F.relu(conv(padded))

    def doubled(features: Tensor) -> Tensor:
        return features.repeat_interleave(2, -1).repeat_interleave(2, -2)

    full = net.first(torch.cat([reflectance, illumination], 1))
    half = halved(full, net.downs[0])
    quarter = halved(half, net.downs[1])
    half = F.relu(net.ups[0](doubled(quarter))) + half
    full = F.relu(net.ups[1](doubled(half))) + full
    expected = net.last(net.fusion(torch.cat([doubled(half), full], 1)))
    kept, adjusted = net(reflectance, illumination)
    torch.testing.assert_close(adjusted, expected)
    assert kept is reflectance


class Halves(nn.Module):
    """A decomposition into half of the greatest channel and the rest."""

    stride = 6

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        light = image.amax(1, keepdim=True) / 2
        return image / light, light


class Restoring(nn.Module):
    """A relighting that changes the reflectance, too."""

    stride = 4

    def forward(self, reflectance: Tensor, illumination: Tensor) -> tuple[Tensor, Tensor]:
        return reflectance / 2, 4 * illumination


def test_any_decomposition_and_relighting_can_be_joined() -> None:
    net, low = RetinexNet(Halves(), Restoring()), torch.rand(1, 3, 12, 12)
    torch.testing.assert_close(net(low), 2 * low)
    assert net.stride == 12
