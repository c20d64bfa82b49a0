"""The grid, its matrices, and the fine stage under it."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from lowlight.colour import luminance
from lowlight.networks import CoarseToFine
from lowlight.networks.coarse_to_fine import DARK, WAYS, Scene, averaging_matrix, interpolation_matrix, turned
from lowlight.networks.two_pass import Window


def tiny(**options: object) -> CoarseToFine:
    torch.manual_seed(0)
    sizes = {"cells": 8, "coarse_channels": (8, 8), "fine_channels": (8, 8)}
    return CoarseToFine(**(sizes | options)).eval()  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_the_grid_keeps_the_mean_of_an_image_of_any_size(height: int, width: int) -> None:
    image = torch.rand(2, 3, height, width)
    cells = tiny().average(image)
    assert cells.shape == (2, 3, 8, 8)
    torch.testing.assert_close(cells.mean(dim=(2, 3)), image.mean(dim=(2, 3)))


def test_the_grid_averages_as_torch_does_where_cells_are_whole_pixels() -> None:
    image = torch.rand(1, 3, 32, 48)
    torch.testing.assert_close(tiny().average(image), F.avg_pool2d(image, (4, 6)))


def test_parts_of_an_image_add_up_to_its_averages() -> None:
    image, net = torch.rand(1, 3, 37, 53), tiny()
    columns = [Window(0, 20, 53), Window(20, 53, 53)]
    parts = [net.average(image[..., a:b], None, Window(a, b, c)) for a, b, c in columns]
    torch.testing.assert_close(sum(parts), net.average(image))


def test_what_the_coarse_stage_sees_of_a_cell_is_averaged_over_it() -> None:
    image = torch.rand(1, 3, 37, 53)
    coarse, fine = (tiny(samples=samples) for samples in (1, 2))
    assert fine.average(image).shape == (1, 3, 16, 16)
    torch.testing.assert_close(fine.pool(fine.average(image)), coarse.average(image))
    torch.testing.assert_close(fine.scene(image).low, coarse.scene(image).low)


def test_what_a_cell_holds_changes_its_exposure_if_seen() -> None:
    checks = torch.tensor([[0.2, 0.6], [0.6, 0.2]]).repeat(16, 16).expand(1, 3, 32, 32)
    plain = torch.full((1, 3, 32, 32), 0.4)
    for samples, differs in ((1, False), (4, True)):
        net = tiny(samples=samples)
        torch.nn.init.normal_(net.coarse.last.weight, 0, 1)
        difference = (net.scene(checks).bright - net.scene(plain).bright).abs().max()
        assert bool(difference > 1e-3) == differs


def test_the_grid_is_spread_as_torch_interpolates() -> None:
    low, net = torch.rand(1, 3, 36, 20), tiny()
    grid = torch.rand(1, 3, 8, 8)
    _, bright = net.prepare(low, Scene(grid, grid))
    torch.testing.assert_close(bright, F.interpolate(grid, (36, 20), mode="bilinear"))


@pytest.mark.parametrize("matrix", [averaging_matrix, interpolation_matrix])
def test_pixels_are_counted_beyond_what_16_bits_reach(matrix: Callable[..., Tensor]) -> None:
    window = Window(0, 3000, 3000)
    expected = matrix(window, 8, torch.empty(0))
    half = matrix(window, 8, torch.empty(0, dtype=torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert torch.equal(half, expected.bfloat16())


def test_averages_are_exact_under_autocast() -> None:
    image, net = torch.rand(1, 3, 32, 48), tiny()
    with torch.autocast("cpu", torch.bfloat16):
        assert (image @ image.mT).dtype == torch.bfloat16
        averages = net.average(image)
    assert averages.equal(net.average(image))


def test_no_cell_gets_darker() -> None:
    net = tiny()
    torch.nn.init.normal_(net.coarse.last.weight, 0, 2)
    low = torch.rand(4, 3, 32, 48)
    dark, bright = net.scene(low)
    assert (bright >= dark).all()
    assert (bright <= 1).all()
    assert bright.std() > 0.1


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("way", range(WAYS))
def test_a_photograph_on_its_side_or_mirrored_is_exposed_alike(way: int, samples: int) -> None:
    low, net = torch.rand(2, 3, 24, 40) / 5, tiny(samples=samples)
    assert torch.equal(turned(turned(low, way), way, back=True), low)
    decided = net.scene(turned(low, way)).bright
    torch.testing.assert_close(decided, turned(net.scene(low).bright, way))
    one = net.decide(net.average(turned(low, way)))
    assert way == 0 or (one - turned(net.decide(net.average(low)), way)).abs().max() > 1e-4


@pytest.mark.parametrize("later", [False, True])
def test_a_part_is_restored_as_in_the_whole(later: bool) -> None:
    low = (torch.rand(1, 3, 128, 64) * 3).round() / 255  # partly grey where black turns grey
    net = tiny(keeps_detail=later, samples=1 + later, greys_black=later)
    with torch.no_grad():
        whole, scene = net(low), net.scene(low)
        part = net.restore(low[:, :, 32:], scene, Window(32, 128, 128))
    torch.testing.assert_close(part[:, :, 40:], whole[:, :, 72:], rtol=0, atol=1e-5)
    assert (part - net(low[:, :, 32:])).abs().max() > 1e-3  # of which it is no whole of its own


@pytest.mark.parametrize(
    ("level", "blue", "noise", "kept"),
    [
        (1, 0, 0, 0.01),
        (1, 0, 2, 0.99),
        (1.7, 0, 0, 0.06),
        (3.4, 0, 0, 0.5),
        (9, 0, 0, 0.98),
        (200, 0, 0, 1),
        (1, 0.5, 0, 0.5),
        (1, 1, 0, 0.94),
    ],
)
def test_only_black_without_noise_and_a_colour_loses_the_others(
    level: float, blue: float, noise: float, kept: float
) -> None:
    torch.manual_seed(0)
    levels = torch.tensor([level, level, blue]).view(1, 3, 1, 1)
    low = (levels + noise * torch.randn(1, 3, 64, 64)) / 255
    plain, grey = tiny(keeps_detail=True), tiny(keeps_detail=True, greys_black=True)
    assert grey.colour_kept(low).mean() == pytest.approx(kept, abs=0.015)
    with torch.no_grad():
        before, after = plain(low), grey(low)
    torch.testing.assert_close(luminance(after), luminance(before), rtol=0, atol=1e-5)
    chroma, left = (one - luminance(one)[:, None] for one in (before, after))
    torch.testing.assert_close(left, chroma * grey.colour_kept(low), rtol=0, atol=1e-5)


@pytest.mark.parametrize("weight", [-9.0, 9.0])
def test_what_keeps_detail_mixes_the_ratio_image_into_the_coarse_one(weight: float) -> None:
    net = tiny(keeps_detail=True)
    torch.nn.init.zeros_(net.fine.last.weight)
    net.fine.last.bias.data = torch.tensor(12 * [0.1] + 4 * [weight])
    low = torch.rand(1, 3, 64, 32) / 2
    with torch.no_grad():
        dark, bright = (F.interpolate(grid, (64, 32), mode="bilinear") for grid in net.scene(low))
        restored = net(low)
    mixed = bright if weight < 0 else (low * bright / (dark + DARK)).clamp(max=1)
    torch.testing.assert_close(restored, mixed + 0.1, rtol=0, atol=1e-3)


@pytest.mark.parametrize("keeps_detail", [False, True])
def test_a_black_image_stays_finite(keeps_detail: bool) -> None:
    net = tiny(keeps_detail=keeps_detail)
    black = torch.zeros(1, 3, 8, 8, requires_grad=True)
    net(black).sum().backward()
    assert black.grad is not None
    assert black.grad.isfinite().all()


@pytest.mark.parametrize("sizes", [{"cells": 9}, {"coarse_channels": ()}, {"fine_channels": ()}])
def test_sizes_that_cannot_be_are_refused(sizes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cells=\d must be a multiple"):
        tiny(**sizes)


def test_the_published_sizes() -> None:
    net = CoarseToFine()
    assert sum(weight.numel() for weight in net.parameters()) == 2_411_887
    assert net.stride == 8
