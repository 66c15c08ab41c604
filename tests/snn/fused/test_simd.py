"""Vectors in compiled code, against NumPy."""

import numba
import numpy as np
import pytest

from spikepropamine.snn.fused import simd
from spikepropamine.snn.plasticity import RULES, Rule

FUSED = {name: rule for name, rule in RULES.items() if rule.update is Rule.update}
DTYPES = [np.float32, np.float64]


@numba.njit
def apply_tanh(x, y):
    for k in range(0, x.size, simd.width(x)):
        simd.store(y, k, simd.tanh(simd.load(x, k)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_is_numpy_s_to_two_units_in_the_last_place(dtype):
    x = np.concatenate([np.linspace(-25, 25, 4000), np.logspace(-30, 1, 92), [0, np.inf, -np.inf, 0.625]]).astype(dtype)
    y = np.empty_like(x)
    apply_tanh(x, y)
    exact = np.tanh(x.astype(np.float64))
    assert np.all(np.abs(y - exact) <= 2 * np.finfo(dtype).eps * np.abs(exact))
    x[:] = np.nan
    apply_tanh(x, y)
    assert np.isnan(y).all()


@numba.njit
def apply_all(x, y, bound, out):
    a, b = simd.load(x, 0), simd.load(y, 0)
    w = simd.width(x)
    simd.store(out, 0, 2 * a - b / 3 + (-a) * b)
    simd.store(out, w, simd.clip(a, bound))
    simd.store(out, 2 * w, simd.larger(simd.absolute(a), b))
    simd.store(out, 3 * w, simd.where_above(a, bound, b, 7.0))
    simd.store(simd.row(out, 3 * w), w, simd.splat(bound) + 0 * a)
    return simd.total(a), simd.largest(a), simd.nonzero(a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_operation_is_numpy_s(dtype):
    width = simd.BYTES // np.dtype(dtype).itemsize
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, width)).astype(dtype)
    x[3] = 0
    out, bound = np.zeros(5 * width, dtype), dtype(0.5)
    total, largest, bits = apply_all(x, y, bound, out)
    expected = [
        2 * x - y / 3 - x * y,
        x.clip(-bound, bound),
        np.maximum(abs(x), y),
        np.where(x > bound, y, 7),
        np.full(width, bound),
    ]
    np.testing.assert_allclose(out.reshape(5, width), expected, rtol=1e-6 if dtype is np.float32 else 1e-14)
    assert total == pytest.approx(x.sum(), rel=1e-5) and largest == x.max()
    assert [k for k in range(width) if bits >> k & 1] == np.flatnonzero(x).tolist()


@numba.njit
def places(bits, out):
    n = 0
    while bits != 0:
        out[n] = simd.lowest(bits)
        bits &= bits - 1
        n += 1
    return n


def test_lowest_walks_through_the_bits_that_are_set():
    out = np.zeros(64, np.int64)
    assert out[: places(0b1010010000000001, out)].tolist() == [0, 10, 13, 15]


@pytest.mark.parametrize("rule", FUSED.values(), ids=FUSED)
def test_a_rule_says_truly_whether_it_decays(rule):
    x, theta = np.random.default_rng(1).uniform(0, 1, (2, 50))
    assert rule.decays == bool(np.any(rule.coefficients(x, theta)[1] != 0))


@pytest.mark.parametrize("rule", FUSED.values(), ids=FUSED)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_rule_s_functions_mean_the_same_for_vectors_and_for_arrays(rule, dtype):
    coefficients, slopes = numba.njit(rule.coefficients), numba.njit(rule.slopes)

    @numba.njit
    def both(x, theta, out):
        w = simd.width(x)
        a, b = coefficients(simd.load(x, 0), simd.load(theta, 0))
        c = slopes(simd.load(x, 0), simd.load(theta, 0))
        simd.store(out, 0, a)
        simd.store(out, w, b)
        for k in numba.literal_unroll((0, 1, 2, 3)):
            simd.store(out, (2 + k) * w, c[k])

    width = simd.BYTES // np.dtype(dtype).itemsize
    x, theta = np.random.default_rng(1).uniform(0, 1, (2, width)).astype(dtype)
    out = np.empty(6 * width, dtype)
    both(x, theta, out)
    expected = [*rule.coefficients(x, theta), *rule.slopes(x, theta)]
    np.testing.assert_allclose(out.reshape(6, width), expected, rtol=1e-6, atol=1e-7)


@numba.njit
def first_of_row(x, k):
    simd.prefetch(simd.row(x, k), 10**9)  # anywhere: nothing is read
    return simd.row(x, k)[0]


def test_a_row_is_one_of_a_contiguous_array():
    assert first_of_row(np.arange(8.0), 3) == 3
    with pytest.raises(numba.TypingError, match="must be a contiguous array"):
        first_of_row(np.broadcast_to(1.0, 8), 3)
