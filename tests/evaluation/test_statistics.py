"""Intervals and paired comparisons, against scipy and by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from lowlight.evaluation.statistics import bootstrap_interval, compare_paired, holm

SCORES = np.random.default_rng(0).normal(20, 3, 24)


def test_the_interval_is_scipys_percentile_bootstrap() -> None:
    expected = stats.bootstrap(
        (SCORES,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    got = bootstrap_interval(SCORES)
    assert got == pytest.approx((expected.low, expected.high), abs=0.05)
    assert got[0] < SCORES.mean() < got[1]


def test_the_same_seed_gives_the_same_interval() -> None:
    assert bootstrap_interval(SCORES) == bootstrap_interval(SCORES)
    assert bootstrap_interval(SCORES) != bootstrap_interval(SCORES, seed=1)


def test_a_higher_level_is_a_wider_interval() -> None:
    narrow, wide = bootstrap_interval(SCORES, level=0.8), bootstrap_interval(SCORES, level=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_more_images_of_the_same_scenes_tell_nothing_new() -> None:
    """Repeating each image four times halves the interval over images, but not over scenes."""
    often, scenes = np.repeat(SCORES, 4), np.repeat(np.arange(24), 4).tolist()
    width = np.diff(bootstrap_interval(SCORES))[0]
    assert np.diff(bootstrap_interval(often, scenes))[0] == pytest.approx(width, rel=0.03)
    assert np.diff(bootstrap_interval(often))[0] == pytest.approx(width / 2, rel=0.05)


def test_the_mean_is_over_images_though_scenes_are_drawn() -> None:
    """The four equally likely draws from the scenes {0, 0, 0} and {4} have the means 0, 1, 1 and 4."""
    scores, scenes = [0, 0, 0, 4], ["a", "a", "a", "b"]
    assert bootstrap_interval(scores, scenes) == (0, 4)
    assert bootstrap_interval(scores, scenes, level=0.3) == (1, 1)


def test_one_scene_or_an_infinite_score_has_no_interval() -> None:
    assert all(map(math.isnan, bootstrap_interval([1, 2, 3], ["a", "a", "a"])))
    assert all(map(math.isnan, bootstrap_interval([1, math.inf, 3])))
    assert all(map(math.isnan, bootstrap_interval([1, math.nan, 3])))


def test_scores_and_scenes_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="3 scores, but 2 scenes"):
        bootstrap_interval([1, 2, 3], ["a", "b"])
    with pytest.raises(ValueError, match="got 2 and 3"):
        compare_paired([1, 2], [1, 2, 3])


def test_a_steady_gain_is_told_apart_though_the_images_differ_more() -> None:
    gain = 0.3 + 0.05 * np.random.default_rng(1).normal(size=24)
    paired = compare_paired(SCORES + gain, SCORES)
    assert paired.difference == pytest.approx(gain.mean())
    assert 0.25 < paired.low < paired.difference < paired.high < 0.35
    assert paired.distinguishable
    assert paired.p_value == pytest.approx(stats.wilcoxon(gain).pvalue)


def test_chance_is_not_told_apart() -> None:
    noise = np.random.default_rng(2).normal(size=24)
    paired = compare_paired(SCORES + noise - noise.mean(), SCORES)
    assert not paired.distinguishable
    assert paired.p_value > 0.05


def test_a_method_equals_itself_also_where_it_is_perfect() -> None:
    perfect = [math.inf, 20.0, 21.0]
    paired = compare_paired(perfect, perfect)
    assert (paired.difference, paired.low, paired.high, paired.p_value) == (0, 0, 0, 1)
    assert not paired.distinguishable


def test_an_infinite_lead_is_not_called_distinguishable() -> None:
    paired = compare_paired([math.inf, 20.0, 21.0], [19.0, 19.0, 19.0])
    assert math.isinf(paired.difference)
    assert math.isnan(paired.p_value)
    assert not paired.distinguishable


def test_scenes_count_once_in_wilcoxons_test() -> None:
    """Five scenes of four images each, all better: the lowest p-value of five pairs is 1/16."""
    scenes = [index // 4 for index in range(20)]
    paired = compare_paired(np.arange(20) / 100 + 1, np.zeros(20), scenes)
    assert (paired.images, paired.scenes) == (20, 5)
    assert paired.p_value == pytest.approx(1 / 16)


def test_differences_of_zero_do_not_make_the_others_more_certain() -> None:
    differences = [0.0] * 10 + [1.0, 2.0, 3.0, 4.0, 5.0]
    assert compare_paired(differences, [0.0] * 15).p_value == pytest.approx(2 / 2**5)


def test_p_values_are_adjusted_by_holms_method() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.03]) == [0.03]
    one, undefined, other = holm([0.9, math.nan, 0.7])
    assert (one, other) == (1, 1)
    assert math.isnan(undefined)
