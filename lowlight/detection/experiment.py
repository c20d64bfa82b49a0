"""Does enhancement help a detector? Average precision before and after, per method and darkness."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.colour import luma
from lowlight.data.low_light import LowLight, darken_scene
from lowlight.decoding.formats import images_below
from lowlight.detection.annotations import read_annotations
from lowlight.detection.boxes import OVERLAP, Objects, objects
from lowlight.detection.detectors import FACES, Detector, load_detector, run
from lowlight.detection.precision import (
    RESAMPLES,
    Matches,
    average_precision,
    draw,
    interval,
)
from lowlight.evaluation.statistics import LEVEL
from lowlight.images import read_rgb
from lowlight.inference.library import load
from lowlight.inference.models import labels_of
from lowlight.inference.photos.enhance import enhance_pixels
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer

BRIGHT = "bright"
"""Name of the darkness of photographs before they are darkened."""

AS_TAKEN = "as taken"
"""Name of the darkness of images that are not darkened."""

BEFORE = "none"
"""Name of the method that leaves images as they are."""

SURE = 0.5
"""Least score of a detection on the bright photograph that stands for an annotation."""

_THIRDS = ("darkest third", "middle third", "brightest third")
_FEWEST = 9
"""Fewest images that are divided into thirds by their brightness."""

Pixels = NDArray[np.uint8]


@dataclass
class _Condition:
    """Detections of every image at one darkness after one method."""

    darkness: str
    method: str
    found: list[NDArray[np.float64]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass
class _Measured:
    """Detections of all conditions, and per image its objects and its mean luma in levels of 255."""

    conditions: list[_Condition]
    truths: list[Objects] = field(default_factory=list)
    luma: list[float] = field(default_factory=list)


def detect(
    folder: Path | str,
    annotations: Path | str | None = None,
    methods: Sequence[str] = ("coarse_to_fine",),
    *,
    detector: str | Detector = FACES,
    darken: Sequence[float] = (),
    device: str = "auto",
    trust: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> dict[str, Any]:
    """Measure a detector on images as they are and after each method.

    Bright photographs are darkened first, by each of ``darken``: the same highlights, cast, noise, tone curve
    and JPEG at each level, drawn per photograph, see :class:`lowlight.data.low_light.LowLight`; the exposure
    is the level, and the illumination even. Without annotations, detections on the bright photograph with a
    score of 0.5 or more stand for them: then the results say how well the detector finds again what it found
    there, not what there is.

    Args:
        folder: Images, searched recursively.
        annotations: File or folder, see :func:`.read_annotations`; images it lacks are left out.
        methods: Names of methods that need no training, or paths of models, see :func:`lowlight.load`.
        detector: Name, see :func:`.load_detector`, or a callable.
        darken: Levels in stops by which bright photographs are darkened; none for images that are dark.
        device: Device to enhance on.
        trust: Packages beyond torch and lowlight that checkpoints may call.
        seed: Seed of the darkening and the bootstrap.
        progress: Wraps the names of the images, to show progress.

    Returns:
        Plain containers: ``rows``, one per darkness and method, with average precision at an intersection
        over union of 0.5, its bootstrap interval over images, its difference from no enhancement with an
        interval, recall and number of detections; ``curves``; and ``about``.

    Raises:
        ValueError: If there is no image, annotation, detector or method, or nothing to compare with.
    """
    if annotations is None and not darken:
        raise ValueError("give --annotations; or --darken, to find again what is found in bright photographs")
    if bad := [stops for stops in darken if not 0 < stops <= 12]:
        raise ValueError(f"darken={bad[0]:g} must be in (0, 12] stops")
    find = load_detector(detector) if isinstance(detector, str) else detector
    images = find_images(Path(folder).expanduser())
    known = None if annotations is None else read_annotations(annotations, images)
    used = {name: path for name, path in images.items() if known is None or name in known}
    if BEFORE in methods:
        raise ValueError(f"--methods: {BEFORE} is always measured; leave it out")
    enhancers = {
        label: load(method, device=device, trust=trust)
        for label, method in labels_of(methods, [BEFORE]).items()
    }
    levels = {f"{stops:g} stops": stops for stops in darken}
    measured = _measure(used, known, find, enhancers, levels, seed, progress)
    counts = [int((~truth.ignored).sum()) for truth in measured.truths]
    if not any(counts):
        raise ValueError(f"{folder}: no object is annotated, so there is no average precision")
    rows, curves = _summarise(measured, seed)
    found_before = f"detections in the bright photographs, of scores from {SURE:g}"
    return {
        "rows": rows,
        "curves": curves,
        "about": {
            "images": len(used),
            "without_annotation": len(images) - len(used),
            "objects": sum(counts),
            "images_with_objects": sum(map(bool, counts)),
            "reference": found_before if known is None else "annotations",
            "detector": detector if isinstance(detector, str) else getattr(detector, "__name__", "callable"),
            "overlap": OVERLAP,
            "intervals": f"{LEVEL:.0%} percentile bootstrap over images, {RESAMPLES} resamples",
            "darkening": "synthetic" if levels else "none",
            "seed": seed,
        },
    }


def _measure(
    images: Mapping[str, Path],
    known: Mapping[str, Objects] | None,
    find: Detector,
    enhancers: Mapping[str, Enhancer],
    levels: Mapping[str, float],
    seed: int,
    progress: Callable[[Iterable[str]], Iterable[str]],
) -> _Measured:
    """Detect objects in every image, at each level of darkness, before and after each method."""
    bright = [_Condition(BRIGHT, BEFORE)] if levels else []
    dark = [[_Condition(level, one) for one in (BEFORE, *enhancers)] for level in levels or [AS_TAKEN]]
    measured = _Measured(bright + [one for conditions in dark for one in conditions])
    for name in progress(images):
        pixels = read_rgb(images[name])
        for condition in bright:
            condition.found.append(run(find, pixels, name))
        if known is None:
            sure = bright[0].found[-1]
            sure = sure[sure[:, 4] >= SURE]
            measured.truths.append(objects(sure[:, :4], sure[:, 5].astype(np.int64)))
        else:
            measured.truths.append(known[name])
        measured.luma.append(float(luma(pixels.astype(np.float32)).mean()))
        for before, *after in dark:
            level = levels.get(before.darkness)
            low = pixels if level is None else darkened(pixels, level, name, seed)
            before.found.append(run(find, low, name))
            for condition in after:
                began = time.perf_counter()
                enhanced, _ = enhance_pixels(enhancers[condition.method], low, Settings(fail_safe=False))
                condition.seconds.append(time.perf_counter() - began)
                condition.found.append(run(find, enhanced, name))
    return measured


def find_images(folder: Path) -> dict[str, Path]:
    """Return the images of a folder, searched recursively, by their path below it.

    Raises:
        ValueError: If the folder is missing or has none.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of images")
    found = images_below(folder)
    if not found:
        raise ValueError(f"{folder}: no image in it")
    return {path.relative_to(folder).as_posix(): path for path in found}


def darkened(pixels: Pixels, stops: float, name: str, seed: int = 0) -> Pixels:
    """Darken a bright photograph by a number of stops; all else is drawn by its name, alike at each level."""
    ranges = LowLight(exposure=(-stops, -stops), uneven=0.0, vignette=(0.0, 0.0))
    own = int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8])
    return darken_scene(pixels, ranges, np.random.default_rng(own))


def _summarise(measured: _Measured, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the scores and the curves of all conditions; of images as taken also by their brightness."""
    rows: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    everything = range(len(measured.truths))
    for darkness in dict.fromkeys(one.darkness for one in measured.conditions):
        conditions = [one for one in measured.conditions if one.darkness == darkness]
        groups = _by_brightness(measured.luma) if darkness == AS_TAKEN else {darkness: everything}
        for name, chosen in groups.items():
            draws = draw(len(chosen), seed=seed)
            before = _matches(conditions[0], measured.truths, chosen)
            for condition in conditions:
                matches = _matches(condition, measured.truths, chosen)
                facts = {"darkness": name, "method": condition.method}
                rows.append(facts | _scores(matches, before, draws) | _cost(condition, chosen))
                for kind in matches.classes():
                    points = {key: one.tolist() for key, one in matches.curve(kind)._asdict().items()}
                    curves.append(facts | {"class": kind} | points)
    return rows, curves


def _by_brightness(brightness: Sequence[float]) -> dict[str, Sequence[int]]:
    """Divide images into all, and thirds by their mean luma."""
    groups: dict[str, Sequence[int]] = {AS_TAKEN: range(len(brightness))}
    if len(brightness) >= _FEWEST:
        parts = np.array_split(np.argsort(brightness, kind="stable"), len(_THIRDS))
        for name, part in zip(_THIRDS, parts, strict=True):
            ends = f"{brightness[part[0]]:.0f} to {brightness[part[-1]]:.0f}"
            groups[f"{name}, luma {ends}"] = part.tolist()
    return groups


def _matches(condition: _Condition, truths: Sequence[Objects], chosen: Sequence[int]) -> Matches:
    matches = Matches()
    for index in chosen:
        matches.add(condition.found[index], truths[index])
    return matches


def _scores(matches: Matches, before: Matches, draws: NDArray[np.int64]) -> dict[str, Any]:
    """Return the average precision, its interval, and its difference from that before with an interval."""
    precision, drawn = average_precision(matches), matches.resampled(draws)
    ends = [curve.recall[-1] if len(curve.recall) else 0.0 for curve in map(matches.curve, matches.classes())]
    return {
        "ap": precision,
        "ap_interval": list(interval(drawn, matches.images)),
        "difference": precision - average_precision(before),
        "difference_interval": list(interval(drawn - before.resampled(draws), matches.images)),
        "recall": fmean(ends) if ends else nan,
        "detections": matches.detections,
        "objects": matches.objects,
    }


def _cost(condition: _Condition, chosen: Sequence[int]) -> dict[str, Any]:
    times = [condition.seconds[index] for index in chosen] if condition.seconds else []
    return {"images": len(chosen), "milliseconds": 1000 * median(times) if times else None}
