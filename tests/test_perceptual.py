"""Losses of structure."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.checkpoints import build
from lowlight.colour import luminance
from lowlight.config import load_config
from lowlight.losses import Loss, ssim_loss
from lowlight.perceptual import (
    block_ssim_loss,
    gradient_loss,
    multi_scale_ssim_loss,
    self_feature_loss,
    structure_loss,
    vgg_loss,
)
from tests.tiny import TINY


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


@pytest.mark.parametrize("loss", [block_ssim_loss, gradient_loss, multi_scale_ssim_loss, structure_loss])
def test_losses_are_zero_scalars_with_finite_gradients_for_equal_images(loss: Loss) -> None:
    high = torch.rand(2, 3, 48, 48)
    enhanced = high.clone().requires_grad_()
    value = loss(enhanced, high)
    value.backward()
    assert value.shape == ()
    assert value.item() == pytest.approx(0, abs=1e-5)
    assert enhanced.grad.isfinite().all()


def test_multi_scale_ssim_averages_the_scales_that_are_large_enough() -> None:
    enhanced, high = torch.rand(2, 1, 3, 48, 60)
    first = ssim_loss(enhanced, high)
    half = ssim_loss(F.avg_pool2d(enhanced, 2), F.avg_pool2d(high, 2))
    quarter = ssim_loss(F.avg_pool2d(enhanced, 4), F.avg_pool2d(high, 4))
    torch.testing.assert_close(multi_scale_ssim_loss(enhanced, high), (first + half + quarter) / 3)
    torch.testing.assert_close(multi_scale_ssim_loss(enhanced, high, scales=5), (first + half + quarter) / 3)
    torch.testing.assert_close(multi_scale_ssim_loss(enhanced, high, scales=2), (first + half) / 2)
    with pytest.raises(ValueError, match="scales must be at least 1"):
        multi_scale_ssim_loss(enhanced, high, scales=0)


def test_the_gradient_loss_by_hand() -> None:
    image = torch.tensor([[0.0, 0.2], [0.6, 0.6]]).expand(1, 3, 2, 2)
    assert gradient_loss(image, torch.full_like(image, 0.3)).item() == pytest.approx(0.5 + 0.1)
    assert gradient_loss(image + 0.1, image).item() == pytest.approx(0, abs=1e-6)


def vgg(depths: tuple[int, ...]) -> nn.Sequential:
    """Build VGG's first three blocks and the pooling after them, in torchvision's order, at random."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    inputs = 3
    for depth, outputs in zip(depths, (64, 128, 256), strict=True):
        for _ in range(depth):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def to_torch(state: dict[str, Tensor], path: Path) -> str:
    torch.save(state, path)
    return str(path)


def to_safetensors(state: dict[str, Tensor], path: Path) -> str:
    save_file(state, path.with_suffix(".safetensors"))
    return str(path.with_suffix(".safetensors"))


@pytest.mark.parametrize(("depths", "ends"), [((2, 2, 3), (4, 9, 16)), ((2, 2, 4), (4, 9, 18))])
@pytest.mark.parametrize("write", [to_torch, to_safetensors])
def test_vgg_features_are_those_of_the_networks_that_the_file_holds(
    depths: tuple[int, ...], ends: tuple[int, ...], write: Callable[..., str], tmp_path: Path
) -> None:
    """VGG-16 and VGG-19, which differ from their third block on; each block ends before its pooling."""
    net = vgg(depths)
    weights = write({f"features.{key}": value for key, value in net.state_dict().items()}, tmp_path / "w.pth")
    enhanced, high = torch.rand(2, 1, 3, 16, 16)
    enhanced.requires_grad_()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x, y = (enhanced - mean) / deviation, (high - mean) / deviation
    expected = torch.stack([F.l1_loss(net[:end](x), net[:end](y)) for end in ends]).mean()
    state = torch.get_rng_state()
    with torch.inference_mode():  # a validation before the first step
        vgg_loss(high, high, weights, blocks=3)
    assert torch.equal(state, torch.get_rng_state())
    loss = vgg_loss(enhanced, high, weights, blocks=3)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert enhanced.grad.any()
    assert vgg_loss(high, high, weights, blocks=3) == 0


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_file_that_is_no_vgg_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    loss = partial(vgg_loss, *torch.rand(2, 1, 3, 16, 16), blocks=1)
    with pytest.raises(ValueError, match="no such file; vgg_loss needs weights"):
        loss(str(tmp_path / "missing.pth"))
    torch.save({"0.weight": Touch(tmp_path / "run")}, tmp_path / "bad.pth")
    with pytest.raises(ValueError, match=r"bad\.pth: is no file of VGG weights") as caught:
        loss(str(tmp_path / "bad.pth"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="it holds more than named tensors"):
        loss(str(tmp_path / "other.pth"))
    torch.save({"features.0.weight": torch.zeros(64, 3, 5, 5)}, tmp_path / "shape.pth")
    with pytest.raises(ValueError, match=r"features\.0\.weight of shape \(64, 3, 3, 3\) is missing"):
        loss(str(tmp_path / "shape.pth"))


def test_vgg_refuses_impossible_blocks_and_sides() -> None:
    with pytest.raises(ValueError, match="VGG has 5 blocks, got blocks=0"):
        vgg_loss(*torch.rand(2, 1, 3, 16, 16), "a.pth", blocks=0)
    with pytest.raises(ValueError, match="sides of 8 pixels, got 7x40"):
        vgg_loss(*torch.rand(2, 1, 3, 7, 40), "a.pth")


def test_a_vgg_term_is_added_on_the_command_line_and_needs_its_file_in_training_only() -> None:
    term = "+method.loss.terms.vgg={_target_: lowlight.perceptual.vgg_loss, _partial_: true, weights: w.pth}"
    method = build(load_config(["method=tpet", *TINY["tpet"], term, "+method.loss.weights.vgg=0.1"]).method)
    low = torch.rand(1, 3, 16, 16)
    assert method.enhance(low).shape == low.shape
    with pytest.raises(ValueError, match=r"w\.pth: no such file"):
        method.loss(low, {"low": low, "high": low, "name": ["a"]})


def test_structure_is_the_correlation_in_windows() -> None:
    high = torch.rand(1, 3, 8, 9)
    enhanced = 0.5 * high + 0.3 * torch.rand(1, 3, 8, 9)
    expected = []
    for top in (0, 1):
        for left in (0, 1, 2):
            windows = (one[..., top : top + 7, left : left + 7].numpy() for one in (enhanced, high))
            x, y = (window.reshape(3, 49) for window in windows)
            expected += [np.corrcoef(one, other)[0, 1] for one, other in zip(x, y, strict=True)]
    loss = structure_loss(enhanced, high, scales=1, c=1e-9)
    assert loss.item() == pytest.approx(1 - np.mean(expected), abs=1e-4)


def test_structure_ignores_exposure_and_noise_of_rounding_but_not_what_is_elsewhere() -> None:
    high = torch.rand(2, 3, 32, 32)
    ramp = torch.linspace(1, 1.2, 32)
    assert structure_loss(0.3 * high + 0.5, high) < 0.01
    assert structure_loss(0.3 * ramp * high, high) < 0.05
    flat = torch.full_like(high, 0.1)
    assert structure_loss(4 * (flat + 1e-4 * high), flat) < 0.01
    assert structure_loss(high.roll(5, dims=-1), high) > 0.5
    assert structure_loss(1 - high, high) > 1.9
    with pytest.raises(ValueError, match="scales and size must be at least 1"):
        structure_loss(high, high, scales=0)


def test_structure_takes_images_of_any_size() -> None:
    for sides in ((1, 1), (1, 40), (5, 9)):
        enhanced, high = torch.rand(2, 1, 3, *sides)
        assert 0 <= structure_loss(enhanced, high) <= 2


def test_self_features_are_normalised_per_channel(tmp_path: Path) -> None:
    """The features after the first convolution of VGG-16's fifth block, without the pooling before it."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    sizes = [(3, 64), (64, 64), None, (64, 128), (128, 128), None, (128, 256), (256, 256), (256, 256), None]
    sizes += [(256, 512), (512, 512), (512, 512), None, (512, 512), (512, 512), (512, 512)]
    for one in sizes:
        layers += [nn.MaxPool2d(2)] if one is None else [nn.Conv2d(*one, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*layers)
    weights = to_torch(
        {f"features.{key}": value for key, value in net.state_dict().items()}, tmp_path / "w.pth"
    )
    enhanced, high = torch.rand(2, 1, 3, 16, 24)
    enhanced.requires_grad_()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    normalised = []
    for image in (enhanced, high):
        features = net[24:26](net[:23]((image - mean) / deviation))
        variance, average = torch.var_mean(features, dim=(2, 3), keepdim=True, correction=0)
        normalised.append((features - average) / (variance + 1e-5).sqrt())
    loss = self_feature_loss(enhanced, high, weights)
    torch.testing.assert_close(loss, (normalised[0] - normalised[1]).square().mean())
    loss.backward()
    assert enhanced.grad.any()
    with pytest.raises(ValueError, match="sides of 16 pixels, got 15x40"):
        self_feature_loss(*torch.rand(2, 1, 3, 15, 40), weights)
