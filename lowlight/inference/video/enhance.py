"""Videos enhanced frame by frame in constant memory; sound, timing and rotation are kept."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lowlight.files import whole
from lowlight.flicker import Flicker, SceneCuts, SteadyExposure, mean_luminance
from lowlight.inference.settings import SMOOTHING, VideoSummary
from lowlight.inference.video.look import Look, to_image
from lowlight.inference.video.names import options_for
from lowlight.inference.video.reading import ffmpeg_message, look_at, main_video, open_footage, read
from lowlight.inference.video.suffixes import CONTAINERS
from lowlight.inference.video.writing import Writer

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream


def enhance_video(
    enhance: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    source: Path,
    target: Path,
    *,
    smoothing: float = SMOOTHING,
    progress: Callable[[int], None] | None = None,
) -> VideoSummary:
    """Enhance a video frame by frame, in memory that does not grow with its length.

    Frames keep their times (from the start of the video on), rotation, pixel aspect ratio and colour tags,
    and are processed in 8 bits; HDR (PQ or HLG) is converted to sRGB from its full depth, without the
    highlights above white, and tagged as BT.709. They are written as H.264, which needs even sides (odd ones
    are extended by repeating the last row or column), or as VP9 in WebM. Sound, subtitles, chapters and
    texts, such as title, place and camera, are copied. Of several video streams the main one is used. A
    damaged file is enhanced as far as it can be read. A warning names whatever is dropped or changed:
    streams (of unknown codecs, attachments, data), transparency, HDR, colours finer than 4:2:0, interlacing,
    a changing size.

    Args:
        enhance: Maps a frame of shape (1, 3, H, W) in [0, 1] to one of the same shape and range.
        source: A video of a kind in VIDEO_SUFFIXES; its content decides, not its name.
        target: File to write, completely or not at all, with a suffix in ``CONTAINERS``; may be the source.
        smoothing: Time constant in seconds over which the exposure is smoothed; 0 for no smoothing.
        progress: Called after each frame with the number of frames done.

    Raises:
        ValueError: If PyAV is missing, the source is not a video or holds no frame that can be decoded, or
            the target cannot be written or cannot hold the sound.
    """
    try:
        import av
    except ImportError:
        raise ValueError("videos need PyAV: pip install 'lowlight[video]'") from None
    suffix = target.suffix.lower()
    if suffix not in CONTAINERS:
        raise ValueError(f"{target}: videos are written as {', '.join(CONTAINERS)}; .mkv holds most")
    if smoothing < 0:
        raise ValueError(f"smoothing={smoothing}: must be a time constant in seconds, or 0 for none")
    look = look_at(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            open_footage(source) as footage,
            whole(target) as partial,
            _open(partial, CONTAINERS[suffix], footage.metadata) as output,
        ):
            writer = Writer(output, footage, look, even=suffix != ".webm")
            copied, warnings = _copy_streams(footage, writer, target)
            warnings += _changes(look, writer)
            items = read(footage, copied, warnings)
            summary = _enhance(enhance, items, writer, look, smoothing, progress or (lambda _: None))
            warnings += writer.finish()
        return replace(summary, warnings=tuple(warnings))
    except av.error.FFmpegError as error:
        raise ValueError(f"{target}: cannot be written ({ffmpeg_message(error)})") from error


def _enhance(
    enhance: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    items: "Iterable[Packet[Any] | VideoFrame]",
    writer: Writer,
    look: Look,
    smoothing: float,
    progress: Callable[[int], None],
) -> VideoSummary:
    """Enhance frames and copy packets; return a summary without warnings."""
    from av.packet import Packet

    begins_scene, steady = SceneCuts(), SteadyExposure(smoothing)
    before, unsmoothed, after = Flicker(), Flicker(), Flicker()
    frames, scenes, start, end = 0, 0, None, 0.0
    for item in items:
        if isinstance(item, Packet):
            writer.write_packet(item)
            continue
        low = to_image(item, look)
        enhanced = enhance(low)
        scene, mean = begins_scene(low), mean_luminance(enhanced)
        steadied = (enhanced * np.float32(steady.gain(mean, item.time, scene))).clip(0, 1)
        writer.write_frame(steadied, item)
        before.add(mean_luminance(low), scene)
        unsmoothed.add(mean, scene)
        after.add(mean_luminance(steadied), scene)
        start = item.time if start is None else start
        end = item.time + float(item.duration * writer.unit)
        frames, scenes = frames + 1, scenes + scene
        progress(frames)
    return VideoSummary(
        frames=frames,
        width=writer.width,
        height=writer.height,
        seconds=end - (start or 0.0),
        scenes=scenes,
        flicker_in=_known(before.levels),
        flicker_unsmoothed=_known(unsmoothed.levels),
        flicker_out=_known(after.levels),
    )


def _known(levels: float) -> float | None:
    return None if math.isnan(levels) else levels


def _open(path: Path, form: str, names: Mapping[str, str]) -> "OutputContainer":
    """Open a video to write in one of FFmpeg's formats, with room for texts of these names."""
    import av

    options = options_for(form, names)
    # with a protocol, as a name may hold a colon
    return av.open(f"file:{path}", "w", format=form, options=options, metadata_errors="surrogateescape")


def _copy_streams(
    footage: "InputContainer", writer: Writer, target: Path
) -> "tuple[list[Stream], list[str]]":
    """Add all sound and subtitle streams to the output; return those added, and sentences on those dropped.

    Raises:
        ValueError: If the container cannot hold the sound, but Matroska can.
    """
    copied: list[Stream] = []
    lost: Counter[str] = Counter()
    for stream in footage.streams:
        if stream.index == main_video(footage).index:
            continue
        context: Any = stream.codec_context
        kind, codec = str(stream.type), context and context.name
        if kind not in ("audio", "subtitle"):
            kind = {"video": "another video"}.get(kind, kind)
            lost[f"left out: {kind}, {codec}" if codec else f"left out: {kind}"] += 1
        elif codec is None:
            lost[f"left out: {kind} of an unknown codec"] += 1
        elif writer.copy(stream):
            copied.append(stream)
        elif kind == "audio" and _fits_matroska(stream):
            raise ValueError(f"{target}: cannot hold the sound, {codec}; write to a .mkv instead")
        else:
            lost[f"left out: {kind}, {codec}, which {target.suffix} cannot hold"] += 1
    notes = [note if count == 1 else f"{note} ({count} streams)" for note, count in lost.items()]
    if footage.streams.audio and not any(stream.type == "audio" for stream in copied):
        notes.append("the output is mute")
    return copied, notes


def _fits_matroska(stream: "Stream") -> bool:
    with _open(Path(os.devnull), "matroska", {}) as output:
        try:
            output.add_stream_from_template(stream)
        except ValueError:
            return False
    return True


def _changes(look: Look, writer: Writer) -> list[str]:
    """Return sentences on how the written frames' format differs from the source's."""
    changes = ["the transparency was dropped"] if look.has_alpha else []
    if look.colour.hdr:
        name = look.colour.hdr.name
        changes.append(f"HDR colours ({name}) were converted to BT.709, without the highlights above white")
    if look.bits > 8:
        changes.append(f"{look.bits} bits per value were reduced to 8")
    if look.has_fine_chroma:
        changes.append("colours were reduced to one per 2x2 pixels (4:2:0)")
    if (writer.width, writer.height) != (look.width, look.height):
        sizes = f"{look.width}x{look.height} to {writer.width}x{writer.height}"
        changes.append(f"extended from {sizes}, as H.264 needs even sides")
    return changes
