"""Average precision with a bootstrap interval over images, and precision-recall curves."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lowlight.detection.boxes import Objects, assign
from lowlight.evaluation.statistics import FEWEST_SCENES, draw_clusters, percentile_interval

RESAMPLES = 1000
"""Bootstrap resamples."""

Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """Precision and recall of one class at each threshold of the score, from the highest down."""

    scores: Floats
    precision: Floats
    recall: Floats


class _Class(NamedTuple):
    """Detections of one class by falling score: score, whether right, image; and its objects per image."""

    scores: Floats
    right: NDArray[np.bool_]
    image: NDArray[np.int64]
    objects: NDArray[np.int64]


class Matches:
    """Detections of a set of images, compared with its annotated objects."""

    def __init__(self) -> None:
        self.images = 0
        self._found: list[Floats] = []
        self._known: list[Objects] = []

    def add(self, found: Floats, known: Objects) -> None:
        """Add an image: detections of shape (M, 6) as in :func:`.assign`, and its objects."""
        right = assign(found, known)
        rows = np.column_stack((found[:, 4:6], right, np.full(len(found), self.images)))
        self._found.append(rows[right >= 0])
        self._known.append(known)
        self.images += 1

    @property
    def objects(self) -> int:
        """Number of objects that are not ignored."""
        return int(sum((~known.ignored).sum() for known in self._known))

    @property
    def detections(self) -> int:
        """Number of detections that are right or wrong."""
        return sum(map(len, self._found))

    def classes(self) -> list[int]:
        """Return the classes of the objects that are not ignored."""
        return sorted({int(one) for known in self._known for one in known.classes[~known.ignored]})

    def curve(self, kind: int) -> Curve:
        """Return precision and recall of a class."""
        one = self._class(kind)
        ends = _last_of_ties(one.scores)
        hits = np.cumsum(one.right, dtype=float)[ends]
        return Curve(one.scores[ends], hits / (ends + 1), hits / max(int(one.objects.sum()), 1))

    def resampled(self, weights: NDArray[np.int64]) -> Floats:
        """Return the average precision, a mean over the classes, of sets of images drawn from these.

        Args:
            weights: How often each image is drawn, shape (R, images).

        Returns:
            Average precision per set, shape (R,); NaN for a set without objects.
        """
        values = [_areas(self._class(kind), weights) for kind in self.classes()]
        if not values:
            return np.full(len(weights), np.nan)
        table = np.stack(values)
        known = ~np.isnan(table)
        total, count = np.where(known, table, 0).sum(0), known.sum(0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def _class(self, kind: int) -> _Class:
        rows = np.concatenate([np.zeros((0, 4)), *self._found])
        rows = rows[rows[:, 1] == kind]
        rows = rows[np.argsort(-rows[:, 0], kind="stable")]
        counts = [int((~known.ignored & (known.classes == kind)).sum()) for known in self._known]
        return _Class(rows[:, 0], rows[:, 2] == 1, rows[:, 3].astype(np.int64), np.array(counts, np.int64))


def average_precision(matches: Matches) -> float:
    """Return the average precision: the area under the precision-recall curve, a mean over the classes.

    Precision at a recall is the greatest at that recall or a higher one, and the area is exact, not sampled
    at eleven points. Detections of equal scores share a threshold. NaN without objects.

    Reference:
        Everingham et al., 2015, "The PASCAL Visual Object Classes challenge: a retrospective", section 2.1.

    Example:
        >>> matches = Matches()
        >>> found = np.array([[0, 0, 10, 10, 0.9, 0], [50, 50, 60, 60, 0.8, 0]], float)
        >>> matches.add(found, Objects(np.array([[0.0, 0, 10, 10]]), np.zeros(1, int), np.zeros(1, bool)))
        >>> average_precision(matches)
        1.0
    """
    return float(matches.resampled(np.ones((1, matches.images), np.int64))[0])


def draw(images: int, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.int64]:
    """Draw sets of images with replacement; return how often each is drawn, shape (resamples, images)."""
    return draw_clusters(images, resamples, np.random.default_rng(seed))


def interval(values: Floats, images: int) -> tuple[float, float]:
    """Return the percentile interval of the known ones of values that were resampled over some images.

    NaN if fewer than two values are known, or there are fewer than two images to draw from.
    """
    known = values[~np.isnan(values)]
    if min(len(known), images) < FEWEST_SCENES:
        return float("nan"), float("nan")
    low, high = percentile_interval(known)
    return float(low), float(high)


def _last_of_ties(scores: Floats) -> NDArray[np.int64]:
    """Return the last index of each run of equal scores."""
    return np.flatnonzero(np.append(np.diff(scores) != 0, True)) if len(scores) else np.zeros(0, np.int64)


def _areas(one: _Class, weights: NDArray[np.int64]) -> Floats:
    """Return the area under the curve of one class per set of images; NaN where it has no object."""
    ends = _last_of_ties(one.scores)
    totals = weights @ one.objects
    areas = np.full(len(weights), np.nan)
    for index, (drawn, total) in enumerate(zip(weights, totals, strict=True)):
        if total:
            times = drawn[one.image]
            hits, all_ = np.cumsum(times * one.right)[ends], np.cumsum(times)[ends]
            precision = np.divide(hits, all_, out=np.zeros(len(ends)), where=all_ > 0)
            best = np.maximum.accumulate(precision[::-1])[::-1]
            areas[index] = (np.diff(hits / total, prepend=0) * best).sum()
    return areas
