"""The attention-guided U-Net of EnlightenGAN and its discriminators."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.enlighten_gan import AttentionUNet, Discriminator, TwoDiscriminators, attention
from lowlight.networks.receptive_field import receptive_radius
from tests.networks.original_formula import dark_image, published_state


def size(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def plain(state: dict[str, Tensor], low: Tensor, align_corners: bool) -> Tensor:
    """Evaluate the published formula on its own weights, in [-1, 1] as published."""

    def conv(name: str, features: Tensor) -> Tensor:
        return F.conv2d(features, state[f"{name}.weight"], state[f"{name}.bias"], padding="same")

    def step(name: str, features: Tensor) -> Tensor:
        features = F.leaky_relu(conv(f"conv{name}", features), 0.2)
        if f"bn{name}.weight" not in state:
            return features
        mean, variance, weight, bias = (
            state[f"bn{name}.{key}"].view(1, -1, 1, 1)
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (features - mean) / (variance + 1e-5).sqrt() * weight + bias

    image = 2 * low - 1
    dark = [1 - (torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1) * (image + 1) / 2).sum(1, keepdim=True)]
    for _ in range(4):
        dark.append(F.max_pool2d(dark[-1], 2))
    skips = []
    features = torch.cat([image, dark[0]], 1)
    for level in range(1, 5):
        features = step(f"{level}_2", step(f"{level}_1", features))
        skips.append(features)
        features = F.max_pool2d(features, 2)
    features = step("5_2", step("5_1", features) * dark[4])
    for level in range(6, 10):
        larger = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=align_corners)
        joined = torch.cat([conv(f"deconv{level - 1}", larger), skips[9 - level] * dark[9 - level]], 1)
        features = step(f"{level}_2", step(f"{level}_1", joined))
    return (conv("conv10", features) * dark[0] + image + 1) / 2


@pytest.mark.parametrize("align_corners", [False, True])
def test_computes_the_published_formula_on_published_weights(align_corners: bool) -> None:
    net = AttentionUNet(4, align_corners).eval()
    state = published_state(net)
    net.load_original({f"module.{key}": value for key, value in state.items()})  # as DataParallel saves it
    low = dark_image(32, 48)
    with torch.inference_mode():
        enhanced = net(low)
    assert (enhanced - low).abs().mean() > 0.01
    torch.testing.assert_close(enhanced, plain(state, low, align_corners), atol=1e-5, rtol=1e-5)


def test_size_and_names_are_the_published_ones() -> None:
    with torch.device("meta"):
        net = AttentionUNet()
    widths = [32, 64, 128, 256, 512]
    sizes = [*zip([4, *widths[:-1]], widths, strict=True), (512, 256), (256, 128), (128, 64), (64, 32)]
    convs = [conv for inputs, outputs in sizes for conv in ((inputs, outputs), (outputs, outputs))]
    convs += [(512, 256), (256, 128), (128, 64), (64, 32)]  # after enlarging
    norms = sum(2 * 2 * outputs for _, outputs in sizes) - 2 * 32  # the last convolution is not normalised
    assert size(net) == sum(9 * a * b + b for a, b in convs) + norms + 3 * 32 + 3
    names = {name.rpartition(".")[0] for name in net.original_state_dict()}
    levels = {
        f"{kind}{level}_{number}" for kind in ("conv", "bn") for level in range(1, 10) for number in (1, 2)
    }
    assert names == (levels - {"bn9_2"}) | {"deconv5", "deconv6", "deconv7", "deconv8", "conv10"}


def test_attention_is_darkness() -> None:
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0.5, 0]]).T[None, :, None]
    torch.testing.assert_close(attention(colours).flatten(), torch.tensor([1.0, 0, 0.701, 0.7065]))


def test_white_is_left_as_it_is_and_black_is_changed_most() -> None:
    net = AttentionUNet(2).eval()
    nn.init.constant_(net.residual.weight, 0)
    nn.init.constant_(net.residual.bias, 0.6)
    white, grey, black = (net(torch.full((1, 3, 16, 16), level)) - level for level in (1.0, 0.5, 0.0))
    assert white.abs().max() < 1e-6
    torch.testing.assert_close(grey, torch.full_like(grey, 0.15))  # half of half of 0.6
    torch.testing.assert_close(black, torch.full_like(black, 0.3))


@pytest.mark.parametrize("align_corners", [False, True])
def test_a_window_equals_its_place_in_the_image_unless_corners_are_aligned(align_corners: bool) -> None:
    net = AttentionUNet(2, align_corners).eval()
    net.load_original(published_state(net))
    halo = receptive_radius(net, 16)
    assert halo is not None
    assert 64 < halo <= 128
    low = dark_image(16, 640)
    with torch.inference_mode():
        whole, window = net(low)[..., 288:352], net(low[..., 160:512])[..., 128:192]
    difference = (whole - window).abs().max()
    assert bool(difference > 1e-5) is align_corners
    assert difference < 0.02


def test_the_discriminators_are_the_published_ones() -> None:
    with torch.device("meta"):
        both = TwoDiscriminators()
        assert both.whole(torch.empty(1, 3, 320, 320)).shape == (1, 1, 13, 13)
        assert both.patch(torch.empty(6, 3, 32, 32)).shape == (6, 1, 5, 5)
    widths = [3, 64, 128, 256, 512, 512]
    convs = sum(16 * a * b + b for a, b in pairwise(widths)) + 16 * 512 + 1
    assert size(both.patch) == convs
    assert size(both.whole) == convs + 16 * 512 * 512 + 512 - 1
    assert Discriminator(2, 5)(torch.rand(1, 3, 1, 1)).shape[:2] == (1, 1)


@pytest.mark.parametrize(
    "make", [lambda: AttentionUNet(0), lambda: Discriminator(0, 4), lambda: Discriminator(4, 0)]
)
def test_impossible_sizes_are_refused(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(ValueError, match="channels"):
        make()
