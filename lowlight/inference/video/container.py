"""Video files through PyAV: packets and frames are read, frames encoded, other streams copied unchanged.

Needs PyAV, the extra ``video``. Colour codes and swscale flags are FFmpeg's numbers.
"""

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from torch import Tensor

from lowlight.images import from_uint8, to_uint8

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer, OutputContainer
    from av.error import FFmpegError
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""FFmpeg's container format, keyed by the suffix of written videos; all hold timestamps and rotation."""

_H264 = ("libx264", {"crf": "18", "preset": "medium", "rc-lookahead": "20"})
_VP9 = ("libvpx-vp9", {"crf": "24", "b": "0", "cpu-used": "4", "row-mt": "1"})
_KEEP_DURATIONS = 1 << 8

# swscale's matrix by the frame's tag: BT.709, FCC, BT.601 (two), SMPTE 240M, BT.2020.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_BT709, _BT601 = 1, 5
_TAGS = {_BT709: 1, _BT601: 6}
_LIMITED, _FULL = 1, 2
_ACCURATE = 0x4 | 0x2000 | 0x40000  # bicubic, chroma at every pixel, rounded; the default darkens by a level


class Colour(NamedTuple):
    """How a video encodes RGB.

    Attributes:
        matrix: swscale's number of the matrix between RGB and YCbCr.
        source_range: Value range of the source: 1 for limited (16 to 235), 2 for full.
        target_range: Value range of the written video, with the same codes.
        tags: Colour tags of the written video, keyed by the encoder's names; those of a YCbCr source are
            kept.
    """

    matrix: int
    source_range: int
    target_range: int
    tags: dict[str, int]


class Look(NamedTuple):
    """Properties of a video, read from its first frame: size in pixels, bits per value, colour, rotation.

    ``display_matrix`` holds FFmpeg's nine numbers for rotation and mirroring; None if there is none.
    """

    width: int
    height: int
    bits: int
    colour: Colour
    display_matrix: tuple[int, ...] | None


def open_footage(source: Path) -> "InputContainer":
    """Open a video file.

    Raises:
        ValueError: If the file is missing or not a video.
    """
    import av

    if not source.is_file():
        raise ValueError(f"{source}: no such video file")
    try:
        footage = av.open(str(source))
    except av.error.FFmpegError as error:
        raise ValueError(f"{source}: not a video, or cut off before its index ({reason(error)})") from None
    if footage.streams.best("video") is None:
        footage.close()
        raise ValueError(f"{source}: holds no video")
    return footage


def reason(error: "FFmpegError") -> str:
    """Return FFmpeg's message of an error, in lower case."""
    return (error.strerror or type(error).__name__).lower()


def main_video(footage: "InputContainer") -> "VideoStream":
    """Return the video stream that FFmpeg selects: the largest one that is no cover picture."""
    return cast("VideoStream", footage.streams.best("video"))


def look_at(source: Path) -> Look:
    """Decode the first frame of a video.

    Raises:
        ValueError: If the file is missing, not a video, or holds no frame that can be decoded.
    """
    import av

    with open_footage(source) as footage:
        frame = next((one for one in read(footage, [], []) if isinstance(one, av.VideoFrame)), None)
        if frame is None:
            raise ValueError(f"{source}: holds no frame that can be decoded")
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        return Look(
            frame.width,
            frame.height,
            max(component.bits for component in frame.format.components),
            colour_of(frame),
            struct.unpack("=9i", bytes(matrix)) if matrix is not None else None,
        )


def colour_of(frame: "VideoFrame") -> Colour:
    """Read a frame's colour encoding from its tags or, as players do, from its size and format.

    Untagged frames are BT.709 from 720 rows and BT.601 below, and limited unless the format says otherwise.
    """
    untagged = _BT709 if frame.height >= 720 else _BT601
    tags = {"color_primaries": frame.color_primaries, "color_trc": frame.color_trc}
    if frame.format.is_rgb:
        tags |= {"colorspace": _TAGS[untagged], "color_range": _LIMITED}
        return Colour(untagged, _FULL, _LIMITED, tags)
    full = frame.color_range == _FULL or frame.format.name.startswith(("yuvj", "gray"))
    values = _FULL if full else _LIMITED
    tags |= {"colorspace": frame.colorspace, "color_range": _FULL if full else frame.color_range}
    return Colour(_MATRICES.get(frame.colorspace, untagged), values, values, tags)


def read(
    footage: "InputContainer", copied: "Sequence[Stream]", warnings: list[str]
) -> "Iterator[Packet[Any] | VideoFrame]":
    """Yield the frames of the main video and the packets of the copied streams, in file order.

    Frame times increase strictly. A damaged file is read as far as possible.

    Args:
        footage: An opened video.
        copied: Streams whose packets are yielded.
        warnings: List to which sentences on broken or missing parts are appended.
    """
    import av

    video, broken, end = main_video(footage), 0, Fraction(0)
    clock = _Clock(cast(Fraction, video.time_base), has_times="avi" not in footage.format.name)
    try:
        for packet in footage.demux(video, *copied):
            if not packet.size:
                continue  # end-of-stream marker
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.stream.index != video.index:
                yield packet
                continue
            try:
                frames = video.decode(packet)
            except av.error.InvalidDataError:
                broken += 1
                continue
            yield from map(clock.set, frames)
        yield from map(clock.set, video.decode(None))
    except av.error.FFmpegError as error:
        warnings.append(f"reading stopped at {float(end):.1f} s ({reason(error)})")
    if broken:
        warnings.append(f"{broken} broken packets were left out")
    announced = (footage.duration or 0) / av.time_base
    found = float(end) - (footage.start_time or 0) / av.time_base
    if found < announced - 1:
        warnings.append(f"the file ends after {found:.1f} of {announced:.1f} s: it may be cut off")


class _Clock:
    """Corrects missing and non-increasing frame times.

    AVI stores none, and FFmpeg infers presentation times from the packet order; the decoding times are used
    instead.
    """

    def __init__(self, unit: Fraction, has_times: bool) -> None:
        self._unit, self._has_times = unit, has_times
        self._last: tuple[int, int] | None = None

    def set(self, frame: "VideoFrame") -> "VideoFrame":
        frame.time_base, frame.duration = self._unit, max(frame.duration, 1)
        time = frame.pts if self._has_times else frame.dts
        if self._last is None:
            frame.pts = time or 0
        else:
            frame.pts = time if time is not None and time > self._last[0] else sum(self._last)
        self._last = (frame.pts, frame.duration)
        return frame


def to_image(frame: "VideoFrame", look: Look) -> Tensor:
    """Convert a frame to an image of shape (1, 3, H, W) in [0, 1], scaled to the first frame's size."""
    pixels: Any = frame.to_ndarray(
        format="rgb24",
        width=look.width,
        height=look.height,
        src_colorspace=look.colour.matrix,
        src_color_range=look.colour.source_range,
        interpolation=_ACCURATE,
    )
    return from_uint8(pixels)[None]


class Writer:
    """Writes a video: encodes frames and copies streams of the source.

    Args:
        output: An opened, empty container.
        footage: The source, from which frame rate, time base, titles and chapters are taken.
        look: Properties of the source's frames.
        even: Whether to write H.264, whose sides must be even; VP9 otherwise.

    Attributes:
        width: Width of the written frames in pixels.
        height: Height of the written frames in pixels.
        unit: Time base of the frames, in seconds.
    """

    def __init__(self, output: "OutputContainer", footage: "InputContainer", look: Look, even: bool) -> None:
        self._output, self._look = output, look
        output.metadata.update(footage.metadata)
        output.set_chapters(footage.chapters())
        video = main_video(footage)
        self.width = look.width + (look.width % 2 if even else 0)
        self.height = look.height + (look.height % 2 if even else 0)
        codec, options = _H264 if even else _VP9
        self.unit = cast(Fraction, video.time_base)
        added = output.add_stream(codec, rate=video.average_rate, options=options, time_base=self.unit)
        self._stream = stream = cast("VideoStream", added)
        stream.width, stream.height = self.width, self.height
        stream.sample_aspect_ratio = video.sample_aspect_ratio or Fraction(0)  # unknown
        for name, value in look.colour.tags.items():
            setattr(stream, name, value)
        stream.codec_context.flags |= _KEEP_DURATIONS
        stream.set_display_matrix(look.display_matrix)
        _take_names(stream, video)
        self._copies: dict[int, Stream] = {}

    def copy(self, stream: "Stream") -> bool:
        """Add a stream of the source to the output; False if the container cannot hold its codec."""
        try:
            copy = self._output.add_stream_from_template(stream)
        except ValueError:
            return False
        _take_names(copy, stream)
        self._copies[stream.index] = copy
        return True

    def write_packet(self, packet: "Packet[Any]") -> None:
        """Write a packet of a copied stream unchanged."""
        packet.stream = self._copies[packet.stream.index]
        self._output.mux(packet)

    def write_frame(self, image: Tensor, source: "VideoFrame") -> None:
        """Encode an image of shape (1, 3, H, W) in [0, 1] at the time of its source frame."""
        from av import VideoFrame

        pixels = to_uint8(image)[0].movedim(0, -1).cpu().numpy()
        below, right = self.height - self._look.height, self.width - self._look.width
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
        frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace=self._look.colour.matrix,
            dst_color_range=self._look.colour.target_range,
            interpolation=_ACCURATE,
        )
        frame.pts, frame.duration, frame.time_base = source.pts, source.duration, self.unit
        self._output.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Flush the encoder."""
        self._output.mux(self._stream.encode(None))


def _take_names(stream: "Stream", source: "Stream") -> None:
    """Copy a stream's language, title and role."""
    stream.metadata.update(source.metadata)
    stream.disposition = source.disposition
