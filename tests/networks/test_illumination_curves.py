"""Illumination curves: the published networks, their weights, and every other size."""

import math
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from lowlight.model import Model
from lowlight.networks import IlluminationCurves


def published(lighter: bool, **others: int) -> IlluminationCurves:
    return IlluminationCurves(separable=lighter, shared=lighter, **others)


def noise(size: int, phase: float) -> Tensor:
    """Draw reproducible values in [-1, 1)."""
    wave = np.sin(7.1234 * np.arange(size) + phase) * 21943.117
    return torch.from_numpy(2 * (wave - np.floor(wave)) - 1)


def formula(net: IlluminationCurves) -> dict[str, Tensor]:
    """Make an original state dict for a network by formula."""
    state = {}
    for key, value in net.estimate.state_dict().items():
        values = noise(value.numel(), zlib.crc32(key.encode()) % 4099)
        fan_in = math.prod(value.shape[1:]) if value.ndim > 1 else value.numel()
        state[key] = (1.2 / math.sqrt(fan_in) * values).reshape(value.shape).float()
    return state


def dark_image(height: int, width: int) -> Tensor:
    return (0.2 + 0.2 * noise(3 * height * width, 0.5)).reshape(1, 3, height, width).float()


@pytest.mark.parametrize(("lighter", "parameters"), [(False, 79_416), (True, 10_561)])
def test_published_size_and_names(lighter: bool, parameters: int) -> None:
    net = published(lighter)
    assert sum(weight.numel() for weight in net.parameters()) == parameters
    part = ".point_conv" if lighter else ""
    assert net.estimate.state_dict()[f"e_conv7{part}.weight"].shape[:2] == (3 if lighter else 24, 64)


@pytest.mark.parametrize(
    ("lighter", "expected"),
    [
        (False, [0.095649, 0.481909, 0.08025, 0.56105, 0.174598, 0.123032, 0.542572, 0.155027, 0.196071]),
        (True, [0.023538, 0.184837, 0.1135, 0.35332, 0.018255, 0.238321, 0.620874, 0.008336, 0.147074]),
    ],
)
def test_computes_what_the_original_computes(lighter: bool, expected: list[float]) -> None:
    """The stored values are those of our code when it matched the original's output to 3e-7."""
    net = published(lighter).eval()
    net.load_original({f"module.{key}": value for key, value in formula(net).items()})
    with torch.inference_mode():
        enhanced = net(dark_image(20, 28))
    found = enhanced[0, :, [0, 7, 19], [0, 11, 27]].T.flatten()
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("e_conv1.bias"), "e_conv1.bias is missing"),
        (lambda state: state.update(head=torch.zeros(1)), "head is unknown"),
        (
            lambda state: state.update({"e_conv7.weight": torch.zeros(3, 64, 3, 3)}),
            r"e_conv7.weight has shape \(3, 64, 3, 3\), not \(24, 64, 3, 3\)",
        ),
    ],
)
def test_refuses_weights_that_do_not_fit_and_stays(
    spoil: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    net = published(lighter=False)
    before = [weight.clone() for weight in net.parameters()]
    state = formula(net)
    spoil(state)
    with pytest.raises(ValueError, match=message):
        net.load_original(state)
    assert all(map(torch.equal, before, net.parameters()))


def test_names_the_remedy_where_the_weights_are_the_other_networks() -> None:
    with pytest.raises(ValueError, match=r"is missing; .* and \d+ more; .*separable=True and shared=True"):
        published(lighter=False).load_original(formula(published(lighter=True)))


@pytest.mark.parametrize("shared", [False, True])
def test_curves_by_hand(shared: bool) -> None:
    """Two iterations: from 0.5 by r = -1 to 0.75, and by r = -1 again to 0.9375; or by r = 1 to 0.5625."""
    net = IlluminationCurves(4, iterations=2, shared=shared)
    low = torch.full((1, 3, 2, 2), 0.5)
    maps = torch.full((1, 3, 2, 2), -1.0)
    if shared:
        torch.testing.assert_close(net.bend(low, maps), torch.full_like(low, 0.9375))
    else:
        torch.testing.assert_close(net.bend(low, torch.cat([maps, -maps], 1)), torch.full_like(low, 0.5625))


@pytest.mark.parametrize("lighter", [False, True])
def test_keeps_black_white_and_the_order_of_values(lighter: bool) -> None:
    net = published(lighter).eval()
    net.load_original({key: 3 * value for key, value in formula(net).items()})
    low = torch.linspace(0, 1, 11).expand(1, 3, 5, 11)
    maps = net.maps(low)
    same = maps.mean((2, 3), keepdim=True).expand_as(maps)
    with torch.no_grad():
        enhanced = net.bend(low, same)
    assert enhanced[..., 0].eq(0).all()
    torch.testing.assert_close(enhanced[..., -1], torch.ones(1, 3, 5))
    assert (enhanced.diff(dim=-1) > 0).all()


def test_maps_of_a_smaller_image_are_estimated_there_but_in_training() -> None:
    net = published(lighter=True, scale=12)
    seen: list[tuple[int, ...]] = []
    net.estimate.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[-2:])))
    low = dark_image(48, 60)
    assert net.train()(low).shape == net.eval()(low).shape == low.shape
    assert seen == [(48, 60), (4, 5)]


def test_maps_of_a_smaller_image_are_nearly_those_of_the_image() -> None:
    smooth = torch.nn.functional.interpolate(dark_image(4, 5), (96, 120), mode="bilinear")
    whole, reduced = (published(lighter=True, scale=scale).eval() for scale in (1, 4))
    for net in (whole, reduced):
        net.load_original(formula(net))
    with torch.no_grad():
        difference = (whole(smooth) - reduced(smooth)).abs()
    assert 0 < difference.mean() < 0.02


@pytest.mark.parametrize("scale", [1, 4])
def test_a_tile_with_its_surroundings_is_as_in_the_whole(scale: int) -> None:
    net = published(lighter=True, scale=scale).eval()
    net.load_original(formula(net))
    halo = Model(net).halo
    assert halo is not None
    margin = -(-halo // scale) * scale
    low = dark_image(scale * 8, 4 * margin)
    with torch.no_grad():
        whole, tile = net(low), net(low[..., margin : 3 * margin])
    inside = slice(2 * margin - scale, 2 * margin + scale)
    torch.testing.assert_close(tile[..., margin - scale : margin + scale], whole[..., inside])


@pytest.mark.parametrize("name", ["channels", "iterations", "scale"])
def test_refuses_a_size_below_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        IlluminationCurves(**{name: 0})  # type: ignore[arg-type]
