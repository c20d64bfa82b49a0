"""Writing videos through PyAV: frames encoded, other streams of the source copied unchanged."""

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from lowlight.inference.video.look import ACCURATE, Look
from lowlight.inference.video.names import names_for
from lowlight.inference.video.reading import main_video, start_of

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer, OutputContainer
    from av.container.core import Chapter
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_H264 = ("libx264", {"crf": "18", "preset": "medium", "rc-lookahead": "20"})
_VP9 = ("libvpx-vp9", {"crf": "24", "b": "0", "cpu-used": "4", "row-mt": "1"})
_KEEP_DURATIONS = 1 << 8


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
        output.metadata.update(names_for(output.format.name, footage.metadata))
        output.set_chapters(_chapters(footage))
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
        self._refused: Counter[int] = Counter()

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
        """Write a packet of a copied stream unchanged; leave out one that the container refuses."""
        import av

        index = packet.stream.index
        packet.stream = self._copies[index]
        try:
            self._output.mux(packet)
        except (av.error.ArgumentError, av.error.InvalidDataError):  # without a time, or out of order
            self._refused[index] += 1

    def write_frame(self, image: NDArray[np.float32], source: "VideoFrame") -> None:
        """Encode an image of shape (1, 3, H, W) in [0, 1] at the time of its source frame."""
        from av import VideoFrame

        pixels = np.rint(np.moveaxis(image[0], 0, -1).clip(0, 1) * 255).astype(np.uint8)
        below, right = self.height - self._look.height, self.width - self._look.width
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
        frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace=self._look.colour.target_matrix,
            dst_color_range=self._look.colour.target_range,
            interpolation=ACCURATE,
        )
        frame.pts, frame.duration, frame.time_base = source.pts, source.duration, self.unit
        self._output.mux(self._stream.encode(frame))

    def finish(self) -> list[str]:
        """Flush the encoder; return sentences on the packets left out."""
        self._output.mux(self._stream.encode(None))
        kinds = {index: self._copies[index].type for index in self._refused}
        return [
            f"{count} broken packets of {kinds[index]} were left out"
            for index, count in self._refused.items()
        ]


def _chapters(footage: "InputContainer") -> "list[Chapter]":
    """Return a video's chapters, in times from its start; without broken ones, which cannot be written."""
    chapters = []
    for one in footage.chapters():
        start = start_of(footage, cast(Fraction, one["time_base"]))
        if 0 <= one["start"] <= one["end"] and start <= one["end"]:
            times = {"start": max(one["start"] - start, 0), "end": one["end"] - start}
            chapters.append(cast("Chapter", {**one, **times}))
    return chapters


def _take_names(stream: "Stream", source: "Stream") -> None:
    """Copy a stream's language, title and role."""
    stream.metadata.update(source.metadata)
    stream.disposition = source.disposition
