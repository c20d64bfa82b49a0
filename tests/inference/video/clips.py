"""Small videos written by PyAV, and readers of their frames and packets."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.conftest import photograph

MILLISECOND = Fraction(1, 1000)
ACCURATE = 0x4 | 0x2000 | 0x40000  # bicubic, chroma at every pixel, rounded


def still(brightness: Sequence[float], seed: int = 1, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Return one picture at several brightnesses, as 8-bit frames of shape (height, width, 3)."""
    picture = photograph(seed, height, width)
    return [(picture * factor).round().astype(np.uint8) for factor in brightness]


def write_clip(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    times: Sequence[int] | None = None,
    sound: str | None = None,
    rotation: int = 0,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    start: float = 0,
    chapters: Sequence[Any] = (),
    names: Mapping[str, str] | None = None,
    **tags: Any,
) -> Path:
    """Write frames at given milliseconds, by default every 40, with a 440 Hz tone if ``sound`` is given.

    Frames are of 8 or, as uint16, of 16 bits. All times but those of chapters are moved by ``start`` seconds.
    """
    depth = "rgb48le" if frames[0].dtype == np.uint16 else "rgb24"
    times = times or [40 * number for number in range(len(frames))]
    even = path.suffix in (".avi", ".ts")  # containers without arbitrary times
    muxer = {"output_ts_offset": str(start)} if start else {}
    if names and any("." in name for name in names):
        muxer["movflags"] = "use_metadata_tags"
    with av.open(str(path), "w", options=muxer) as output:
        output.metadata.update(names or {})
        output.set_chapters(chapters)
        video = output.add_stream(codec, rate=25, options={"crf": "10"} | (options or {}))
        video.codec_context.time_base = Fraction(1, 25) if even else MILLISECOND
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = pix_fmt
        for name, value in tags.items():
            setattr(video, name, value)
        if rotation:
            video.set_display_rotation(rotation)
        tone = output.add_stream(sound, rate=48000) if sound else None
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format=depth).reformat(
                format=pix_fmt,
                dst_colorspace={6: 5}.get(tags.get("colorspace", 6), tags.get("colorspace", 6)),
                dst_color_range=tags.get("color_range", 1),
                interpolation=ACCURATE,
            )
            frame.pts, frame.time_base = time, MILLISECOND
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if tone:
            _write_tone(output, tone, round(48 * (times[-1] + 40)))
    return path


def _write_tone(output: Any, stream: Any, samples: int) -> None:
    wave = np.sin(np.arange(samples) * 2 * np.pi * 440 / 48000).astype(np.float32)
    for start in range(0, samples, 960):
        frame = av.AudioFrame.from_ndarray(np.tile(wave[start : start + 960], (2, 1)), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def frames_of(path: Path) -> list[Any]:
    """Decode all frames of a video."""
    with av.open(str(path)) as footage:
        return list(footage.decode(video=0))


def times_of(path: Path) -> list[int]:
    """Return the frames' times in milliseconds."""
    return [round(1000 * frame.time) for frame in frames_of(path)]


def rgb_of(path: Path, untagged: int = 2) -> np.ndarray:
    """Return a video's frames as (N, H, W, 3), converted by its tags; ``untagged`` is assumed for tag 2."""
    pixels = []
    for frame in frames_of(path):
        tag = untagged if frame.colorspace == 2 else frame.colorspace
        matrix, values = {6: 5}.get(tag, tag), frame.color_range
        pixels.append(
            frame.to_ndarray(
                format="rgb24", src_colorspace=matrix, src_color_range=values, interpolation=ACCURATE
            )
        )
    return np.stack(pixels)


def packets_of(path: Path, kind: str) -> list[tuple[bytes, float, float]]:
    """Return the data, time and duration, in seconds, of the packets of the first stream of a kind."""
    with av.open(str(path)) as footage:
        return [
            (bytes(packet), float(packet.pts * packet.time_base), float(packet.duration * packet.time_base))
            for packet in footage.demux(**{kind: 0})
            if packet.size
        ]
