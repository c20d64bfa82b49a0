"""Illumination curves: the published networks, their weights, and every other size."""

import pytest
import torch

from lowlight.model import Model
from lowlight.networks import IlluminationCurves
from tests.networks.original_formula import dark_image, keys_of, published_state


def published(lighter: bool, **others: int) -> IlluminationCurves:
    return IlluminationCurves(separable=lighter, shared=lighter, **others)


@pytest.mark.parametrize(
    ("lighter", "parameters", "keys"), [(False, 79_416, 2491030642), (True, 10_561, 4181895172)]
)
def test_published_size_and_names(lighter: bool, parameters: int, keys: int) -> None:
    net = published(lighter)
    assert sum(weight.numel() for weight in net.parameters()) == parameters
    assert keys_of(net) == keys


@pytest.mark.parametrize(
    ("lighter", "expected"),
    [
        (False, [0.059762, 0.394184, 0.069505, 0.400736, 0.132149, 0.09971, 0.394669, 0.111937, 0.170371]),
        (True, [0.03459, 0.400974, 0.089255, 0.338758, 0.112654, 0.158343, 0.440477, 0.08344, 0.163291]),
    ],
)
def test_computes_what_the_original_computes(lighter: bool, expected: list[float]) -> None:
    """The stored values are those of our code when it matched the original's output to 3e-7."""
    net = published(lighter).eval()
    net.load_original({f"module.{key}": value for key, value in published_state(net).items()})
    with torch.inference_mode():
        enhanced = net(dark_image(20, 28))
    found = enhanced[0, :, [0, 7, 19], [0, 11, 27]].T.flatten()
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)


def test_refuses_the_other_networks_weights_and_stays() -> None:
    net = published(lighter=False)
    before = [weight.clone() for weight in net.parameters()]
    with pytest.raises(ValueError, match=r"e_conv1.weight and \d+ more are missing; .*scale"):
        net.load_original(published_state(published(lighter=True)))
    assert all(map(torch.equal, before, net.parameters()))


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
    net.load_original({key: 3 * value for key, value in published_state(net).items()})
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
        net.load_original(published_state(net))
    with torch.no_grad():
        difference = (whole(smooth) - reduced(smooth)).abs()
    assert 0 < difference.mean() < 0.02


@pytest.mark.parametrize("scale", [1, 4])
def test_a_tile_with_its_surroundings_is_as_in_the_whole(scale: int) -> None:
    net = published(lighter=True, scale=scale).eval()
    net.load_original(published_state(net))
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
