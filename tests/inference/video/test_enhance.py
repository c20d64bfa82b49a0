import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
import av

from lowlight.inference.video.enhance import enhance_video
from lowlight.inference.video.suffixes import VIDEO_SUFFIXES, target_suffix
from tests.inference.video.clips import frames_of, packets_of, rgb_of, still, times_of, write_clip

UNEVEN = [0, 40, 70, 150, 160, 400, 440, 441]


def identity(low: np.ndarray) -> np.ndarray:
    return low


def brighten(low: np.ndarray) -> np.ndarray:
    return (2 * low).clip(0, 1)


def flickering() -> Callable[[np.ndarray], np.ndarray]:
    factors = itertools.cycle([1.7, 2.0, 2.3, 1.8, 2.2])
    return lambda low: (next(factors) * low).clip(0, 1)


# BT.709 and BT.601 (FFmpeg's 1 and 6), limited and full values (1 and 2)
@pytest.mark.parametrize(("matrix", "values"), [(1, 1), (6, 1), (1, 2), (6, 2)])
def test_colours_survive_with_their_tags(tmp_path: Path, matrix: int, values: int) -> None:
    frames = still([0.1, 0.4, 0.7], height=192, width=256)
    tags = {"colorspace": matrix, "color_range": values, "color_primaries": 1, "color_trc": 1}
    clip = write_clip(tmp_path / "clip.mp4", frames, **tags)
    seen: list[np.ndarray] = []
    enhance_video(lambda low: seen.append(low) or low, clip, tmp_path / "out.mp4", smoothing=0)
    handed = np.moveaxis(np.concatenate(seen), 1, -1) * 255.0
    for image, truth in ((handed, np.stack(frames)), (rgb_of(tmp_path / "out.mp4"), rgb_of(clip))):
        difference = image - truth.astype(float)
        assert np.abs(difference).mean() < 2
        assert np.abs(difference.mean((1, 2))).max() < 1.5
    frame = frames_of(tmp_path / "out.mp4")[0]
    assert {name: getattr(frame, name) for name in tags} == tags


@pytest.mark.parametrize(
    ("pix_fmt", "is_finer"),
    [("yuv420p", False), ("yuv422p", True), ("yuv444p", True), ("bgr0", True), ("gray", False)],
)
def test_colours_that_are_reduced_are_told(tmp_path: Path, pix_fmt: str, is_finer: bool) -> None:
    frames = still([0.5] * 2, height=49, width=65)
    clip = write_clip(tmp_path / "clip.mkv", frames, codec="ffv1", pix_fmt=pix_fmt)
    summary = enhance_video(identity, clip, tmp_path / "out.webm", smoothing=0)
    assert summary.warnings == (("colours were reduced to one per 2x2 pixels (4:2:0)",) if is_finer else ())


@pytest.mark.parametrize("pix_fmt", ["bgr0", "gray"])
def test_sources_without_chroma_become_ordinary_video(tmp_path: Path, pix_fmt: str) -> None:
    frames = still([0.2, 0.6], height=96, width=128)
    clip = write_clip(tmp_path / "clip.mkv", frames, codec="ffv1", pix_fmt=pix_fmt)
    seen: list[np.ndarray] = []
    enhance_video(lambda low: seen.append(low) or low, clip, tmp_path / "out.mp4", smoothing=0)
    handed = np.moveaxis(np.concatenate(seen), 1, -1) * 255
    truth = np.stack([frame.to_ndarray(format="rgb24") for frame in frames_of(clip)]).astype(float)
    assert np.abs(handed - truth).mean() < 1
    assert np.abs(rgb_of(tmp_path / "out.mp4", untagged=6) - truth).mean() < 4


def test_a_video_is_enhanced_frame_by_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.2] * 12))
    done: list[int] = []
    summary = enhance_video(brighten, clip, tmp_path / "new" / "out.mp4", progress=done.append)
    assert done == list(range(1, 13))
    assert (summary.frames, summary.width, summary.height, summary.scenes) == (12, 64, 48, 1)
    assert summary.seconds == pytest.approx(0.48)
    assert summary.warnings == ()
    before, after = (np.mean([frame.to_ndarray(format="rgb24") for frame in frames_of(path)])
                     for path in (clip, tmp_path / "new" / "out.mp4"))  # fmt: skip
    assert after == pytest.approx(2 * before, rel=0.03)


@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [(".mp4", "libx264", "aac"), (".mov", "libx264", "aac"), (".mkv", "libx264", "libopus"),
     (".webm", "libvpx-vp9", "libopus"), (".avi", "mpeg4", "libmp3lame"), (".ts", "mpeg2video", "aac")],
)  # fmt: skip
def test_sound_is_copied_in_step(tmp_path: Path, suffix: str, codec: str, sound: str) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", still([0.3] * 25), codec=codec, sound=sound)
    target = tmp_path / f"out{target_suffix(clip)}"
    summary = enhance_video(brighten, clip, target)
    assert summary.frames == 25
    assert summary.warnings == ()
    before, after = packets_of(clip, "audio"), packets_of(target, "audio")
    assert len(before) > 20
    if suffix != ".ts":  # whose AAC has a header before each packet
        assert [packet[0] for packet in after] == [packet[0] for packet in before]
    apart = [packets[0][1] - times_of(path)[0] / 1000 for path, packets in ((clip, before), (target, after))]
    assert apart[1] == pytest.approx(apart[0], abs=0.002)
    times = [[packet[1] - packets[0][1] for packet in packets] for packets in (before, after)]
    assert times[1] == pytest.approx(times[0], abs=0.002)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_uneven_times_and_rotation_are_kept(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / "clip.mkv", still([0.3] * 8), times=UNEVEN, rotation=90)
    enhance_video(brighten, clip, tmp_path / f"out{suffix}")
    assert times_of(tmp_path / f"out{suffix}") == UNEVEN
    frame = frames_of(tmp_path / f"out{suffix}")[0]
    assert (frame.rotation, frame.width, frame.height) == (90, 64, 48)


def test_avi_frames_keep_their_order(tmp_path: Path) -> None:
    frames = still(np.linspace(0.2, 0.9, 12).tolist())
    clip = write_clip(tmp_path / "clip.avi", frames, options={"bf": "2"})
    enhance_video(identity, clip, tmp_path / "out.mkv", smoothing=0)
    assert np.diff(times_of(tmp_path / "out.mkv")).tolist() == [40] * 11
    means = [frame.to_ndarray(format="gray").mean() for frame in frames_of(tmp_path / "out.mkv")]
    assert means == sorted(means)


@pytest.mark.parametrize(("suffix", "size"), [(".mp4", (66, 50)), (".webm", (65, 49))])
def test_odd_sides_are_kept_or_extended(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    clip = write_clip(tmp_path / "clip.mkv", still([0.5] * 3, height=49, width=65), pix_fmt="yuv444p")
    summary = enhance_video(identity, clip, tmp_path / f"out{suffix}", smoothing=0)
    frame = frames_of(tmp_path / f"out{suffix}")[0]
    assert (frame.width, frame.height) == (summary.width, summary.height) == size
    assert ("extended from 65x49 to 66x50" in " ".join(summary.warnings)) == (suffix == ".mp4")
    before = frames_of(clip)[0].to_ndarray(format="gray").astype(float)
    after = frame.to_ndarray(format="gray").astype(float)
    assert np.abs(after[:49, :65] - before).mean() < 2
    if suffix == ".mp4":
        assert np.abs(after[49, :65] - before[48]).mean() < 3


def test_oblong_pixels_stay_oblong(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.3] * 5), sample_aspect_ratio=Fraction(4, 3))
    enhance_video(brighten, clip, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as footage:
        assert footage.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_subtitles_titles_and_chapters_are_copied(tmp_path: Path) -> None:
    clip = _with_subtitles(tmp_path)
    summary = enhance_video(brighten, clip, tmp_path / "out.mkv")
    assert summary.warnings == ()
    assert packets_of(tmp_path / "out.mkv", "subtitles") == packets_of(clip, "subtitles")
    with av.open(str(tmp_path / "out.mkv")) as footage:
        assert footage.metadata["title"] == "At night"
        assert footage.streams.subtitles[0].language == "eng"
        assert [chapter["metadata"] for chapter in footage.chapters()] == [{"title": "First"}]


def test_subtitles_that_do_not_fit_are_left_out_with_a_warning(tmp_path: Path) -> None:
    summary = enhance_video(brighten, _with_subtitles(tmp_path), tmp_path / "out.mp4")
    assert summary.warnings == ("left out: subtitle, srt, which .mp4 cannot hold",)


def _with_subtitles(folder: Path) -> Path:
    clip = write_clip(folder / "clip.mkv", still([0.3] * 25))
    (folder / "text.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nHello\n")
    with (
        av.open(str(clip)) as picture,
        av.open(str(folder / "text.srt")) as text,
        av.open(str(folder / "both.mkv"), "w") as output,
    ):
        streams = {
            one: output.add_stream_from_template(one.streams[0], opaque=True) for one in (picture, text)
        }
        streams[text].metadata["language"] = "eng"
        output.metadata["title"] = "At night"
        millisecond = Fraction(1, 1000)
        first = {"id": 1, "start": 0, "end": 500, "time_base": millisecond, "metadata": {"title": "First"}}
        output.set_chapters([first])
        for footage, stream in streams.items():
            for packet in footage.demux():
                if packet.size:
                    packet.stream = stream
                    output.mux(packet)
    return folder / "both.mkv"


def test_ten_bits_become_eight_with_a_warning(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", still([0.5] * 3), codec="ffv1", pix_fmt="yuv420p10le")
    summary = enhance_video(identity, clip, tmp_path / "out.mkv", smoothing=0)
    assert summary.warnings == ("10 bits per value were reduced to 8",)
    assert frames_of(tmp_path / "out.mkv")[0].format.name == "yuv420p"


def test_flicker_is_held_down_in_the_file(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.25] * 40))
    rough = enhance_video(flickering(), clip, tmp_path / "rough.mp4", smoothing=0)
    summary = enhance_video(flickering(), clip, tmp_path / "out.mp4")
    assert summary.flicker_in < 0.3
    assert summary.flicker_unsmoothed == pytest.approx(rough.flicker_out)
    assert summary.flicker_out < summary.flicker_unsmoothed / 10
    wobble = [np.diff([frame.to_ndarray(format="gray").mean() for frame in frames_of(tmp_path / name)]).std()
              for name in ("rough.mp4", "out.mp4")]  # fmt: skip
    assert wobble[1] < wobble[0] / 10


def test_a_cut_is_followed_at_once(tmp_path: Path) -> None:
    frames = still([0.2] * 15) + still([0.45] * 15, seed=2)
    clip = write_clip(tmp_path / "clip.mp4", frames)
    summary = enhance_video(flickering(), clip, tmp_path / "out.mp4")
    assert summary.scenes == 2
    means = [frame.to_ndarray(format="rgb24").mean() for frame in frames_of(tmp_path / "out.mp4")]
    assert np.std(means[:15]) < 2
    assert np.std(means[15:]) < 4
    assert means[15] - means[14] > 40


def test_a_cut_off_file_is_enhanced_as_far_as_it_goes(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", still([0.3] * 100), sound="aac", options={"g": "5"})
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 3])
    summary = enhance_video(brighten, clip, tmp_path / "out.mkv")
    assert 5 < summary.frames < 80
    assert len(frames_of(tmp_path / "out.mkv")) == summary.frames
    assert any("cut off" in warning for warning in summary.warnings)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _cut_mp4(folder: Path) -> Path:
    clip = write_clip(folder / "cut.mp4", still([0.3] * 5))
    return _write(clip, clip.read_bytes()[:-200])


def _sound_only(folder: Path) -> Path:
    with av.open(str(folder / "sound.mka"), "w") as output:
        stream = output.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return folder / "sound.mka"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none.mp4", "none.mp4: no such video file"),
        (lambda folder: _write(folder / "text.mp4", b"hello"), "text.mp4: not a video"),
        (lambda folder: _write(folder / "empty.mp4", b""), "empty.mp4: not a video"),
        (_cut_mp4, "cut.mp4: not a video, or cut off before its index"),
        (_sound_only, "sound.mka: holds no video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    source = make(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        enhance_video(identity, source, tmp_path / "out" / "out.mp4")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_sound_that_does_not_fit_is_refused_with_the_remedy(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.3] * 5), sound="aac")
    with pytest.raises(ValueError, match=r"out\.webm: cannot hold the sound, aac; write to a \.mkv instead"):
        enhance_video(identity, clip, tmp_path / "out.webm")
    assert list(tmp_path.iterdir()) == [clip]


@pytest.mark.parametrize(
    ("target", "smoothing", "message"),
    [("out.gif", 0.5, r"out\.gif: videos are written as \.mp4"), ("out.mp4", -1.0, "smoothing=-1.0")],
)
def test_wrong_arguments_are_refused(tmp_path: Path, target: str, smoothing: float, message: str) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.3] * 5))
    with pytest.raises(ValueError, match=message):
        enhance_video(identity, clip, tmp_path / target, smoothing=smoothing)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("after", [0, 70])
def test_a_failure_leaves_the_target_as_it_was(
    tmp_path: Path, error: type[BaseException], after: int
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.3] * 90), sound="aac")
    target = _write(tmp_path / "out.mp4", b"older")
    count: Iterator[int] = itertools.count()

    def fail(low: np.ndarray) -> np.ndarray:
        if next(count) == after:
            raise error("stop")
        return low

    with pytest.raises(error, match="stop"):
        enhance_video(fail, clip, target)
    assert target.read_bytes() == b"older"
    assert sorted(tmp_path.iterdir()) == [clip, target]


def test_a_video_can_be_replaced_by_itself(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.2] * 5), sound="aac")
    before = frames_of(clip)[0].to_ndarray(format="gray").mean()
    enhance_video(brighten, clip, clip)
    assert frames_of(clip)[0].to_ndarray(format="gray").mean() > 1.5 * before


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"pip install 'lowlight\[video\]'"):
        enhance_video(identity, tmp_path / "clip.mp4", tmp_path / "out.mp4")


def test_other_containers_become_matroska() -> None:
    assert target_suffix(Path("holiday.MP4")) == ".mp4"
    assert target_suffix(Path("holiday.avi")) == ".mkv"
    assert {target_suffix(Path(f"a{suffix}")) for suffix in VIDEO_SUFFIXES} == {
        ".mp4", ".m4v", ".mov", ".mkv", ".webm"
    }  # fmt: skip


MEASURE = """
import re, sys
from pathlib import Path
from lowlight.inference.video.enhance import enhance_video
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
peaks = []
def enhance(low):
    peaks.append(peak())
    return low
enhance_video(enhance, Path(sys.argv[1]), Path(sys.argv[2]))
print(peaks[1799], peak())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process its peak")
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    # The peak grows by 45 MB from frame 600 to 1500, then by 1 to 1800. 900 more frames would take 207 MB as
    # floats, 52 as bytes and 26 as the codec stores them.
    clip = write_clip(tmp_path / "clip.mp4", still([0.3], height=120, width=160) * 2700, sound="aac")
    command = [sys.executable, "-c", MEASURE, str(clip), str(tmp_path / "out.mp4")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    early, last = map(float, told.split())
    assert 50 < early <= last < early + 20
