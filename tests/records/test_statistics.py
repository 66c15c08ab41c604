import math
import warnings

import numpy as np
import pytest
from scipy import stats

from spikepropamine.records import statistics


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [statistics.mean_interval(rng.normal(3, 2, 5)) for _ in range(2000)]
    covered = np.mean([i.low <= 3 <= i.high for i in intervals])
    assert covered == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("values, least, most", [(5, 0.86, 0.935), (10, 0.91, 0.97)])
def test_the_interval_of_the_interquartile_mean_is_too_narrow_for_five_values_and_hardly_for_ten(
    monkeypatch, values, least, most
):
    monkeypatch.setattr(statistics, "RESAMPLES", 499)
    rng = np.random.default_rng(0)
    intervals = [statistics.interquartile_mean(rng.normal(3, 2, values)) for _ in range(1000)]
    assert least < np.mean([i.low <= 3 <= i.high for i in intervals]) < most


def test_few_or_equal_values():
    one = statistics.mean_interval([0.7])
    assert one.mean == 0.7 and math.isnan(one.low) and math.isnan(one.high)
    assert statistics.mean_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)


def test_separated_samples_differ_and_equal_ones_do_not():
    apart = statistics.compare([0.9, 0.91, 0.92, 0.93, 0.94], [0.5, 0.51, 0.52, 0.53, 0.54])
    assert apart.superiority == 1 and apart.p_value == pytest.approx(2 / math.comb(10, 5))
    assert apart.difference.low > 0.35
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        constant = statistics.compare([1.0] * 5, [0.9, 0.91, 0.92, 0.93, 0.94])
    assert constant.difference.low < 0.08 < constant.difference.high and constant.superiority == 1
    same = statistics.compare([1.0, 2.0, 3.0, 4.0], [1.5, 2.5, 3.5, 0.5])
    assert same.p_value > 0.5 and same.difference.low < 0 < same.difference.high


def test_adjustment_never_lowers_a_p_value():
    raw = [0.01, 0.04, 0.03, 0.2]
    assert all(a >= p for a, p in zip(statistics.adjusted(raw), raw))
    assert statistics.adjusted([]) == []


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [[0.1]]])
def test_bad_values_are_refused(values):
    with pytest.raises(ValueError, match="values"):
        statistics.mean_interval(values)


def test_the_interquartile_mean_leaves_out_the_outer_quarters():
    values = [0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 99.0]
    assert statistics.interquartile_mean(values).mean == pytest.approx(np.mean([0.6, 0.7, 0.8, 0.9]))
    one = statistics.interquartile_mean([0.7])
    assert one.mean == 0.7 and math.isnan(one.low)
    assert statistics.interquartile_mean([0.5] * 4) == (0.5, 0.5, 0.5)


def test_the_bootstrap_interval_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [statistics.interquartile_mean(rng.normal(3, 2, 20)) for _ in range(300)]
    covered = np.mean([i.low <= 3 <= i.high for i in intervals])
    assert 0.88 <= covered <= 0.98  # a percentile interval of 20 values is a little too narrow


def test_strata_are_resampled_each_by_itself():
    # two tasks far apart: mixing their seeds would make the interval as wide as the gap
    rng = np.random.default_rng(0)
    low, high = rng.normal(0.2, 0.01, 20), rng.normal(0.9, 0.01, 20)
    apart, mixed = statistics.interquartile_mean(low, high), statistics.interquartile_mean(np.concatenate([low, high]))
    assert apart.high - apart.low < 0.05 < 0.15 < mixed.high - mixed.low
    gain = statistics.interquartile_difference([high, high], [low, low])
    assert gain.mean == pytest.approx(0.7, abs=0.02) and gain.low < gain.mean < gain.high


def test_the_probability_of_improvement_is_mann_whitney_s_over_the_pairs():
    rng = np.random.default_rng(0)
    a, b = [rng.normal(0.5, 1, 6) for _ in range(3)], [rng.normal(0, 1, 5) for _ in range(3)]
    found = statistics.probability_of_improvement(a, b)
    u = [stats.mannwhitneyu(x, y).statistic / 30 for x, y in zip(a, b)]
    assert found.mean == pytest.approx(np.mean(u)) and 0 <= found.low < found.mean < found.high <= 1
    same = statistics.probability_of_improvement([[1.0, 1.0]], [[1.0, 1.0]])
    assert same == (0.5, 0.5, 0.5)
    better = statistics.probability_of_improvement([[2.0, 3.0]], [[0.0, 1.0]])
    assert better == (1.0, 1.0, 1.0)


def test_a_total_of_strata_weighs_each_by_its_size():
    i = statistics.stratified_total([[1.0, 3.0], [10.0, 10.0, 10.0]], [100, 5])
    assert i.mean == 250 and 150 <= i.low < 250 < i.high <= 350
    assert math.isnan(statistics.stratified_total([[1.0], [2.0, 3.0]], [2, 2]).low)
    with pytest.raises(ValueError):
        statistics.stratified_total([[1.0, 2.0]], [1, 2])


def test_an_interval_reads_as_text():
    assert f"{statistics.Interval(0.5, 0.25, 0.75):+.2f}" == "+0.50 (+0.25 to +0.75)"
    assert f"{statistics.mean_interval([0.5]):.1f}" == "0.5"
