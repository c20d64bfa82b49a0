"""One job of any kind."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("av")

from lowlight.inference.folders import Job
from lowlight.inference.photographs import Settings
from lowlight.inference.work import enhance_job
from tests.inference.clips import rgb_of, still, write_clip


class Blur:
    """Averages over 9x9 pixels, and notes how large the images were."""

    stride, halo, name = 4, 4, "blur"

    def __init__(self) -> None:
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
