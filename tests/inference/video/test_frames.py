"""A few frames of a video."""

from pathlib import Path

import numpy as np
import pytest

from lowlight.inference.video.frames import sample_frames
from tests.inference.video.clips import still, write_clip


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_frames_are_spread_over_the_video(tmp_path: Path, suffix: str) -> None:
    levels = [(1 + number) / 25 for number in range(24)]
    clip = write_clip(tmp_path / f"clip{suffix}", still(levels))
    frames = list(sample_frames(clip, 3))
    assert [seconds for seconds, _ in frames] == pytest.approx([0.16, 0.48, 0.8], abs=0.09)
    wanted = still([levels[round(seconds * 25)] for seconds, _ in frames])
    for (_, pixels), frame in zip(frames, wanted, strict=True):
        assert pixels.dtype == np.float32
        assert pixels.mean() == pytest.approx(frame.mean() / 255, abs=0.01 if suffix != ".avi" else 0.05)


def test_a_rotated_video_is_shown_upright(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.5] * 5), rotation=90)
    ((_, pixels),) = sample_frames(clip, 1)
    assert pixels.shape == (64, 48, 3)
    turned = np.rot90(still([0.5])[0])  # 90 degrees counter-clockwise
    assert np.abs(pixels * 255 - turned).mean() < 4


def test_more_frames_than_there_are_give_each_once(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.2, 0.5]))
    assert len(list(sample_frames(clip, 9))) == 2


def test_what_is_no_video_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"clip\.mp4: not a video"):
        next(sample_frames(tmp_path / "clip.mp4", 2))
