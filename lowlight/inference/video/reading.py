"""Reading videos through PyAV: their properties, frames and packets, and what is wrong with the file.

Needs PyAV, the extra ``video``.
"""

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lowlight.inference.video.look import Look, colour_of

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.error import FFmpegError
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_ONLY = {
    "format_whitelist": "mov,matroska,avi,mpeg,mpegvideo,mpegts,asf,flv,ogg,mxf",
    "protocol_whitelist": "file",
}
"""Demuxers and protocols that FFmpeg may use: none that reads other files or the network, as playlists do."""

_MOST_PIXELS = 100_000_000
"""Largest frame that is read, in pixels; three times that of 8K video."""

_ABSOLUTE = ("matroska", "avi", "asf")
"""Formats that announce the time of the end; the others announce the duration from the first frame on."""

_PACKET_SIZES = (188, 192, 204)
"""Bytes per packet of MPEG transport streams: plain, with times (Blu-ray, AVCHD), with error correction."""

_LOST = {
    "A53_CC": "closed captions in the picture",
    "STEREO3D": "the arrangement of stereoscopic views",
    "SPHERICAL": "the projection of a panorama",
    "MASTERING_DISPLAY_METADATA": "HDR metadata",
    "CONTENT_LIGHT_LEVEL": "HDR metadata",
    "DYNAMIC_HDR_PLUS": "HDR metadata",
    "DOVI_METADATA": "HDR metadata",
}
"""Frame data that encoders here cannot write, keyed by PyAV's name of its type."""


def open_footage(source: Path) -> "InputContainer":
    """Open a video file; of a format in which a file can name no other.

    Raises:
        ValueError: If the file is missing, not a video, or holds none that can be decoded.
    """
    import av

    if not source.is_file():
        raise ValueError(f"{source}: no such video file")
    try:  # with a protocol, since a name may contain a colon; with names in any encoding
        footage = av.open(f"file:{source}", container_options=_ONLY, metadata_errors="surrogateescape")
    except av.error.ArgumentError:
        raise ValueError(
            f"{source}: not a video, or of a format that is not read, such as a playlist"
        ) from None
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{source}: not a video, or cut off before its index ({ffmpeg_message(error)})"
        ) from None
    if not _videos(footage):
        unknown = any(one.codec_context is None for one in footage.streams.video)
        footage.close()
        raise ValueError(f"{source}: holds no video{' of a known codec' if unknown else ''}")
    return footage


def ffmpeg_message(error: "FFmpegError") -> str:
    """Return FFmpeg's message of an error, in lower case."""
    return (error.strerror or type(error).__name__).lower()


def main_video(footage: "InputContainer") -> "VideoStream":
    """Return the video stream that FFmpeg selects, the largest one, if it can be decoded; else the first."""
    videos, best = _videos(footage), footage.streams.best("video")
    return next((one for one in videos if best is not None and one.index == best.index), videos[0])


def _videos(footage: "InputContainer") -> "list[VideoStream]":
    """Return the video streams of known codecs that are no cover pictures."""
    from av.stream import Disposition

    known = (one for one in footage.streams.video if one.codec_context is not None)
    return [one for one in known if not one.disposition & Disposition.attached_pic]


def look_at(source: Path) -> Look:
    """Decode the first frame of a video.

    Raises:
        ValueError: If the file is missing, not a video, holds no frame that can be decoded or too large ones.
    """
    import av

    with open_footage(source) as footage:
        frame = next((one for one in read(footage, [], []) if isinstance(one, av.VideoFrame)), None)
        if frame is None:
            raise ValueError(f"{source}: holds no frame that can be decoded")
        if frame.width * frame.height > _MOST_PIXELS:
            raise ValueError(f"{source}: frames of {frame.width}x{frame.height} pixels are too large")
        pixels = frame.format.components
        tags = {key.lower(): value for key, value in main_video(footage).metadata.items()}
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        return Look(
            frame.width,
            frame.height,
            max(component.bits for component in pixels),
            colour_of(frame),
            struct.unpack("=9i", bytes(matrix)) if matrix is not None else None,
            tags.get("alpha_mode") == "1" or any(component.is_alpha for component in pixels),  # WebM's
            len(pixels) > 2
            and (2 * pixels[1].width > frame.width + 1 or 2 * pixels[1].height > frame.height + 1),
        )


def start_of(footage: "InputContainer", unit: Fraction) -> int:
    """Return when a video starts, in units of ``unit`` seconds; parts of broadcasts start at any time.

    Negative times count as 0, as do those of AVI, which are inferred.
    """
    import av

    if "avi" in footage.format.name:
        return 0
    return round(Fraction(max(footage.start_time or 0, 0), av.time_base) / unit)


def read(
    footage: "InputContainer", copied: "Sequence[Stream]", warnings: list[str]
) -> "Iterator[Packet[Any] | VideoFrame]":
    """Yield the frames of the main video and the packets of the copied streams, in file order.

    Times count from the start of the video; those of frames increase strictly. A damaged file is read as far
    as possible.

    Args:
        footage: An opened video.
        copied: Streams whose packets are yielded.
        warnings: List to which sentences on broken or missing parts are appended, and on what frames lose.
    """
    import av

    video, broken, end = main_video(footage), 0, Fraction(0)
    unit, start = cast(Fraction, video.time_base), start_of(footage, Fraction(1, 1000)) / 1000
    clock = _Clock(unit, start_of(footage, unit), has_times="avi" not in footage.format.name)
    kept, seen, partial = {stream.index for stream in copied}, _Seen(), False
    try:
        for packet in footage.demux():
            if not packet.size:
                continue  # end-of-stream marker
            partial = packet.is_corrupt
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.stream.index != video.index:
                if packet.stream.index in kept:
                    yield _from_start(packet, footage)
                continue
            try:
                frames = video.decode(packet)
            except av.error.InvalidDataError:
                broken += 1
                continue
            yield from map(clock.set, map(seen.add, frames))
        yield from map(clock.set, map(seen.add, video.decode(None)))
    except av.error.FFmpegError as error:
        warnings.append(f"reading stopped at {max(float(end) - start, 0):.1f} s ({ffmpeg_message(error)})")
    if broken:
        warnings.append(f"{broken} broken packets were left out")
    warnings += [*seen.notes(), *_truncation(footage, float(end), partial)]


def _from_start(packet: "Packet[Any]", footage: "InputContainer") -> "Packet[Any]":
    """Let a packet's times count from the start of the video."""
    start = start_of(footage, packet.time_base)
    if packet.pts is not None:
        packet.pts -= start
    if packet.dts is not None:
        packet.dts -= start
    return packet


def _truncation(footage: "InputContainer", end: float, partial: bool) -> list[str]:
    """Return a sentence on a file that ends too early: at most one.

    Args:
        footage: A video that was read.
        end: Largest time of the end of a packet, in seconds.
        partial: Whether the last packet was cut off.
    """
    import av

    video, form = main_video(footage), footage.format.name
    start = (footage.start_time or 0) / av.time_base
    announced = (footage.duration or 0) / av.time_base
    frame = float(1 / video.average_rate) if video.average_rate else 0.04
    if "avi" in form:  # whose demuxer shortens the duration to the file's size
        announced = max(announced, video.frames * frame)
    if announced and any(name in form for name in _ABSOLUTE):
        announced -= start
    found = max(end - start, 0)
    if found < announced - max(0.1, 2 * frame):
        return [f"the file ends after {found:.1f} of {announced:.1f} s: it may be cut off"]
    if partial or ("mpegts" in form and _ends_in_packet(Path(footage.name.removeprefix("file:")))):
        return [f"the file ends within a packet, after {found:.1f} s: it may be cut off"]
    if "asf" in form and not announced:  # the demuxer forgets it if the file has another size
        return [f"the file, of {found:.1f} s, has another size than it announces: it may be cut off"]
    return []


def _ends_in_packet(stream: Path) -> bool:
    """Return whether an MPEG transport stream ends within a packet; each holds the byte 0x47 at one place."""
    with stream.open("rb") as file:
        head = file.read(2 * max(_PACKET_SIZES))
    first = max(head.find(b"G"), 0)
    size = next((one for one in _PACKET_SIZES if head[first + one : first + one + 1] == b"G"), 0)
    return bool(size and stream.stat().st_size % size)


class _Seen:
    """Counts what frames lose."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._scaled = self._interlaced = 0
        self._lost: dict[str, None] = {}

    def add(self, frame: "VideoFrame") -> "VideoFrame":
        size = (frame.width, frame.height)
        self._size = self._size or size
        self._scaled += size != self._size
        self._interlaced += frame.interlaced_frame
        for data, what in _LOST.items():
            if frame.side_data.get(data) is not None:
                self._lost[what] = None
        return frame

    def notes(self) -> list[str]:
        """Return sentences on what the frames so far lost."""
        notes = []
        if self._scaled and self._size:
            width, height = self._size
            notes.append(
                f"{self._scaled} frames of another size were scaled to the first one's, {width}x{height}"
            )
        if self._interlaced:
            notes.append(
                f"{self._interlaced} interlaced frames were enhanced whole, and are written as progressive"
            )
        return notes + [f"left out: {what}" for what in self._lost]


class _Clock:
    """Counts frame times from the start of the video, and corrects missing and non-increasing ones.

    AVI stores none, and FFmpeg infers presentation times from the packet order; the decoding times are used
    instead.
    """

    def __init__(self, unit: Fraction, start: int, has_times: bool) -> None:
        self._unit, self._start, self._has_times = unit, start, has_times
        self._last: tuple[int, int] | None = None

    def set(self, frame: "VideoFrame") -> "VideoFrame":
        frame.time_base, frame.duration = self._unit, max(frame.duration, 1)
        time = frame.pts if self._has_times else frame.dts
        if time is not None:
            time -= self._start
        if self._last is None:
            frame.pts = time or 0
        else:
            frame.pts = time if time is not None and time > self._last[0] else sum(self._last)
        self._last = (frame.pts, frame.duration)
        return frame
