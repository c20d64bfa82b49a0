"""Video files by PyAV: packets and frames read, frames encoded, everything else copied as it is.

Needs PyAV, the extra ``video``. Numbers of colours and of swscale's flags are FFmpeg's.
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
"""What is written, by file name ending, in FFmpeg's names; all of these hold timestamps and rotation."""

_H264 = ("libx264", {"crf": "18", "preset": "medium", "rc-lookahead": "20"})
_VP9 = ("libvpx-vp9", {"crf": "24", "b": "0", "cpu-used": "4", "row-mt": "1"})
_KEEP_DURATIONS = 1 << 8

# swscale's matrices by the tags of frames: BT.709, FCC, BT.601 (two), SMPTE 240M, BT.2020.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_BT709, _BT601 = 1, 5
_TAGS = {_BT709: 1, _BT601: 6}
_LIMITED, _FULL = 1, 2
_ACCURATE = 0x4 | 0x2000 | 0x40000  # bicubic, chroma at every pixel, rounded; the default darkens by a level


class Colour(NamedTuple):
    """How the values of a video stand for RGB.

    Attributes:
        matrix: swscale's number of the matrix between RGB and YCbCr.
        source_range: 1 for limited values (16 to 235), 2 for full ones.
        target_range: As ``source_range``, of what is written.
        tags: What the written video says of its colours, by the encoder's names; the source's, where YCbCr.
    """

    matrix: int
    source_range: int
    target_range: int
    tags: dict[str, int]


class Look(NamedTuple):
    """What the first frame of a video tells of all: size in pixels, bits a value, colour, how to turn it.

    ``display_matrix`` is FFmpeg's nine numbers of the rotation and mirroring, None where there is none.
    """

    width: int
    height: int
    bits: int
    colour: Colour
    display_matrix: tuple[int, ...] | None


def open_footage(source: Path) -> "InputContainer":
    """Open a video file.

    Raises:
        ValueError: If it is missing or no video.
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
    """Return what FFmpeg says of an error."""
    return (error.strerror or type(error).__name__).lower()


def main_video(footage: "InputContainer") -> "VideoStream":
    """Return the video that FFmpeg takes for the main one: no cover picture, the largest."""
    return cast("VideoStream", footage.streams.best("video"))


def look_at(source: Path) -> Look:
    """Decode the first frame of a video.

    Raises:
        ValueError: If the file is missing, no video, or holds no frame that can be decoded.
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
    """Read a frame's colours from its tags, or, like players, from its size and format.

    Without a tag it is BT.709 from 720 rows and BT.601 below, and limited unless the format says otherwise.
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
    """Yield the frames of the main video and the packets of the copied streams, in the order of the file.

    Each frame's time is after the one's before. What can be read of a damaged file is read.

    Args:
        footage: An opened video.
        copied: Streams to yield packets of.
        warnings: Takes sentences on what is broken or missing.
    """
    import av

    video, broken, end = main_video(footage), 0, Fraction(0)
    clock = _Clock(cast(Fraction, video.time_base), has_times="avi" not in footage.format.name)
    try:
        for packet in footage.demux(video, *copied):
            if not packet.size:
                continue  # the mark at a stream's end
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
    told = (footage.duration or 0) / av.time_base
    found = float(end) - (footage.start_time or 0) / av.time_base
    if found < told - 1:
        warnings.append(f"the file ends after {found:.1f} of {told:.1f} s: it may be cut off")


class _Clock:
    """Gives each frame a time after the one's before, where it has none or a wrong one.

    AVI has none: what FFmpeg infers follows the order of the packets, so that the times at which these were
    due are taken.
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
    """Return a frame as an image of shape (1, 3, H, W) in [0, 1], of the first frame's size."""
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
    """Writes a video: frames encoded, streams of the source copied.

    Args:
        output: An opened container, empty.
        footage: The source, for its video's rate and units, titles and chapters.
        look: Of its frames.
        even: Whether sides must be even, as H.264's; VP9 is written where not.

    Attributes:
        width: Of the written frames, in pixels.
        height: As ``width``.
        unit: Of the frames' times, in seconds.
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
        """Make room for a stream of the source; False if the container cannot hold its codec."""
        try:
            copy = self._output.add_stream_from_template(stream)
        except ValueError:
            return False
        _take_names(copy, stream)
        self._copies[stream.index] = copy
        return True

    def write_packet(self, packet: "Packet[Any]") -> None:
        """Write a packet of a copied stream as it is."""
        packet.stream = self._copies[packet.stream.index]
        self._output.mux(packet)

    def write_frame(self, image: Tensor, source: "VideoFrame") -> None:
        """Encode an image of shape (1, 3, H, W) in [0, 1], at the time of the frame that it was made from."""
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
        """Write the frames that the encoder still holds."""
        self._output.mux(self._stream.encode(None))


def _take_names(stream: "Stream", source: "Stream") -> None:
    """Copy a stream's language, title and role."""
    stream.metadata.update(source.metadata)
    stream.disposition = source.disposition
