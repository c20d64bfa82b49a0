"""Transposed convolutions that leave no checkerboard."""

from itertools import product

import pytest
import torch
from torch import nn

from lowlight.checkpoints import build
from lowlight.config import load_config
from lowlight.networks import Autoencoder, UNet
from lowlight.networks.upsampling import SmoothTransposed


def flat(channels: int = 3, side: int = 16) -> torch.Tensor:
    return torch.rand(2, channels, 1, 1, generator=torch.Generator().manual_seed(1)).expand(
        -1, -1, side, side
    )


def unevenness(features: torch.Tensor, border: int = 8) -> float:
    """Return the largest deviation of a channel from its mean, away from the borders, which zeros may pad."""
    inner = features[..., border : features.shape[-2] - border, border : features.shape[-1] - border]
    return (inner - inner.mean((2, 3), keepdim=True)).abs().max().item()


@pytest.mark.parametrize("kernel", [2, 4, 6])
def test_a_flat_input_stays_flat_whatever_the_weights(kernel: int) -> None:
    torch.manual_seed(0)
    conv = SmoothTransposed(3, 5, kernel)
    nn.init.normal_(conv.weight)
    assert conv(flat()).shape == (2, 5, 32, 32)
    assert unevenness(conv(flat()), border=0) < 1e-5
    plain = nn.ConvTranspose2d(3, 5, kernel, stride=2, padding=kernel // 2 - 1)
    plain.load_state_dict(conv.state_dict())  # the same names and shapes
    assert unevenness(plain(flat())) > 0.1


def test_equal_sums_are_kept_as_they_are() -> None:
    torch.manual_seed(0)
    conv = SmoothTransposed(3, 5)
    conv.start_smoothly()
    plain = nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1)
    plain.load_state_dict(conv.state_dict())
    features = torch.rand(2, 3, 6, 8)
    inner = (..., slice(1, -1), slice(1, -1))  # the borders are padded differently
    assert torch.allclose(conv(features)[inner], plain(features)[inner], atol=1e-6)


def test_it_starts_as_bilinear_interpolation() -> None:
    conv = SmoothTransposed(1, 1, bias=False)
    nn.init.constant_(conv.weight, 1 / 8)  # of sum 2, twice the interpolation's strength on flat inputs
    conv.start_smoothly()
    features = torch.rand(1, 1, 5, 7)
    wanted = nn.functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(conv(features), wanted, atol=1e-6)  # which repeats the edge, too


def test_the_strength_of_the_start_is_that_of_the_weights_it_replaces() -> None:
    torch.manual_seed(0)
    conv = SmoothTransposed(64, 64, bias=False)
    plain = nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1, bias=False)
    plain.load_state_dict(conv.state_dict())
    conv.start_smoothly()
    features = flat(64)
    assert conv(features).std().item() == pytest.approx(plain(features).std().item(), rel=0.3)


def test_the_presets_that_two_cores_train_leave_no_checkerboard_and_average_their_weights() -> None:
    for folder, name in product(("study", "lol_cpu"), ("autoencoder", "gan")):
        root = ["data.root=LOL"] if folder == "lol_cpu" else []
        config = load_config([f"experiment={folder}/{name}", *root])
        kinds = {type(one) for one in build(config.method).modules() if isinstance(one, nn.ConvTranspose2d)}
        assert kinds == {SmoothTransposed}
        assert "ema" in config.callbacks


@pytest.mark.parametrize("kernel", [0, 1, 3])
def test_a_kernel_that_the_stride_does_not_divide_is_refused(kernel: int) -> None:
    with pytest.raises(ValueError, match="multiple of the stride"):
        SmoothTransposed(1, 1, kernel)


@pytest.mark.parametrize(
    ("smooth", "plain"),
    [
        (Autoencoder((8, 8), kernel=4), Autoencoder((8, 8))),
        (UNet(8, 2, norm="none", smooth=True), UNet(8, 2, norm="none")),
    ],
    ids=["autoencoder", "unet"],
)
def test_a_network_of_them_enhances_a_flat_image_evenly(smooth: nn.Module, plain: nn.Module) -> None:
    torch.manual_seed(0)
    low = flat(side=64)
    for net, is_even in ((smooth, True), (plain, False)):
        for parameter in net.parameters():
            nn.init.normal_(parameter, 0, 0.2)
        with torch.no_grad():
            assert (unevenness(net.eval()(low), border=24) < 1e-5) == is_even
