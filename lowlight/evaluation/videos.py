"""Scores of videos: means over their frames, and flicker."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lowlight.data.dataset import PairDataset
from lowlight.data.pairs import Video
from lowlight.flicker import Flicker, SceneCuts, mean_luminance

DEFINITIONS = {
    "flicker": "mean over frames t of |Y(t) - (Y(t - 1) + Y(t + 1)) / 2|, with Y the frame's mean BT.601 "
    "luma in levels of 255, within the scenes of a video; averaged over videos; lower is better",
    "flicker_dark": "flicker of the dark video",
    "flicker_reference": "flicker of the reference video, where there is one",
}
"""Definition of each score that only videos have."""


def score_videos(
    table: Mapping[str, Mapping[str, float]], dataset: PairDataset, scenes: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Score each video of a test split.

    Args:
        table: Scores by image name and metric key, with ``mean_luma`` among them; frames that are missing, as
            ``trainer.limit_test_batches`` leaves them out, do not count.
        dataset: The images of the split.
        scenes: Scene of each image by its name; videos that look alike are of one.

    Returns:
        One row per video: its name, scene and facts, its number of frames, the mean of each score over the
        frames that have it, and the flicker of the enhanced, the dark and any reference video, see
        :data:`DEFINITIONS`; NaN for fewer than three frames. Facts of the same names are left out.
    """
    videos: dict[str, tuple[Video, list[int]]] = {}
    for index, item in enumerate(dataset.items):
        video: Video | None = getattr(item, "video", None)
        if video is not None and item.name in table:
            videos.setdefault(video.name, (video, []))[1].append(index)
    rows = []
    for video, frames in videos.values():
        scores = [table[dataset.items[index].name] for index in frames]
        means = {key: _mean([row[key] for row in scores]) for key in scores[0]}
        names = {"video": video.name, "scene": scenes[dataset.items[frames[0]].name]}
        flicker = _flicker([one["mean_luma"] for one in scores], dataset, frames)
        computed = {"frames": len(frames), **means, **flicker}
        taken = {*names, *computed, *DEFINITIONS}
        facts = {key: value for key, value in video.facts.items() if key not in taken}
        rows.append(names | facts | computed)
    return rows


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _flicker(enhanced: list[float], dataset: PairDataset, frames: list[int]) -> dict[str, float]:
    """Return the flicker of a video in levels of 255; scenes begin where the dark frames show it."""
    begins_scene = SceneCuts()
    found = {key: Flicker() for key in DEFINITIONS}
    if not dataset.items[frames[0]].has_reference:
        del found["flicker_reference"]
    for index, luma in zip(frames, enhanced, strict=True):
        low, high = np.moveaxis(dataset.pixels(index), -1, 1).astype(np.float32) / 255
        begins = begins_scene(low[None])
        means = luma, mean_luminance(low[None]), mean_luminance(high[None])
        for one, mean in zip(found.values(), means, strict=False):  # the last is of a reference
            one.add(mean, begins)
    return {key: one.levels for key, one in found.items()}
