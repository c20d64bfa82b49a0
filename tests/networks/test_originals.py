"""Networks that equal published ones: their outputs, their weights' names, tiles, and what is refused."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight import losses
from lowlight.networks.channel_norm import ChannelNorm
from lowlight.networks.hvi import HVI
from lowlight.networks.hvi_cidnet import HVICIDNet
from lowlight.networks.iat import IAT
from lowlight.networks.nafnet import NAFNet
from lowlight.networks.original import Original, unwrapped
from lowlight.networks.receptive_field import recorded, replayed
from lowlight.networks.restormer import Restormer
from lowlight.networks.retinexformer import Retinexformer
from lowlight.networks.sci import SCI
from lowlight.networks.transposed_attention import ChannelWeights, attend
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from tests.networks.original_formula import dark_image, keys_of, published_state
from tests.tiny import tiny

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "originals.npz")
"""Outputs of our code when it matched the published outputs, on another image, to 2e-6."""

small_nafnet = partial(NAFNet, 16, (1, 1, 2), 1, (1, 1, 1))

PUBLISHED: dict[str, Callable[[], Original]] = {
    "nafnet": small_nafnet,
    "retinexformer": Retinexformer,
    "hvi_cidnet": HVICIDNet,
    "iat": IAT,
    "sci": SCI,
}


def size(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("name", PUBLISHED)
def test_computes_what_the_published_code_computes(name: str) -> None:
    net = PUBLISHED[name]().eval()
    net.load_original(published_state(net))
    with torch.inference_mode():
        enhanced = net(dark_image(24, 16))
    torch.testing.assert_close(enhanced, torch.from_numpy(GOLDEN[name]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("make", "parameters", "keys"),
    [
        (small_nafnet, 319_475, 1245186114),
        (Retinexformer, 1_605_701, 2301488813),
        (HVICIDNet, 1_975_569, 1939669488),
        (IAT, 91_154, 2837565744),
        (SCI, 258, 2184289405),
        (NAFNet, 29_159_715, None),
        (Restormer, 26_126_644, None),
    ],
)
def test_size_and_keys_are_the_published_ones(
    make: Callable[[], Original], parameters: int, keys: int | None
) -> None:
    with torch.device("meta"):
        net = make()
    assert size(net) == parameters
    assert keys in (keys_of(net), None)


def test_restormer_reads_the_published_names() -> None:
    with torch.device("meta"):
        names = set(Restormer().original_state_dict())
    assert {
        "patch_embed.proj.weight",
        "encoder_level1.0.norm1.body.weight",
        "encoder_level3.5.attn.temperature",
        "down1_2.body.0.weight",
        "latent.7.ffn.project_out.weight",
        "up4_3.body.0.weight",
        "reduce_chan_level3.weight",
        "decoder_level1.3.attn.qkv_dwconv.weight",
        "refinement.3.ffn.dwconv.weight",
        "output.weight",
    } <= names


@pytest.mark.parametrize("shift", [True, False])
def test_restormer_starts_at_its_input_without_its_output_layer(shift: bool) -> None:
    net = Restormer(4, (1, 1, 1, 1), 1, (1, 1, 2, 2), shift=shift)
    nn.init.zeros_(net.output.weight)
    low = dark_image(16, 24)
    assert torch.equal(net(low), low)


@pytest.mark.parametrize(
    "name", [*PUBLISHED, "restormer", "mirnet", "zero_dce", "zero_dce_pp", "enlighten_gan"]
)
def test_published_weights_are_written_and_read(name: str) -> None:
    net, other = tiny(name).net, tiny(name).net
    assert isinstance(net, Original)
    assert isinstance(other, Original)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1)
    other.load_original({"params": {f"module.{key}": w for key, w in net.original_state_dict().items()}})
    ours, theirs = net.state_dict(), other.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def exact(net: nn.Module, low: Tensor) -> tuple[Tensor, Tensor]:
    """Enhance an image, and a window of it that shares what was seen of the whole image."""
    with torch.inference_mode(), recorded(net) as statistics:
        whole = net(low)
    with torch.inference_mode(), replayed(net, statistics):
        return whole, net(low[..., :96, 16:208])


@pytest.mark.parametrize("name", ["nafnet", "retinexformer", "iat", "restormer"])
def test_windows_that_share_what_was_seen_of_the_image_equal_it(name: str) -> None:
    net = tiny(name).net.eval()
    for weight in net.parameters():
        nn.init.uniform_(weight, -0.4, 0.4)
    low = dark_image(128, 256) * torch.linspace(0, 1, 256).square()
    alone = net(low[..., :96, 16:208])
    whole, window = exact(net, low)
    torch.testing.assert_close(window[..., :16, 88:104], whole[..., :16, 104:120], atol=1e-5, rtol=1e-4)
    assert (alone - window).abs().max() > 1e-4


def test_windows_of_hvi_cidnet_are_close_to_the_image() -> None:
    """Its interpolation aligns the corners, so that features lie elsewhere in a window."""
    net = tiny("hvi_cidnet").net.eval()
    ramp = torch.linspace(0.05, 0.6, 256).expand(1, 3, 128, 256) * torch.tensor([1.0, 0.8, 0.6]).view(3, 1, 1)
    whole, window = exact(net, ramp)
    torch.testing.assert_close(window[..., :16, 88:104], whole[..., :16, 104:120], atol=0.02, rtol=0)


class TestTransposedAttention:
    """One product of matrices against the formula, pixel by pixel."""

    def test_equals_the_plain_formula(self) -> None:
        query, key, value = torch.rand(3, 2, 8, 5, 7).unbind()
        projection, temperature = torch.rand(6, 8), torch.tensor([0.5, 2.0]).view(2, 1, 1)
        queries, keys, values = (one.reshape(2, 2, 4, 35) for one in (query, key, value))
        cosine = torch.einsum("bhcn,bhdn->bhcd", queries, keys)
        cosine = cosine / queries.norm(dim=-1)[..., None] / keys.norm(dim=-1)[:, :, None]
        attended = (cosine * temperature).softmax(-1) @ values
        expected = torch.einsum("oc,bchw->bohw", projection, attended.reshape(2, 8, 5, 7))
        got = attend(ChannelWeights()(query, key, temperature), value, projection)
        torch.testing.assert_close(got, expected)

    @pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
    def test_black_is_no_division_by_zero_in_any_precision(self, precision: str) -> None:
        black, temperature = torch.zeros(1, 4, 5, 7), torch.ones(2, 1, 1)
        with TorchEnhancer(tiny("restormer"), precision).autocast():
            black = F.conv2d(black, torch.eye(4)[..., None, None])  # in 16 bits under autocast
            weights = ChannelWeights()(black, black, temperature)
        torch.testing.assert_close(weights.float(), torch.full((1, 2, 2, 2), 0.5))

    def test_norm_is_per_pixel(self) -> None:
        features = torch.rand(2, 6, 3, 4)
        norm = ChannelNorm(6)(features)
        torch.testing.assert_close(norm.mean(1), torch.zeros(2, 3, 4), atol=1e-5, rtol=0)
        torch.testing.assert_close(norm.var(1, correction=0), torch.ones(2, 3, 4), atol=1e-3, rtol=0)


class TestHVI:
    """The colour space of HVI-CIDNet."""

    COLOURS = torch.tensor(
        [[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1], [0.5, 0.5, 0.5], [0, 0, 0]]
    ).T[None, :, None]

    def test_converts_back(self) -> None:
        space = HVI()
        colours = torch.cat([self.COLOURS, torch.rand(1, 3, 1, 200)], dim=-1)
        torch.testing.assert_close(space.to_rgb(space(colours)), colours, atol=1e-3, rtol=0)

    def test_places_hues_on_a_circle_and_greys_at_its_centre(self) -> None:
        horizontal, vertical, value = HVI()(self.COLOURS).squeeze().unbind()
        turns = torch.atan2(vertical, horizontal)[:6] / (2 * torch.pi) % 1
        torch.testing.assert_close(turns * 6, torch.tensor([0.0, 2, 4, 1, 3, 5]), atol=1e-4, rtol=0)
        assert torch.stack([horizontal, vertical])[:, 6:].abs().max() == 0
        assert value.tolist() == [1, 1, 1, 1, 1, 1, 0.5, 0]

    def test_dark_colours_lie_closer_together(self) -> None:
        space = HVI()
        bright, dark = (space(level * self.COLOURS)[:, :2, :, :6].norm(dim=1) for level in (1.0, 0.01))
        assert (dark < 0.6 * bright).all()

    def test_is_exact_under_autocast_and_its_gradient_finite(self) -> None:
        space, colours = HVI(), self.COLOURS.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            converted = space(colours)
            back = space.to_rgb(converted)
        assert torch.equal(converted, space(self.COLOURS))
        (converted.square().sum() + back.sum()).backward()
        assert colours.grad is not None
        assert colours.grad.isfinite().all()
        assert space.density_k.grad is not None
        assert space.density_k.grad.isfinite().all()

    def test_a_part_of_the_loss_is_measured_in_it(self) -> None:
        net, (enhanced, high) = tiny("hvi_cidnet").net, torch.rand(2, 1, 3, 16, 16)
        loss = partial(losses.in_space_of_network, loss=losses.l1)
        expected = losses.l1(net.space(enhanced), net.space(high))
        total = partial(losses.weighted_sum, terms={"hvi": loss}, weights={"hvi": 2.0})
        assert torch.isclose(losses.apply_loss(total, enhanced, high, None, net), 2 * expected)
        with pytest.raises(ValueError, match=r"Conv2d has no space of its own: .* is for hvi_cidnet"):
            losses.apply_loss(loss, enhanced, high, None, nn.Conv2d(3, 3, 1))


class TestUnwrapped:
    """State dicts as published files hold them."""

    STATE: ClassVar = {"module.a": torch.ones(1)}

    @pytest.mark.parametrize(
        "loaded",
        [
            STATE,
            {"params": STATE},
            {"state_dict": STATE, "epoch": 3},
            {"params_ema": {}, "params": STATE},
            {"model": {"state_dict": STATE}},
        ],
    )
    def test_finds_the_state_dict(self, loaded: object) -> None:
        assert unwrapped(loaded) == {"a": torch.ones(1)}

    @pytest.mark.parametrize(
        ("loaded", "message"),
        [
            ([], "no state dict but a list"),
            ({}, "no state dict but a dict"),
            ({"params": {}}, "no state dict but a dict"),
            ({"epoch": 3}, "no named tensor: 'epoch'"),
            ({3: torch.ones(1)}, "no named tensor: 3"),
        ],
    )
    def test_refuses_what_is_none(self, loaded: object, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            unwrapped(loaded)


class TestRefusals:
    """Weights that do not fit leave the network as it was."""

    def test_names_what_is_missing_and_what_is_left_over(self) -> None:
        net = small_nafnet()
        state = published_state(net)
        before = net.intro.weight.clone()
        for key in [key for key in state if key.startswith("ending")]:
            del state[key]
        state["head"] = torch.ones(1)
        with pytest.raises(
            ValueError, match=r"ending.weight and 1 more are missing; head is unknown; .*width, encoder"
        ):
            net.load_original(state)
        assert torch.equal(net.intro.weight, before)

    def test_counters_of_batch_normalisation_may_be_missing(self) -> None:
        net = IAT()
        state = {key: value for key, value in published_state(net).items() if "batches_tracked" not in key}
        net.load_original(state)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: NAFNet(0), "width of at least 1"),
            (lambda: NAFNet(4, (1,), 1, (1, 1)), "as many encoder_blocks as decoder_blocks"),
            (lambda: Retinexformer(blocks=(1,)), "two levels of blocks"),
            (lambda: HVICIDNet((4, 4, 8)), "4 numbers of channels"),
            (lambda: Restormer(blocks=(1, 1)), "4 levels"),
        ],
    )
    def test_sizes_that_do_not_fit(self, make: Callable[[], Original], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            make()
