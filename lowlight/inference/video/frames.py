"""A few frames of a video, spread over its length."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lowlight.inference.video.look import Look, to_image
from lowlight.inference.video.reading import look_at, main_video, open_footage

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer


def sample_frames(source: Path, number: int) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Decode frames from the middle of each of ``number`` equal parts of a video, upright, one after another.

    Places that cannot be decoded are left out; of a video that does not announce its duration, there is only
    the first frame.

    Yields:
        Time in seconds from the first frame, and pixels of shape (H, W, 3) in [0, 1], in order of the places,
        each frame once.

    Raises:
        ValueError: If PyAV is missing, or the file is missing, not a video, or no frame can be decoded.
    """
    try:
        import av
    except ImportError as error:
        raise ValueError(f"{source}: videos need PyAV: pip install 'lowlight[video]'") from error
    look = look_at(source)
    with open_footage(source) as footage:
        start, duration = ((value or 0) / av.time_base for value in (footage.start_time, footage.duration))
        parts = number if duration else 1
        seen: set[float] = set()
        for part in range(parts):
            wanted = start + duration * (part + 0.5) / parts
            try:
                frame = _frame_at(footage, wanted)
            except av.error.FFmpegError:
                continue
            if frame is None:
                continue
            seconds = round(max((frame.time or 0) - start, 0), 3)
            if seconds not in seen:
                seen.add(seconds)
                yield seconds, _upright(frame, look)
    if not seen:
        raise ValueError(f"{source}: none of its frames can be decoded at {parts} places")


def _frame_at(footage: "InputContainer", seconds: float) -> "VideoFrame | None":
    """Return the frame that is shown at a time: the last one up to it, or else the first one."""
    import av

    footage.seek(int(seconds * av.time_base))
    shown = None
    for frame in footage.decode(main_video(footage)):
        if shown is not None and (frame.time is None or frame.time > seconds):
            break
        shown = frame
    return shown


def _upright(frame: "VideoFrame", look: Look) -> NDArray[np.float32]:
    """Convert a frame to pixels of shape (H, W, 3) in [0, 1], turned by its display matrix."""
    pixels = np.moveaxis(to_image(frame, look)[0], 0, -1)
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))
