"""Running one job: a photograph or a video."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("av")

from lowlight.inference.batch import enhance
from lowlight.inference.batch.enhance import enhance_job
from lowlight.inference.batch.jobs import Job
from lowlight.inference.photos.enhance import enhance_pixels
from lowlight.inference.settings import Settings
from lowlight.methods import Method, Supervised, TwoStages
from lowlight.networks import Autoencoder, CoarseToFine, MIRNet
from lowlight.runtimes.enhancer import Enhancer
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from tests.inference.video.clips import rgb_of, still, write_clip


class Blur(Enhancer):
    """Averages over 9x9 pixels, and records the images' sizes."""

    stride, name, halo = 4, "blur", None

    def __init__(self, halo: int | None = 4) -> None:
        self.halo = halo
        self.sizes: list[tuple[int, int]] = []

    def enhance(self, low: Tensor) -> Tensor:
        self.sizes.append((low.shape[-2], low.shape[-1]))
        return torch.nn.functional.avg_pool2d(low, 9, 1, 4, count_include_pad=False)


def test_a_frame_too_large_is_enhanced_in_tiles_that_do_not_show(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", still([0.3, 0.31], height=144, width=208))
    results, sizes = [], []
    for tile in (None, 64):
        blur, job = Blur(), Job(source, tmp_path / f"{tile}.mp4")
        assert enhance_job(blur, job, Settings(tile=tile)).status == "enhanced"
        results.append(rgb_of(job.target))
        sizes.append(blur.sizes[-1])
    whole, tiled = results
    assert sizes[0] == (144, 208)
    assert max(sizes[1]) < 144
    assert np.abs(np.subtract(whole, tiled, dtype=float)).max() <= 2


def test_frames_share_the_tiles_of_the_first_and_stay_whole_where_they_cannot_be_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_clip(tmp_path / "clip.mp4", still([0.3, 0.31, 0.3], height=144, width=208))
    job = Job(source, tmp_path / "bright.mp4")
    uncut = Blur(halo=None)
    assert enhance_job(uncut, job, Settings(max_memory=10**7)).status == "enhanced"
    assert set(uncut.sizes[-3:]) == {(144, 208)}
    with pytest.raises(ValueError, match=r"blur needs about .* may hold 0\.01 GB"):
        enhance_job(Blur(), job, Settings(max_memory=10**7))

    chosen = [64, 208]
    monkeypatch.setattr(enhance, "lasting_tile", lambda *_: chosen.pop(0))
    blur = Blur()
    enhance_job(blur, job, Settings())
    assert chosen == [208]
    assert max(blur.sizes) < (144, 208)


@pytest.mark.parametrize("tile", [1, 300])
@pytest.mark.parametrize(
    "make",
    [
        lambda: Supervised(Autoencoder([4] * 3)),
        lambda: Supervised(MIRNet(4, groups=1, blocks=1)),
        lambda: TwoStages(
            CoarseToFine(cells=16, coarse_channels=(8, 8), fine_channels=(8, 8)), coarse_epochs=1
        ),
    ],
    ids=["bounded", "pooling", "one_scene"],
)
def test_a_frame_of_floats_is_enhanced_as_a_photograph_and_not_rounded(
    make: Callable[[], Method], tile: int
) -> None:
    torch.manual_seed(0)
    enhancer, settings = TorchEnhancer(make()), Settings(fail_safe=False, tile=tile)
    deep = np.random.default_rng(0).integers(0, 2**14, (150, 180, 3)).astype(np.uint16)
    expected, _ = enhance_pixels(enhancer, deep, settings)
    frame = deep.astype(np.float32) / 65535
    enhanced, _ = enhance_pixels(enhancer, frame, settings)
    assert enhanced.dtype == np.float32
    assert np.abs(enhanced * 65535 - expected).max() < 1
    assert (enhanced * 65535 % 1 > 0.1).any()
    assert np.array_equal(frame, deep.astype(np.float32) / 65535)
