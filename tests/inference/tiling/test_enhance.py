"""Tiles give the whole image's result in bounded memory."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lowlight.inference.tiling.enhance import enhance_array
from lowlight.inference.tiling.grid import Grid, finished
from lowlight.inference.tiling.memory_budget import FASTEST
from lowlight.inference.tiling.whole import overview, whole_image
from lowlight.memory import release, resident, taken_by
from lowlight.methods import Classical, Supervised, TwoStages
from lowlight.methods.classical import bilateral, clahe, gamma, histogram, identity
from lowlight.methods.retinex import lime, msrcr
from lowlight.networks import Autoencoder, CoarseToFine, MIRNet, UNet
from lowlight.networks.receptive_field import receptive_radius, recorded, replayed
from lowlight.networks.two_pass import Window
from lowlight.runtimes.enhancer import Enhancer
from lowlight.runtimes.pass_memory import UNKNOWN, measure_bytes_per_pixel
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from tests.conftest import photograph

ON_LINUX = sys.platform == "linux"


def noisy(height: int, width: int, dtype: type = np.uint8) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 6, (height, width, 3))
    dark = np.clip(photograph(1, height, width) / 3 + noise, 0, 255)
    return (dark * (np.iinfo(dtype).max / 255)).astype(dtype)


def settled(net: nn.Module) -> TorchEnhancer:
    """Wrap a network whose batch norms have statistics other than the initial ones."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    if isinstance(net, Autoencoder):  # whose output is not clamped by itself
        net.conv_out[1].weight.data *= 0.3
        net.conv_out[1].bias.data += 0.5
    return TorchEnhancer(Supervised(net))


def whole(enhancer: Enhancer, pixels: np.ndarray) -> np.ndarray:
    return enhance_array(enhancer, pixels, tile=max(pixels.shape))


def levels_apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


class Blur(Enhancer):
    """Averages over 9x9 pixels, and runs out of memory on images of more than ``largest`` pixels."""

    stride, name, halo = 4, "blur", None

    def __init__(self, halo: int | None = 4, largest: int = 10**9) -> None:
        self.halo = halo
        self.largest = largest
        self.seen: list[tuple[int, int]] = []

    def enhance(self, low: Tensor) -> Tensor:
        self.seen.append((low.shape[-2], low.shape[-1]))
        if low[0, 0].numel() > self.largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.nn.functional.avg_pool2d(low, 9, 1, 4, count_include_pad=False)


@pytest.mark.parametrize(
    ("net", "stride", "radius"),
    [
        (nn.Conv2d(3, 3, 7, padding=3), 1, 3),
        (nn.Conv2d(3, 3, 3, padding=60, dilation=60), 1, 60),
        (nn.Conv2d(3, 3, (1, 401), padding=(0, 200)), 1, 200),
        (Classical(identity).net, 1, 0),
        (Classical(gamma).net, 1, 0),
        (Classical(bilateral).net, 1, 3),
        (Classical(histogram).net, 1, None),
        (Classical(clahe).net, 1, None),
        (Classical(lime).net, 1, None),
        (MIRNet(4, groups=1, blocks=1), 4, None),
        (UNet(2, 3, norm="instance"), 8, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_radius(net: nn.Module, stride: int, radius: int | None) -> None:
    assert receptive_radius(net.train(), stride) == radius
    assert net.training


@pytest.mark.slow
def test_radius_of_a_function_of_the_whole_that_is_slow() -> None:
    assert receptive_radius(Classical(msrcr).net, 1) is None


@pytest.mark.parametrize(
    "net",
    [Autoencoder([4] * 3), Autoencoder([4] * 5), UNet(4, 3), UNet(4, 5)],
    ids=["ae3", "ae5", "u3", "u5"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiles_give_the_whole_image(net: nn.Module, dtype: type) -> None:
    """The sides are no multiples of the stride, so that padding is covered too."""
    enhancer, pixels = settled(net), noisy(331, 457, dtype)
    expected = whole(enhancer, pixels)
    assert expected.std() > np.iinfo(dtype).max / 50
    in_tiles = enhance_array(enhancer, pixels, tile=1)
    assert in_tiles.dtype == pixels.dtype
    assert levels_apart(in_tiles, expected) <= np.iinfo(dtype).max // 255


def test_tiles_share_the_exposure_of_the_whole() -> None:
    torch.manual_seed(0)
    net = CoarseToFine(cells=16, coarse_channels=(8, 8), fine_channels=(8, 8)).train()
    enhancer, pixels = TorchEnhancer(TwoStages(net, coarse_epochs=1)), noisy(331, 457, np.uint16)
    assert enhancer.halo is None
    assert net.eval().window_halo == enhancer.tiling.halo > 0
    assert not net.training
    expected = whole(enhancer, pixels)
    assert levels_apart(enhance_array(enhancer, pixels, tile=1), expected) <= 25
    assert levels_apart(enhance_array(TorchEnhancer(Supervised(net.train())), pixels, tile=1), expected) <= 25
    assert net.training
    top = whole(enhancer, pixels[:100])
    assert levels_apart(top, expected[:100]) > 257


class Normalised(nn.Module):
    """A two-pass network unknown to lowlight: scales an image to a mean of one half, then blurs it."""

    stride, window_halo = 4, 4

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        rows, columns = Window(0, height, height), Window(0, width, width)
        return self.restore(low, self.scene_of_windows([(low, rows, columns)]), rows, columns)

    def scene_of_windows(self, windows: Iterable[tuple[Tensor, Window, Window]]) -> Tensor:
        seen = list(windows)
        pixels = sum(image[0, 0].numel() for image, _, _ in seen)
        return sum(image.sum() for image, _, _ in seen) / (3 * pixels)

    def restore(self, low: Tensor, scene: Tensor, rows: Window, columns: Window) -> Tensor:
        assert low.shape[-2:] == (rows.stop - rows.start, columns.stop - columns.start)
        return torch.nn.functional.avg_pool2d(low / (2 * scene), 9, 1, 4, count_include_pad=False)


def test_any_network_may_decide_on_the_whole_image_and_be_tiled() -> None:
    enhancer, pixels = TorchEnhancer(Supervised(Normalised())), noisy(332, 456)
    in_tiles = enhance_array(enhancer, pixels, tile=1)
    assert levels_apart(in_tiles, whole(enhancer, pixels)) <= 1
    assert abs(in_tiles.mean() / 255 - 0.5) < 0.03


def test_bands_begin_at_multiples_of_the_stride() -> None:
    """Otherwise each would be padded in the middle of the image, and the whole seen wrongly."""
    bands = list(whole_image(noisy(600, 40), FASTEST, stride=12).bands())
    assert [band.shape[-2] % 12 for band in bands[:-1]] == [0] * (len(bands) - 1)
    assert len(bands) > 1
    assert sum(band.shape[-2] for band in bands) == 600


def test_what_cannot_be_cut_is_enhanced_whole_where_tiles_are_asked_for() -> None:
    enhancer, pixels = TorchEnhancer(Classical(histogram)), noisy(331, 457)
    assert np.array_equal(enhance_array(enhancer, pixels, tile=1), whole(enhancer, pixels))


def test_the_halo_is_needed() -> None:
    """Without it the result differs, so the equality above is not trivial."""
    enhancer, pixels = settled(Autoencoder([4] * 5)), noisy(331, 457)
    expected = whole(enhancer, pixels)
    enhancer.tiling = replace(enhancer.tiling, halo=0)
    assert levels_apart(enhance_array(enhancer, pixels, tile=1), expected) > 1


@pytest.mark.slow
@pytest.mark.parametrize("net", [MIRNet(6, groups=1, blocks=1), UNet(4, 3, norm="instance")])
def test_networks_that_pool_show_no_seams(net: nn.Module) -> None:
    """Compared with the untiled result under the same statistics, which isolates the tiles' effect."""
    enhancer, pixels = settled(net), noisy(300, 420)
    in_tiles = enhance_array(enhancer, pixels, tile=1)
    with enhancer.tiling.sharing(whole_image(pixels, FASTEST, enhancer.stride)):
        untiled = whole(enhancer, pixels)
    assert untiled.std() > 5
    assert levels_apart(in_tiles, untiled) <= 1


def test_pooling_is_replayed() -> None:
    net, low = MIRNet(4, groups=1, blocks=1).eval(), torch.rand(1, 3, 16, 24)
    with torch.inference_mode(), recorded(net) as statistics:
        expected = net(low)
    with torch.inference_mode(), replayed(net, statistics):
        torch.testing.assert_close(net(low), expected)
        other = net(torch.rand(2, 3, 8, 8))
    assert len(statistics) == 10  # 6 attentions, 3 exchanges and the last fusion
    torch.testing.assert_close(expected, net(low))
    assert other.shape == (2, 3, 8, 8)


def test_a_bright_corner_does_not_change_its_tile_alone() -> None:
    """Without shared statistics every tile would get its own exposure."""
    flat = noisy(300, 400)
    flat[:100, :100] = 250

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(1)

        def forward(self, low: Tensor) -> Tensor:
            return self.pool(low).expand_as(low)

    enhanced = enhance_array(TorchEnhancer(Supervised(Mean())), flat, tile=1)
    assert levels_apart(enhanced, np.broadcast_to(flat.mean((0, 1)).round(), flat.shape)) <= 1


@pytest.mark.parametrize("shape", [(40, 3000), (1, 5000), (333, 251)])
def test_the_overview_keeps_the_mean(shape: tuple[int, int]) -> None:
    pixels = noisy(*shape)
    small = overview(pixels, 500)
    assert max(small.shape) <= 500
    torch.testing.assert_close(small.mean().item(), pixels.mean() / 255, atol=4e-3, rtol=0)


@settings(max_examples=60, deadline=None)
@given(
    stride=st.sampled_from([1, 2, 4, 8, 12, 16, 32, 64]),
    halo=st.integers(0, 70),
    length=st.integers(1, 2000),
    larger=st.integers(0, 300),
    start=st.integers(0, 1999),
)
@example(stride=16, halo=3, length=199, larger=0, start=0)
def test_spans_cover_once(stride: int, halo: int, length: int, larger: int, start: int) -> None:
    grid, start = Grid(stride, halo), min(start, length - 1)
    side = grid.smallest + larger
    spans = grid.spans(length, side, start)
    weights = np.zeros(length, np.float32)
    for number, span in enumerate(spans):
        assert span.window.start % stride == 0
        assert span.window.stop == length or (span.window.stop - span.window.start) % stride == 0
        assert span.window.stop - span.window.start <= side
        weights[span.kept] += span.weights
        assert span.window.start == 0 or span.kept.start - span.window.start >= halo
        assert span.window.stop == length or span.window.stop - span.kept.stop >= halo
        assert finished(spans, number) > span.kept.start
    np.testing.assert_allclose(weights[start:], 1, atol=1e-6)
    assert not weights[:start].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 3), (37, 41)])
def test_any_shape(shape: tuple[int, int]) -> None:
    enhancer, pixels = settled(Autoencoder([4, 4])), noisy(*shape)
    assert levels_apart(enhance_array(enhancer, pixels, tile=1), whole(enhancer, pixels)) <= 1


def test_out_of_memory_halves_the_tile_and_goes_on() -> None:
    pixels, expected = noisy(900, 700), whole(Blur(), noisy(900, 700))
    small = Blur(largest=300 * 300)
    done: list[int] = []
    assert levels_apart(enhance_array(small, pixels, tile=900, progress=done.append), expected) <= 1
    assert sum(done) == 900 * 700
    too_large = [height * width for height, width in small.seen if height * width > 300 * 300]
    assert len(too_large) == 2  # the whole and the first tile of 450; those of 225 fit


def test_out_of_memory_in_the_middle_keeps_the_rows_that_are_done() -> None:
    class Filling(Blur):
        def enhance(self, low: Tensor) -> Tensor:
            if len(self.seen) == 9:
                self.largest = 200 * 200
            return super().enhance(low)

    pixels, filling = noisy(900, 700), Filling()
    done: list[int] = []
    enhanced = enhance_array(filling, pixels, tile=320, progress=done.append)
    assert levels_apart(enhanced, whole(Blur(), pixels)) <= 1
    assert sum(done) == 900 * 700
    assert all(height * width > 200 * 200 for height, width in filling.seen[:4])


def test_out_of_memory_at_the_smallest_tile_is_raised() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        enhance_array(Blur(largest=50), noisy(300, 300), tile=300)
    with pytest.raises(torch.OutOfMemoryError):
        enhance_array(Blur(halo=None, largest=50), noisy(300, 300), tile=300)


def test_finish_is_applied_before_rounding() -> None:
    pixels = noisy(300, 200)

    def halfway(low: np.ndarray, enhanced: np.ndarray) -> np.ndarray:
        assert low.shape == enhanced.shape
        return (low + enhanced) / 2

    in_tiles = enhance_array(TorchEnhancer(Classical(gamma)), pixels, tile=1, finish=halfway)
    low = pixels / 255
    assert levels_apart(in_tiles, ((low + low**0.4) / 2 * 255).round()) <= 1


def test_what_fits_goes_through_whole() -> None:
    enhancer, pixels = Blur(), noisy(300, 260)
    expected = enhancer.enhance(torch.from_numpy(pixels).movedim(-1, 0)[None] / 255)[0]
    expected = expected.mul(255).round().byte().movedim(0, -1).numpy()
    enhancer.seen.clear()
    assert np.array_equal(enhance_array(enhancer, pixels, max_memory=10**11), expected)
    assert enhancer.seen[-1] == (300, 260)


@pytest.mark.skipif(not ON_LINUX, reason="other systems do not tell a process its size")
class TestMemory:
    """Measuring, planning and refusing."""

    def test_measures_what_a_piece_of_work_takes(self) -> None:
        def work() -> None:
            for _ in range(20):
                np.ones(50_000_000, np.uint8).sum()

        assert 40e6 < taken_by(work) < 80e6

    def test_what_takes_next_to_nothing_is_not_planned_as_unknown(self) -> None:
        assert TorchEnhancer(Classical(identity)).bytes_per_pixel < UNKNOWN / 4

    def test_buffers_that_a_runtime_keeps_count(self) -> None:
        """OpenVINO allocates for the first pass at a size, and holds that for the next ones."""
        buffer = np.empty(0)

        def enhance(low: np.ndarray) -> np.ndarray:
            nonlocal buffer
            if buffer.size < 100 * low[0, 0].size:
                buffer = np.ones(100 * low[0, 0].size)
            return low

        assert measure_bytes_per_pixel(enhance, 4) > 800

    @pytest.mark.slow
    def test_less_memory_means_smaller_tiles(self) -> None:
        pixels, sizes = noisy(800, 800), []
        enhancer = Blur()
        enhancer.bytes_per_pixel = 500.0
        for extra in (10**11, 150 * 10**6, 60 * 10**6):
            enhancer.seen.clear()
            release()
            enhance_array(enhancer, pixels, max_memory=resident() + extra)
            sizes.append(max(height * width for height, width in enhancer.seen))
        assert sizes[0] == 800 * 800
        assert sizes[0] > sizes[1] > sizes[2]

    @pytest.mark.parametrize(
        "make", [Blur, lambda: Blur(None), lambda: settled(MIRNet(4, groups=1, blocks=1))]
    )
    def test_refuses_too_little(self, make: Callable[[], Enhancer]) -> None:
        message = r"needs about \d+\.\d\d GB for an image of 300x300 .* 0\.01 GB: raise --max-memory"
        with pytest.raises(ValueError, match=message):
            enhance_array(make(), noisy(300, 300), max_memory=10**7)


@pytest.mark.slow
@pytest.mark.skipif(not ON_LINUX, reason="other systems do not tell a process its size")
def test_the_process_stays_within_its_memory() -> None:
    """12 megapixels in 1 GB, in a new process, whose VmHWM is read (getrusage would inherit our peak)."""
    code = """
import re
from pathlib import Path
import numpy as np
from lowlight.inference.tiling.enhance import enhance_array
from lowlight.methods import Supervised
from lowlight.networks import Autoencoder
from lowlight.runtimes.torch_enhancer import TorchEnhancer
pixels = np.random.default_rng(0).integers(0, 60, (3000, 4000, 3), dtype=np.uint8)
enhance_array(TorchEnhancer(Supervised(Autoencoder([32, 32, 64]))), pixels, max_memory=10**9)
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 10**9
