"""What strange videos become: nothing is lost or changed without a note, and no other file is opened."""

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
import av

from lowlight.inference.settings import VideoSummary
from lowlight.inference.video.enhance import enhance_video
from lowlight.inference.video.suffixes import target_suffix
from tests.inference.video.clips import frames_of, packets_of, still, times_of, write_clip

KINDS = [(".mp4", "libx264"), (".mkv", "libx264"), (".webm", "libvpx-vp9"), (".avi", "mpeg4"),
         (".ts", "mpeg2video"), (".flv", "flv"), (".wmv", "wmv2")]  # fmt: skip


def identity(low: np.ndarray) -> np.ndarray:
    return low


def enhanced(clip: Path) -> VideoSummary:
    return enhance_video(identity, clip, clip.with_name(f"out{target_suffix(clip)}"), smoothing=0)


def with_sounds(path: Path, count: int) -> Path:
    """Write a video with several streams of silence, the last of a codec that no decoder knows."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        sounds = [output.add_stream("aac", rate=48000) for _ in range(count)]
        for sound in sounds:
            for start in range(0, 8 * 1024, 1024):
                silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
                silence.sample_rate, silence.pts = 48000, start
                output.mux(sound.encode(silence))
            output.mux(sound.encode(None))
        for pixels in still([0.3] * 4):
            output.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(video.encode(None))
    before, _, after = path.read_bytes().rpartition(b"mp4a")
    path.write_bytes(before + b"zzzz" + after.replace(b"esds", b"free", 1))
    return path


def test_sound_of_an_unknown_codec_is_left_out_and_the_other_kept(tmp_path: Path) -> None:
    summary = enhanced(with_sounds(tmp_path / "clip.mp4", 2))
    assert summary.frames == 4
    assert summary.warnings == ("left out: audio of an unknown codec",)
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(tmp_path / "clip.mp4", "audio")


def test_without_any_sound_left_the_output_is_said_to_be_mute(tmp_path: Path) -> None:
    summary = enhanced(with_sounds(tmp_path / "clip.mp4", 1))
    assert summary.warnings == ("left out: audio of an unknown codec", "the output is mute")


@pytest.mark.parametrize("codec", ["ffv1", "libvpx"])  # in the pixels; beside them, as in WebM
def test_lost_transparency_is_noted(tmp_path: Path, codec: str) -> None:
    pix_fmt = "yuva420p" if codec == "ffv1" else "yuv420p"
    options = {"metadata": {"alpha_mode": "1"}} if codec == "libvpx" else {}
    clip = write_clip(tmp_path / "clip.mkv", still([0.3] * 3), codec=codec, pix_fmt=pix_fmt)
    if options:
        with av.open(str(clip)) as footage, av.open(str(tmp_path / "layers.mkv"), "w") as output:
            copy = output.add_stream_from_template(footage.streams[0])
            copy.metadata.update(options["metadata"])
            for packet in footage.demux():
                if packet.size:
                    packet.stream = copy
                    output.mux(packet)
        clip = tmp_path / "layers.mkv"
    assert enhanced(clip).warnings == ("the transparency was dropped",)


def test_interlacing_is_noted(tmp_path: Path) -> None:
    options = {"flags": "+ildct+ilme"}
    clip = write_clip(tmp_path / "clip.ts", still([0.3] * 5), codec="mpeg2video", options=options)
    [note] = enhanced(clip).warnings
    assert "5 interlaced frames" in note


def test_a_size_that_changes_on_the_way_is_noted(tmp_path: Path) -> None:
    parts = [
        write_clip(tmp_path / f"{side}.ts", still([0.3] * 5, height=side, width=96), codec="mpeg2video")
        for side in (96, 64)
    ]
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    summary = enhanced(clip)
    assert summary.frames >= 9  # the decoder may drop one where the size changes
    assert "5 frames of another size were scaled to the first one's, 96x96" in summary.warnings


def test_streams_that_are_neither_picture_nor_sound_are_noted(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", still([0.3] * 3))
    with av.open(str(clip)) as footage, av.open(str(tmp_path / "both.mkv"), "w") as output:
        copies = [output.add_stream_from_template(footage.streams[0]) for _ in range(2)]
        output.add_attachment("font.ttf", "application/x-truetype-font", b"letters")
        for packet in footage.demux():
            if packet.size:
                for copy in copies:
                    packet.stream = copy
                    output.mux(packet)
    warnings = enhanced(tmp_path / "both.mkv").warnings
    assert warnings[:2] == ("left out: another video, h264", "left out: attachment")


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_a_late_start_is_no_truncation_and_a_truncation_is_noted(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    late = [10000 + 40 * number for number in range(30)]
    clip = write_clip(tmp_path / f"clip{suffix}", still([0.3] * 30), codec=codec, times=late)
    assert enhanced(clip).warnings == ()
    if suffix != ".avi":  # which holds the first frame for ten seconds
        assert np.diff(times_of(tmp_path / f"out{target_suffix(clip)}")).tolist() == [40] * 29
    if suffix == ".mp4":  # its index is at the end
        return
    whole = write_clip(clip, still([0.3] * 30), codec=codec, options={"g": "5"}).read_bytes()
    assert enhanced(clip).warnings == ()
    clip.write_bytes(whole[: len(whole) * 8 // 10 + 5])
    assert "it may be cut off" in " ".join(enhanced(clip).warnings)


def test_a_file_with_its_index_in_front_is_noted_to_be_cut_off(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", still([0.3] * 30), options={"g": "5"})
    with (
        av.open(str(clip)) as footage,
        av.open(str(tmp_path / "front.mp4"), "w", options={"movflags": "faststart"}) as output,
    ):
        copy = output.add_stream_from_template(footage.streams[0])
        for packet in footage.demux():
            if packet.size:
                packet.stream = copy
                output.mux(packet)
    whole = (tmp_path / "front.mp4").read_bytes()
    (tmp_path / "front.mp4").write_bytes(whole[: len(whole) * 8 // 10 + 5])
    assert "it may be cut off" in enhanced(tmp_path / "front.mp4").warnings[-1]


@pytest.mark.parametrize("name", ["list.mp4", "list.mkv"])
@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile clip.webm\n", "#EXTM3U\n#EXTINF:2,\nclip.webm\n#EXT-X-ENDLIST\n",
     "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n"],
)  # fmt: skip
def test_a_file_that_names_others_is_no_video(tmp_path: Path, name: str, text: str) -> None:
    write_clip(tmp_path / "clip.webm", still([0.3] * 3), codec="libvpx-vp9")
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name}: not a video"):
        enhanced(tmp_path / name)


@pytest.mark.parametrize("name", ["concat:a|b.mp4", "http:clip.mp4", "a: b.mp4", "%03d.mp4"])
def test_a_name_is_a_name_and_no_address(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4", still([0.3] * 3)).rename(tmp_path / name)
    enhance_video(identity, Path(name), Path(f"{name}.mkv"), smoothing=0)
    assert len(frames_of(tmp_path / f"{name}.mkv")) == 3


def test_titles_in_another_encoding_stay_as_they_are(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", still([0.3] * 3))
    with av.open(str(clip)) as footage, av.open(str(tmp_path / "named.mkv"), "w") as output:
        output.metadata["title"] = "Naechte"
        copy = output.add_stream_from_template(footage.streams[0])
        for packet in footage.demux():
            if packet.size:
                packet.stream = copy
                output.mux(packet)
    content = (tmp_path / "named.mkv").read_bytes()
    (tmp_path / "named.mkv").write_bytes(content.replace(b"Naechte", b"N\xe4chte "))
    enhanced(tmp_path / "named.mkv")
    assert b"N\xe4chte " in (tmp_path / "out.mkv").read_bytes()


def test_only_a_cover_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "clip.mkv"), "w") as output:
        output.add_attachment("cover.png", "image/png", b"\x89PNG\r\n\x1a\n")
        sound = output.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48000
        output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    with pytest.raises(ValueError, match=r"clip\.mkv: holds no video$"):
        enhanced(tmp_path / "clip.mkv")


def _damaged(content: bytes, chance: random.Random, how: str) -> bytes:
    damaged = bytearray(content)
    here, there = (chance.randrange(len(damaged) - 8) for _ in range(2))
    if how == "flipped":
        for _ in range(chance.choice((1, 4, 16))):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del damaged[here:]
    elif how == "swapped":
        damaged[here : here + 4], damaged[there : there + 4] = (
            damaged[there : there + 4],
            damaged[here : here + 4],
        )
    else:
        damaged[here : here + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
    return bytes(damaged)


@pytest.mark.parametrize("count", [4, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_a_damaged_file_is_enhanced_or_refused_by_name(
    tmp_path: Path, suffix: str, codec: str, count: int
) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", still([0.3] * 5), codec=codec)
    content, chance = clip.read_bytes(), random.Random(f"{suffix}{count}")
    for number in range(count):
        clip.write_bytes(_damaged(content, chance, ("flipped", "cut", "swapped", "extreme")[number % 4]))
        try:
            enhanced(clip)
        except ValueError as error:
            assert str(error).startswith(f"{clip}: ")  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
