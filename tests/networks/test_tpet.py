"""TPET: two stages, global attention across channels, tiles that share it."""

import numpy as np
import pytest
import torch

from lowlight.inference.tiling.enhance import enhance_array
from lowlight.losses import charbonnier
from lowlight.methods import DeeplySupervised
from lowlight.networks import TPET
from lowlight.networks.receptive_field import recorded, replayed
from lowlight.networks.staged import Staged
from lowlight.networks.tpet import ChannelAttention, FeatureFusion, SelfCalibration
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from tests.conftest import photograph


def tiny(**sizes: object) -> TPET:
    torch.manual_seed(0)
    return TPET(**({"channels": 4, "blocks": (1, 1), "heads": (1, 2), "detail_units": 1} | sizes))


@pytest.mark.parametrize("blocks", [(1, 1), (2, 1, 1)])
def test_keeps_the_shape_and_trains_every_parameter(blocks: tuple[int, ...]) -> None:
    net = tiny(blocks=blocks, heads=(2,) * len(blocks))
    assert net.stride == 2 ** (len(blocks) - 1)
    low = torch.rand(2, 3, 2 * net.stride, 3 * net.stride)
    enhanced = net(low)
    assert enhanced.shape == low.shape
    enhanced.square().sum().backward()
    assert [name for name, weight in net.named_parameters() if not weight.grad.any()] == []


def test_the_second_stage_adds_to_the_image_of_the_first() -> None:
    net = tiny()
    assert isinstance(net, Staged)
    low = torch.rand(1, 3, 8, 8)
    first, second = net.stages(low)
    assert torch.equal(net(low), second)
    assert not torch.equal(first, second)
    torch.nn.init.zeros_(net.conv_out.weight)
    torch.nn.init.zeros_(net.conv_out.bias)
    assert torch.equal(net(low), first)


def test_attention_mixes_channels_by_the_cosines_between_them() -> None:
    attend = ChannelAttention(heads=2)
    torch.nn.init.constant_(attend.temperature, 3.0)
    features = torch.rand(1, 12, 5, 6) - 0.5
    query, key, value = features[0].flatten(1).split(4)
    expected = []
    for head in (slice(0, 2), slice(2, 4)):
        cosines = torch.nn.functional.cosine_similarity(query[head, None], key[None, head], dim=-1)
        expected.append((3 * cosines).softmax(1) @ value[head])
    torch.testing.assert_close(attend(features), torch.cat(expected).view(1, 4, 5, 6))


def test_attention_weights_do_not_depend_on_the_size() -> None:
    attend = ChannelAttention(heads=1)
    query, key = torch.rand(2, 1, 2, 8, 8)
    larger = (one.repeat(1, 1, 3, 2) for one in (query, key))
    weights = attend.weigh(query, key, attend.temperature)
    torch.testing.assert_close(weights, attend.weigh(*larger, attend.temperature))


def test_fusion_stays_between_the_two_levels() -> None:
    fuse = FeatureFusion(2)
    own, coarser = torch.rand(1, 2, 8, 8), torch.rand(1, 4, 4, 4)
    between = (fuse(own, coarser) - fuse.up(coarser)) / (own - fuse.up(coarser))
    assert between.min() > 0
    assert between.max() < 1


def test_the_first_image_gates_the_features() -> None:
    calibrate, low, features = SelfCalibration(2), torch.rand(1, 3, 6, 6), torch.rand(1, 2, 6, 6)
    image, gated = calibrate(features, low)
    torch.testing.assert_close(image, low + calibrate.image(features))
    torch.nn.init.constant_(calibrate.gate.bias, -1e4)  # closed
    torch.testing.assert_close(calibrate(features, low)[1], features)
    assert not torch.allclose(gated, features)


def test_attention_is_replayed() -> None:
    net, low = tiny().eval(), torch.rand(1, 3, 16, 24)
    with torch.inference_mode(), recorded(net) as statistics:
        expected = net(low)
    assert len(statistics) == 3  # two levels of the encoder, one of the decoder
    torch.testing.assert_close(net(low), expected)
    with torch.inference_mode(), replayed(net, statistics):
        torch.testing.assert_close(net(low), expected)
        window = net(low[..., :12, :16])
    torch.testing.assert_close(window[..., :2, :6], expected[..., :2, :6], atol=1e-5, rtol=1e-5)


def test_tiles_share_the_attention_of_the_whole_image() -> None:
    net = tiny().eval()
    for module in net.modules():
        if isinstance(module, ChannelAttention):
            torch.nn.init.constant_(module.temperature, 50.0)  # sharp, as after a long training
    enhancer = TorchEnhancer(DeeplySupervised(net))
    assert enhancer.halo is None
    dark = photograph(1, 200, 260) // 4
    dark[:, :100] = dark[:, :100, ::-1]  # channels are related otherwise on the left
    whole, tiled, alone = (
        enhance_array(enhancer, image, tile=tile).astype(int)
        for image, tile in ((dark, 512), (dark, 160), (dark[:, :100], 512))
    )
    assert np.abs(whole - tiled).max() <= 2
    assert np.abs(whole[:, :30] - alone[:, :30]).max() > 4


def test_overfits_one_pair() -> None:
    net = tiny(channels=8)
    high = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 6), 32, mode="bicubic").clamp(0, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        losses.append(charbonnier(net(0.1 * high), high))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 4


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"blocks": (1,), "heads": (1,)}, "at least 2 levels"),
        ({"heads": (1, 1, 1)}, "as long as each other"),
        ({"heads": (3, 1)}, "heads=3 must divide the 4 channels"),
        ({"detail_units": 0}, "must be at least 1"),
    ],
)
def test_refuses_impossible_sizes(sizes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**sizes)
