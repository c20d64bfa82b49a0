"""Uncertainty: what a few test images can tell, and whether one method beats another on them.

Images of one scene are no independent samples, so scenes are resampled and not images. Imports no torch.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
LEVEL = 0.95
FEWEST_SCENES = 2
"""One scene alone has nothing to resample: its interval is undefined (NaN)."""


@dataclass(frozen=True)
class Paired:
    """How two methods differ on the same images: first minus second.

    ``difference`` is the mean over images, ``low`` and ``high`` its bootstrap interval, ``p_value`` that of
    Wilcoxon's signed-rank test on the mean differences of the scenes (two-sided).
    """

    difference: float
    low: float
    high: float
    p_value: float
    images: int
    scenes: int

    @property
    def distinguishable(self) -> bool:
        """Whether the interval excludes zero and the test agrees (p under 0.05, which needs six scenes).

        Never, where either is undefined: the bootstrap of few scenes is too narrow to be believed alone.
        """
        return (self.low > 0 or self.high < 0) and self.p_value < 1 - LEVEL


def bootstrap_interval(
    values: ArrayLike,
    scenes: Sequence[Hashable] | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Bound the mean of per-image scores by the percentile bootstrap over scenes.

    Whole scenes are drawn with replacement, as many as there are; the mean is over the images drawn.

    Args:
        values: One score an image.
        scenes: What each image shows; by default every image is a scene of its own.
        level: Share of the resampled means inside the interval.
        resamples: How many times the scenes are drawn.
        seed: The same seed gives the same interval.

    Returns:
        Lower and upper bound; NaN where a value is not finite or there is only one scene.

    Raises:
        ValueError: If values and scenes differ in number.

    Reference:
        Efron and Tibshirani, 1993, "An introduction to the bootstrap", Section 13.3 (percentile interval);
        Field and Welsh, 2007, "Bootstrapping clustered data" (whole clusters drawn).
    """
    sums, counts = _by_scene(values, scenes)
    if len(sums) < FEWEST_SCENES or not np.isfinite(sums).all():
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(sums), size=(resamples, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def compare_paired(
    first: ArrayLike,
    second: ArrayLike,
    scenes: Sequence[Hashable] | None = None,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> Paired:
    """Compare two methods by their scores on the same images, in the same order.

    Args:
        first: One score an image, of one method.
        second: The other's.
        scenes: What each image shows; by default every image is a scene of its own.
        level: Level of the bootstrap interval.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: If the numbers of values or scenes differ.

    Reference:
        Wilcoxon, 1945, "Individual comparisons by ranking methods".
    """
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if one.shape != other.shape:
        raise ValueError(f"paired scores must be of the same images, got {one.size} and {other.size}")
    with np.errstate(invalid="ignore"):
        difference = np.where(one == other, 0.0, one - other)  # infinite on both sides is no difference
    low, high = bootstrap_interval(difference, scenes, level=level, seed=seed)
    sums, counts = _by_scene(difference, scenes)
    return Paired(
        float(difference.mean()), low, high, _wilcoxon(sums / counts), int(difference.size), len(sums)
    )


def _wilcoxon(differences: NDArray[np.float64]) -> float:
    """Return the two-sided p-value; 1 where nothing differs, NaN where a difference is not finite."""
    from scipy.stats import wilcoxon  # half a second to import

    if not np.isfinite(differences).all():
        return float("nan")
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences).pvalue)


def _by_scene(
    values: ArrayLike, scenes: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the sum and the number of the values of each scene, in the order of their first images."""
    scores = np.asarray(values, dtype=float)
    if scenes is None:
        return scores, np.ones(scores.size, dtype=np.intp)
    if len(scenes) != scores.size:
        raise ValueError(f"{scores.size} scores, but {len(scenes)} scenes; give one scene an image")
    index = {scene: position for position, scene in enumerate(dict.fromkeys(scenes))}
    where = np.array([index[scene] for scene in scenes], dtype=int)
    sums = np.zeros(len(index))
    np.add.at(sums, where, scores)
    return sums, np.bincount(where)
