"""The pix2pix generator."""

import pytest
import torch
from torch import nn

from lowlight.networks import UNet


def test_published_size_by_hand() -> None:
    """16 weights per channel pair of a convolution; 2 values per channel of a norm, instead of the bias."""
    down = [(3, 64), (64, 128), (128, 256), (256, 512), *[(512, 512)] * 4]
    up = [(512, 512), *[(1024, 512)] * 3, (1024, 256), (512, 128), (256, 64), (128, 3)]
    weights = sum(16 * i * o for i, o in down + up)
    norms = sum(2 * o for _, o in down[1:-1] + up[:-1])
    biases = 64 + 512 + 3
    with torch.device("meta"):
        assert sum(p.numel() for p in UNet().parameters()) == weights + norms + biases


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("depth", [2, 3, 6])
def test_keeps_the_shape_and_trains_every_parameter(norm: str, depth: int) -> None:
    net = UNet(2, depth, norm)
    assert net.stride == 2**depth
    low = torch.rand(2, 3, net.stride, 3 * net.stride)
    enhanced = net(low)
    assert enhanced.shape == low.shape
    enhanced.square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_trains_on_a_single_image_of_one_stride(norm: str) -> None:
    """The innermost level is a single pixel then."""
    net = UNet(2, 8, norm, dropout=0)
    low = torch.rand(1, 3, 256, 256)
    net(low).square().sum().backward()
    assert all(level[1].weight.grad.any() for level in [*net.down[1:], *net.up])


def test_works_in_minus_one_to_one_inside() -> None:
    """A zero output of the last level is mid grey for any input; the first level sees grey as zero."""
    net = UNet(2, 3).eval()
    seen = []
    net.down[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    nn.init.zeros_(net.up[-1][1].weight)
    assert torch.equal(net(torch.full((1, 3, 8, 8), 0.5)), torch.full((1, 3, 8, 8), 0.5))
    assert not seen[0].any()


def test_output_is_an_image_even_untrained() -> None:
    enhanced = UNet(2, 3)(torch.rand(2, 3, 16, 16) * 10)
    assert enhanced.min() >= 0
    assert enhanced.max() <= 1


@pytest.mark.parametrize(("depth", "levels"), [(5, []), (6, [0]), (8, [0, 1, 2])])
def test_only_the_inner_decoder_drops_out(depth: int, levels: list[int]) -> None:
    net = UNet(1, depth)
    dropping = [i for i, level in enumerate(net.up) if any(isinstance(x, nn.Dropout) for x in level)]
    assert dropping == levels
    assert not any(isinstance(x, nn.Dropout) for x in UNet(1, depth, dropout=0).modules())


def test_convolutions_start_as_the_paper_says() -> None:
    weights = torch.cat([p.flatten() for n, p in UNet(16, 4).named_parameters() if p.ndim == 4])
    assert abs(weights.mean()) < 1e-3
    assert abs(weights.std() - 0.02) < 1e-3


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"channels": 0}, "channels must"),
        ({"depth": 1}, "depth at least 2"),
        ({"norm": "layer"}, "got 'layer'"),
    ],
)
def test_refuses_impossible_sizes(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UNet(**sizes)
