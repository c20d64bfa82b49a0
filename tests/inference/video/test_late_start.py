"""Videos whose times do not begin at 0, such as parts of broadcasts."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
import av

from lowlight.inference.video.enhance import enhance_video
from lowlight.inference.video.suffixes import target_suffix
from tests.inference.video.clips import frames_of, packets_of, still, times_of, write_clip

START = 5000


def identity(low: np.ndarray) -> np.ndarray:
    return low


@pytest.mark.parametrize("start", [0.5, START])
@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [(".ts", "mpeg2video", "aac"), (".ts", "libx264", "aac"), (".mkv", "libx264", "libopus")],
)
def test_times_count_from_the_start_and_stay_in_step(
    tmp_path: Path, suffix: str, codec: str, sound: str, start: float
) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", still([0.3] * 25), codec=codec, sound=sound, start=start)
    target = tmp_path / f"out{target_suffix(clip)}"
    summary = enhance_video(identity, clip, target, smoothing=0)
    assert (summary.frames, summary.warnings) == (25, ())
    with av.open(str(target)) as footage:
        assert footage.duration / av.time_base == pytest.approx(1, abs=0.1)
        assert 0 <= footage.start_time / av.time_base < 0.01
    assert np.diff(times_of(target)).tolist() == [40] * 24
    before, after = (
        np.array([packet[1] for packet in packets_of(path, "audio")]) - float(frames_of(path)[0].time)
        for path in (clip, target)
    )
    assert after == pytest.approx(before, abs=0.002)


def test_chapters_start_with_the_video(tmp_path: Path) -> None:
    second = {"time_base": Fraction(1, 1000), "metadata": {}}
    chapters = [
        {"id": 1, "start": 1000 * START, "end": 1000 * START + 400} | second,
        {"id": 2, "start": 1000 * START + 400, "end": 1000 * START + 1000} | second,
    ]
    clip = write_clip(tmp_path / "clip.mkv", still([0.3] * 25), start=START, chapters=chapters)
    enhance_video(identity, clip, tmp_path / "out.mkv", smoothing=0)
    with av.open(str(tmp_path / "out.mkv")) as footage:
        times = [
            (one["start"] * one["time_base"], one["end"] * one["time_base"]) for one in footage.chapters()
        ]
    assert np.array(times, float) == pytest.approx(np.array([[0, 0.4], [0.4, 1]]), abs=0.01)


def test_where_a_file_ends_is_told_from_the_start(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", still([0.3] * 100), start=START, options={"g": "5"})
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    [warning] = enhance_video(identity, clip, tmp_path / "out.mkv", smoothing=0).warnings
    assert re.fullmatch(r"the file ends after [12]\.\d of 4\.0 s: it may be cut off", warning)
