"""How HDR becomes sRGB."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
import av

from lowlight.colour import srgb_to_linear
from lowlight.decoding.colour_coding import from_codes, to_srgb
from lowlight.decoding.photo import Photo
from lowlight.inference.settings import VideoSummary
from lowlight.inference.video.enhance import enhance_video
from lowlight.inference.video.frames import sample_frames
from lowlight.inference.video.look import colour_of
from tests.inference.video.clips import frames_of, rgb_of, still, write_clip

BT2020_FROM_BT709 = np.array(  # ITU-R BT.2087
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)
WHITE = 65280  # of 16 bits, as swscale counts


def hlg(light: np.ndarray) -> np.ndarray:
    """Code light relative to diffuse white, which is 0.75; ITU-R BT.2100."""
    scene = light * 0.2649
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def pq(light: np.ndarray) -> np.ndarray:
    """Code light relative to diffuse white, which is 203 cd/m2; SMPTE ST 2084."""
    power = (light * 203 / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


CURVES = {16: pq, 18: hlg}


def hdr_frames(frames: list[np.ndarray], curve: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
    """Code 8-bit sRGB frames in BT.2020 with an HDR curve, as 16-bit frames."""
    lights = [srgb_to_linear(frame / 255.0) @ BT2020_FROM_BT709.T for frame in frames]
    return [(curve(light) * WHITE).round().astype(np.uint16) for light in lights]


def write_hdr(path: Path, frames: list[np.ndarray], transfer: int, values: int = 1) -> Path:
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": values}
    return write_clip(path, frames, codec="ffv1", pix_fmt="yuv444p10le", **tags)


def seen(clip: Path) -> tuple[np.ndarray, VideoSummary]:
    """Return the frames that are handed to a method, (N, H, W, 3) in [0, 1], and the summary."""
    handed: list[np.ndarray] = []
    summary = enhance_video(
        lambda low: handed.append(low) or low, clip, clip.with_name("out.mp4"), smoothing=0
    )
    return np.moveaxis(np.concatenate(handed), 1, -1), summary


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_becomes_bt709(tmp_path: Path, transfer: int, name: str) -> None:
    frames = still([0.1, 0.5, 1.0])
    clip = write_hdr(tmp_path / "clip.mkv", hdr_frames(frames, CURVES[transfer]), transfer)
    handed, summary = seen(clip)
    assert summary.warnings == (
        f"HDR colours ({name}, BT.2020) were converted to BT.709, without the highlights above white",
        "10 bits per value were reduced to 8",
        "colours were reduced to one per 2x2 pixels (4:2:0)",
    )
    assert np.abs(handed * 255 - np.stack(frames)).mean() < 1
    assert np.abs(rgb_of(tmp_path / "out.mp4") - np.stack(frames).astype(float)).mean() < 4  # chroma halved
    frame = frames_of(tmp_path / "out.mp4")[0]
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (1, 1, 1, 1)


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("values", [1, 2])
def test_hdr_is_converted_as_in_photographs(tmp_path: Path, transfer: int, values: int) -> None:
    coded = (still([1.0])[0].astype(np.uint16) * 256).clip(0, WHITE)  # of all luminances up to the highest
    coded[:8] = np.linspace(0, WHITE, 64).astype(np.uint16)[:, None]
    handed, _ = seen(write_hdr(tmp_path / "clip.mkv", [coded], transfer, values))
    photograph = Photo((coded / WHITE * 65535).round().astype(np.uint16))
    truth = to_srgb(photograph, from_codes(9, transfer)).pixels / 65535
    difference = np.abs(handed[0] - truth) * 255
    assert difference.mean() < 1
    assert difference[:8].max() < 6  # a step of 10 bits in PQ is up to 4 levels
    assert handed.max() == 1


def test_hdr_is_not_read_in_8_bits(tmp_path: Path) -> None:
    grey = np.linspace(0.05, 0.5, 640).reshape(1, 640, 1)
    ramp = (pq(srgb_to_linear(np.tile(grey, (48, 1, 3)))) * WHITE).round().astype(np.uint16)
    handed, _ = seen(write_hdr(tmp_path / "clip.mkv", [ramp], 16))
    assert len(np.unique(handed[0, 0, :, 0])) > 200  # 8 bits would give about 70


def test_hdr_without_other_tags_is_bt2020() -> None:
    frame = av.VideoFrame(1280, 720, "yuv420p10le")
    frame.color_trc = 18
    bare = colour_of(frame)
    frame.colorspace = frame.color_primaries = 9
    assert bare == colour_of(frame)
    assert (bare.matrix, bare.target_matrix) == (9, 1)


def test_sampled_frames_of_hdr_are_srgb(tmp_path: Path) -> None:
    frames = still([0.5] * 3)
    [(_, pixels)] = sample_frames(write_hdr(tmp_path / "clip.mkv", hdr_frames(frames, hlg), 18), 1)
    assert np.abs(pixels * 255 - frames[0]).mean() < 1
