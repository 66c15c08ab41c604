"""Intervals and tests, all of them scipy's."""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from ..checks import require

RESAMPLES = 9999


class Interval(NamedTuple):
    """A mean, of whatever kind, and the ends of its confidence interval; NaN ends where there are fewer than two values.

    As text, each of the three in the format given: ``f"{interval:.2f}"`` is "0.50 (0.45 to 0.55)", without ends that are NaN.
    """

    mean: float
    low: float
    high: float

    def __format__(self, form: str) -> str:
        mean, low, high = (format(value, form) for value in self)
        return mean if math.isnan(self.low) else f"{mean} ({low} to {high})"


class Comparison(NamedTuple):
    """How values a compare with values b."""

    difference: Interval  # mean(a) − mean(b), Welch's interval
    p_value: float  # two-sided Mann-Whitney U test: exact where a or b has at most 8 values and none tie, else by its normal limit
    superiority: float  # P(a > b) + P(a = b)/2, the effect size that belongs to U: 0.5 is none


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean of ``values`` and Student's t interval for it.

    Raises:
        ValueError: no values, or one that is not finite.
    """
    x = _finite("values", values)
    if len(x) < 2:
        return Interval(float(x.mean()), float("nan"), float("nan"))
    if np.ptp(x) == 0:
        return Interval(float(x[0]), float(x[0]), float(x[0]))
    ends = stats.ttest_1samp(x, 0.0).confidence_interval(confidence)
    return Interval(float(x.mean()), float(ends.low), float(ends.high))


def interquartile_mean(*samples: Sequence[float], confidence: float = 0.95) -> Interval:
    """The interquartile mean of all values together, and its percentile bootstrap interval.

    Each of ``samples`` is a stratum, such as the seeds of one task: resampling keeps to it (stratified bootstrap, as
    Agarwal et al. 2021 recommend for a few runs on several tasks). The resampling is seeded: same values, same ends. Of five
    values an interval of 95% is somewhat too narrow, of ten or more hardly; a test measures both.

    Raises:
        ValueError: no values, or one that is not finite.
    """
    strata = [_finite("samples", sample) for sample in samples]
    return _bootstrap(strata, lambda *x, axis: _iqm(x, axis), confidence)


def balanced(samples: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """As many values of each of ``samples`` as the shortest has, its first: pooled, each weighs the same."""
    shortest = min(len(sample) for sample in samples)
    return [sample[:shortest] for sample in samples]


def interquartile_difference(
    a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], confidence: float = 0.95
) -> Interval:
    """The interquartile mean of all of ``a`` less that of all of ``b``, each a list of strata; interval as above."""
    strata = [_finite("samples", sample) for sample in (*a, *b)]
    return _bootstrap(strata, lambda *x, axis: _iqm(x[: len(a)], axis) - _iqm(x[len(a) :], axis), confidence)


def probability_of_improvement(
    a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], confidence: float = 0.95
) -> Interval:
    """P(a > b) + P(a = b)/2 of two runs drawn from the same stratum, mean over the strata; interval as above.

    Agarwal et al. 2021 recommend it: 0.5 is no difference, whatever the scale of the values.
    """
    strata = [_finite("samples", sample) for sample in (*a, *b)]
    return _bootstrap(strata, lambda *x, axis: _superiority(x[: len(a)], x[len(a) :], axis), confidence)


def stratified_total(samples: Sequence[Sequence[float]], sizes: Sequence[int], confidence: float = 0.95) -> Interval:
    """The sum over strata of which only ``samples`` were measured: each mean times its stratum's size; interval as above."""
    strata = [_finite("samples", sample) for sample in samples]
    return _bootstrap(
        strata, lambda *x, axis: sum(n * part.mean(axis) for n, part in zip(sizes, x, strict=True)), confidence
    )


def _superiority(a: Sequence[np.ndarray], b: Sequence[np.ndarray], axis: int) -> np.ndarray:
    each = []
    for x, y in zip(a, b):
        x, y = np.moveaxis(x, axis, -1)[..., :, None], np.moveaxis(y, axis, -1)[..., None, :]
        each.append(((x > y) + 0.5 * (x == y)).mean((-2, -1)))
    return np.mean(each, axis=0)


def _iqm(strata: Sequence[np.ndarray], axis: int) -> np.ndarray:
    return stats.trim_mean(np.concatenate(strata, axis=axis), 0.25, axis=axis)


def _bootstrap(strata: list[np.ndarray], statistic, confidence: float) -> Interval:
    value = float(statistic(*strata, axis=-1))
    if min(len(x) for x in strata) < 2:
        return Interval(value, float("nan"), float("nan"))
    found = stats.bootstrap(
        strata,
        statistic,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return Interval(value, float(found.confidence_interval.low), float(found.confidence_interval.high))


def compare(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> Comparison:
    """Test whether ``a`` and ``b``, independent samples of two or more values, differ."""
    x, y = _finite("a", a), _finite("b", b)
    require(min(len(x), len(y)) >= 2, "values", (len(x), len(y)), "two or more in each sample")
    test = stats.mannwhitneyu(x, y, alternative="two-sided", method="auto")
    with warnings.catch_warnings():
        # of a sample whose values are all the same: its variance is zero, and that is right
        warnings.filterwarnings("ignore", "Precision loss occurred", RuntimeWarning)
        ends = stats.ttest_ind(x, y, equal_var=False).confidence_interval(confidence)
    difference = Interval(float(x.mean() - y.mean()), float(ends.low), float(ends.high))
    return Comparison(difference, float(test.pvalue), float(test.statistic / (len(x) * len(y))))


def adjusted(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number (Benjamini and Hochberg 1995, false discovery rate)."""
    return [float(p) for p in stats.false_discovery_control(np.asarray(p_values))] if len(p_values) else []


def _finite(name: str, values: Sequence[float]) -> np.ndarray:
    x = np.asarray(values, dtype=float)
    require(x.ndim == 1 and len(x) > 0, name, values, "a sequence of one or more numbers")
    require(bool(np.isfinite(x).all()), name, values, "finite numbers")
    return x
