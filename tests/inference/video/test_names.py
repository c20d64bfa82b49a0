"""Texts of a video as a whole: its title, and what phones note on place, time and camera."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
import av

from lowlight.inference.video.enhance import enhance_video
from tests.inference.video.clips import frames_of, still, write_clip

APPLE = {
    "com.apple.quicktime.location.ISO6709": "+48.1374+011.5755+519.000/",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.creationdate": "2026-01-02T03:04:05+0100",
}
CREATED = "2026-01-02T02:04:05.000000Z"
CHAPTER = {"id": 1, "start": 0, "end": 80, "time_base": Fraction(1, 1000), "metadata": {"title": "First"}}


def identity(low: np.ndarray) -> np.ndarray:
    return low


def names_of(path: Path) -> dict[str, str]:
    with av.open(str(path)) as footage:
        return dict(footage.metadata)


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv"])
def test_what_phones_note_is_kept(tmp_path: Path, suffix: str) -> None:
    names = APPLE | {"title": "At n\u00efght", "creation_time": CREATED}
    clip = write_clip(tmp_path / "clip.mov", still([0.3] * 3), names=names, chapters=[CHAPTER], rotation=90)
    assert names_of(clip).items() >= names.items()
    target = tmp_path / f"out{suffix}"
    enhance_video(identity, clip, target, smoothing=0)
    kept = {name.lower(): text for name, text in names_of(target).items()}
    assert kept.items() >= {name.lower(): text for name, text in names.items()}.items()
    assert frames_of(target)[0].rotation == 90
    with av.open(str(target)) as footage:
        assert [chapter["metadata"]["title"] for chapter in footage.chapters()] == ["First"]


@pytest.mark.parametrize(("suffix", "brand"), [(".mp4", "isom"), (".m4v", "isom"), (".mov", "qt  ")])
def test_the_file_is_of_its_own_brand(tmp_path: Path, suffix: str, brand: str) -> None:
    source = ".mp4" if suffix == ".mov" else ".mov"
    clip = write_clip(tmp_path / f"clip{source}", still([0.3] * 3), names=APPLE)
    enhance_video(identity, clip, tmp_path / f"out{suffix}", smoothing=0)
    assert names_of(tmp_path / f"out{suffix}")["major_brand"] == brand


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_title_alone_stays_where_players_look_for_it(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", still([0.3] * 3), names={"title": "At night"})
    target = tmp_path / f"out{suffix}"
    enhance_video(identity, clip, target, smoothing=0)
    assert names_of(target)["title"] == "At night"
    assert b"\xa9nam" in target.read_bytes()
