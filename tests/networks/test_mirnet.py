"""MIRNet: the published structure, its weights, and every other size."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lowlight.networks import MIRNet
from lowlight.networks._mirnet_original import original_names
from lowlight.networks.mirnet import MRB, SKFF, Blur, Down, Up
from tests.networks.mirnet_formula import GOLDEN, dark_image, original_state_dict


@pytest.fixture(scope="module")
def original() -> dict[str, Tensor]:
    return original_state_dict()


def tiny(**sizes: int) -> MIRNet:
    return MIRNet(**({"channels": 4, "groups": 1, "blocks": 1} | sizes))


def size(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_published_size() -> None:
    with torch.device("meta"):
        assert size(MIRNet()) == 31_787_419
        assert size(MIRNet(shared_daus=False)) == 42_239_281


def test_computes_what_the_original_computes(original: dict[str, Tensor]) -> None:
    """The stored output is that of our code when it matched the original's output to 3e-7."""
    net = MIRNet()
    net.load_original(original)
    with torch.inference_mode():
        enhanced = net(dark_image(28, 20))
    golden = torch.from_numpy(np.load(GOLDEN / "mirnet_formula.npz")["enhanced"])
    torch.testing.assert_close(enhanced, golden, atol=1e-5, rtol=0)


def test_small_size_by_hand() -> None:
    """Counted on paper for one block of two streams (2 and 4 channels) and two columns."""
    daus = sum(2 * 9 * c * c + 50 + 2 * c + 2 * c * c for c in (2, 4)) + 1
    downs = (4 + 36 + 8 + 2) + 8
    ups = 2 * ((16 + 144 + 8 + 2) + 8)
    fusions = sum(4 * c + 1 + 2 * 4 * c for c in (2, 4))
    convolutions = 2 * 9 * 2 * 2 + 2 * (9 * 2 * 3)
    assert size(tiny(channels=2, streams=2)) == daus + downs + ups + fusions + convolutions


@settings(max_examples=12, deadline=None)
@given(
    channels=st.integers(1, 5),
    streams=st.integers(1, 4),
    columns=st.integers(1, 3),
    shared=st.booleans(),
    height=st.integers(1, 3),
    width=st.integers(1, 3),
)
def test_any_sizes_keep_the_shape_and_train_every_parameter(
    channels: int, streams: int, columns: int, shared: bool, height: int, width: int
) -> None:
    net = MIRNet(channels, groups=1, blocks=2, streams=streams, columns=columns, shared_daus=shared)
    low = torch.rand(1, 3, height * net.stride, width * net.stride)
    enhanced = net(low)
    assert enhanced.shape == low.shape
    enhanced.square().sum().backward()
    assert [name for name, parameter in net.named_parameters() if parameter.grad is None] == []


def test_gradients_are_not_zero() -> None:
    """Unreduced: a single squeezed channel would die by chance in its ReLU."""
    net = tiny(channels=12, reduction=1)
    net(torch.rand(2, 3, 16, 16)).square().sum().backward()
    assert [name for name, parameter in net.named_parameters() if not parameter.grad.any()] == []


def test_columns_share_their_dau() -> None:
    assert size(tiny(columns=1, streams=1)) == size(tiny(columns=3, streams=1))
    shared, unshared = (
        tiny(columns=3).groups[0].blocks[0],
        tiny(columns=3, shared_daus=False).groups[0].blocks[0],
    )
    assert [len(daus) for daus in shared.daus] == [1, 1, 1]
    assert [len(daus) for daus in unshared.daus] == [3, 3, 3]


def test_one_prelu_serves_all_daus() -> None:
    net = tiny(groups=2, blocks=2)
    blocks = [module for module in net.modules() if isinstance(module, MRB)]
    assert len({id(dau.body[1]) for block in blocks for daus in block.daus for dau in daus}) == 1


def test_fusion_weighs_across_branches() -> None:
    branch = torch.rand(2, 6, 5, 3)
    torch.testing.assert_close(SKFF(6, 3)([branch] * 3), branch)


def test_blur_is_fixed_and_keeps_a_constant() -> None:
    blur = Blur()
    assert list(blur.parameters()) == []
    assert blur.state_dict() == {}
    torch.testing.assert_close(blur(torch.full((1, 2, 6, 2), 0.7)), torch.full((1, 2, 3, 1), 0.7))


def test_scale_steps_double_and_halve() -> None:
    features = torch.rand(1, 6, 4, 10)
    assert Down(6)(features).shape == (1, 12, 2, 5)
    assert Up(6)(features).shape == (1, 3, 8, 20)


def test_state_dict_round_trip() -> None:
    net, other = tiny(shared_daus=False), tiny(shared_daus=False)
    other.load_state_dict(net.state_dict())
    low = torch.rand(1, 3, 8, 8)
    assert torch.equal(net(low), other(low))


@pytest.mark.parametrize("name", ["channels", "groups", "blocks", "streams", "columns", "reduction"])
def test_refuses_a_size_below_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        MIRNet(**{name: 0})


class TestLoadOriginal:
    """Weights that are loaded and weights that are refused."""

    def test_takes_data_parallel_keys_and_no_filters(self) -> None:
        net = tiny()
        state = {f"module.{key}": value for key, value in as_original(net).items() if "filt" not in key}
        other = tiny()
        other.load_original(state)
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))

    def test_takes_shared_weights_into_unshared_daus(self) -> None:
        net, other = tiny(), tiny(shared_daus=False)
        other.load_original(as_original(net))
        low = torch.rand(1, 3, 8, 8)
        torch.testing.assert_close(other(low), net(low))

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda state: state.pop("conv_in.weight"), "conv_in.weight is missing"),
            (lambda state: state.update(head=torch.zeros(1)), "head is unknown"),
            (
                lambda state: state.update({"conv_out.weight": torch.zeros(3, 5, 3, 3)}),
                r"conv_out.weight has shape \(3, 5, 3, 3\), not \(3, 4, 3, 3\)",
            ),
            (
                lambda state: state.update(
                    {"body.0.body.0.down.4_2.body.0.bot.0.filt": torch.ones(4, 1, 3, 3)}
                ),
                r"down.4_2.body.0.bot.0.filt is not the constant of this network",
            ),
            (
                lambda state: state["body.0.body.0.blocks.1.1.conv1x1.weight"].add_(1),
                r"blocks.1.1.conv1x1.weight differs from .*blocks.1.0.conv1x1.weight.*shared_daus",
            ),
        ],
    )
    def test_refuses_what_does_not_fit_and_stays(
        self, spoil: Callable[[dict[str, Tensor]], object], message: str
    ) -> None:
        net = tiny()
        before = [parameter.clone() for parameter in net.parameters()]
        state = {key: torch.zeros_like(value) for key, value in as_original(net).items()}
        spoil(state)
        with pytest.raises(ValueError, match=message):
            net.load_original(state)
        assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))

    def test_names_only_the_first_of_many(self, original: dict[str, Tensor]) -> None:
        with pytest.raises(
            ValueError, match=r"conv_in.weight has shape .*and \d+ more; build the network with"
        ):
            MIRNet(channels=32, groups=3).load_original(original)


def as_original(net: MIRNet) -> dict[str, Tensor]:
    """Write a small shared network's weights as the original would."""
    return {
        original: parameter.detach().clone()
        for name, parameter in net.named_parameters(remove_duplicate=False)
        for original in original_names(name, channels=4, blocks=1, sharing=2)
    }


def test_checkpointing_changes_neither_the_output_nor_a_gradient() -> None:
    low = torch.rand(1, 3, 16, 16)
    gradients, calls = [], []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        net = MIRNet(4, groups=1, blocks=2, checkpointing=checkpointing).train()
        first = next(module for module in net.modules() if isinstance(module, MRB))
        count: list[None] = []
        first.register_forward_pre_hook(lambda *_, count=count: count.append(None))
        enhanced = net(low)
        enhanced.square().mean().backward()
        gradients.append([enhanced.detach(), *(weight.grad for weight in net.parameters())])
        calls.append(len(count))
    assert calls == [1, 2]  # the second time to compute again what was not kept
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two)
