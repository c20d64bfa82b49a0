"""Videos are judged, and their brightness is set, by some frames together."""

import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from lowlight.colour import luma
from lowlight.inference.batch import enhance
from lowlight.inference.batch.enhance import enhance_job
from lowlight.inference.batch.jobs import Job
from lowlight.inference.load import choose
from lowlight.inference.photos.enhance import enhance_pixels
from lowlight.inference.settings import Settings
from lowlight.inference.video.frames import sample_frames
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from tests.conftest import photograph
from tests.inference.video.clips import rgb_of, still, write_clip
from tests.tiny import tiny


def test_brightness_is_that_of_the_whole_video(tmp_path: Path) -> None:
    frames = still([0.25] * 12)
    for frame in frames[4:8]:
        frame[8:40, 30:62] = 220  # passes by
    frames[0][:] = 0  # fades in
    source = write_clip(tmp_path / "clip.mp4", frames)
    job = Job(source, tmp_path / "bright.mp4")
    settings = Settings(brightness=0.4, smoothing=0, fail_safe=False)
    assert enhance_job(choose(method="gamma"), job, settings).status == "enhanced"
    written = rgb_of(job.target)
    background = [frame[:, :24].mean() for frame in written[1:]]
    assert max(background) - min(background) < 3
    assert written[0].mean() < 3
    assert abs(np.mean([frame.mean() for frame in written]) / 255 - 0.4) < 0.06


def test_the_brightness_of_a_video_is_that_of_its_noisy_frames(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 20, (4, 200, 800, 1))
    frames = (photograph(4, 200, 800) / 12 + noise).clip(0, 255).astype(np.uint8)
    job = Job(write_clip(tmp_path / "clip.mkv", list(frames), codec="ffv1"), tmp_path / "bright.mkv")
    enhance_job(choose(method="gamma"), job, Settings(brightness=0.3, smoothing=0, fail_safe=False))
    assert np.mean([luma(frame / 255).mean() for frame in rgb_of(job.target)]) == pytest.approx(0.3, abs=0.01)


def test_an_exposure_is_added_to_the_largest_that_a_brightness_takes(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mkv", [np.full((48, 64, 3), 4, np.uint8)] * 3, codec="ffv1")
    enhancer, job = choose(method="identity"), Job(source, tmp_path / "bright.mkv")
    settings = Settings(brightness=0.9, exposure=1, smoothing=0, fail_safe=False)
    assert enhance_job(enhancer, job, settings).status == "enhanced"
    still, _ = enhance_pixels(enhancer, rgb_of(source)[0], settings)
    assert abs(rgb_of(job.target).mean() - still.mean()) < 3


@pytest.mark.parametrize(
    ("factors", "status"), [([0.1] * 5 + [0.9] * 3, "enhanced"), ([0.9] * 8, "unchanged")]
)
def test_a_video_is_left_as_it_is_if_most_of_it_is_bright(
    factors: list[float], status: str, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "clip.mp4", still(factors))
    enhancer, job = choose(method="gamma"), Job(source, tmp_path / "bright.mp4")
    outcome = enhance_job(enhancer, job, Settings())
    assert (outcome.status, outcome.reason) == (status, "not_dark" if status == "unchanged" else None)
    assert (job.target.read_bytes() == source.read_bytes()) == (status == "unchanged")


def test_a_bright_video_is_written_to_another_container_or_enhanced_if_asked(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", still([0.9] * 6))
    enhancer, job = choose(method="gamma"), Job(source, tmp_path / "same.mkv")
    outcome = enhance_job(enhancer, job, Settings())
    assert (outcome.status, outcome.reason) == ("unchanged", "not_dark")
    assert outcome.video is not None
    assert np.abs(np.subtract(rgb_of(job.target), rgb_of(source), dtype=float)).mean() < 3
    brighter = replace(job, target=tmp_path / "bright.mp4")
    assert enhance_job(enhancer, brighter, Settings(fail_safe=False)).status == "enhanced"
    assert np.mean(rgb_of(brighter.target)) > np.mean(rgb_of(source)) + 10


def test_a_network_that_judges_itself_is_not_overruled(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", still([0.9] * 2))
    job = Job(source, tmp_path / "out.mp4")
    assert enhance_job(TorchEnhancer(tiny("plate_gan").eval()), job, Settings()).status == "enhanced"


def test_the_frames_that_are_looked_at_are_not_held_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[weakref.ref[np.ndarray]] = []

    def watched(source: Path, number: int) -> Iterator[tuple[float, np.ndarray]]:
        for seconds, pixels in sample_frames(source, number):
            seen.append(weakref.ref(pixels))
            assert sum(one() is not None for one in seen) <= 2  # this one and the one before
            yield seconds, pixels

    monkeypatch.setattr(enhance, "sample_frames", watched)
    source = write_clip(tmp_path / "clip.mp4", still([0.1] * 8))
    job = Job(source, tmp_path / "bright.mp4")
    assert enhance_job(choose(method="gamma"), job, Settings(brightness=0.3)).status == "enhanced"
    assert len(seen) == 16  # for the darkness and for the brightness
