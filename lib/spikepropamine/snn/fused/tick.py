"""The pieces of a tick and their adjoints, inlined into the kernels of the fused path.

Arrays are laid out as :mod:`spikepropamine.snn.fused.kernels` says; ``j`` is the first of ``step`` neighbouring neurons, as
many as fit one vector.
"""

from collections.abc import Callable

import numba

from .compiler import FAST
from .simd import (
    absolute,
    clip,
    larger,
    largest,
    load,
    lowest,
    nonzero,
    number,
    prefetch,
    row,
    splat,
    store,
    total,
    where_above,
    width,
)

_inline = numba.njit(**FAST, forceinline=True)


@_inline
def starts(state):
    return row(state.E, 0), row(state.v, 0), row(state.x_pre, 0), row(state.x_post, 0), row(state.theta, 0)


@_inline
def copy(source, target, size):
    for k in range(size):
        target[k] = source[k]


@_inline
def fetch(source, size, step):
    # rows of one batch member lie far apart from tick to tick: without asking ahead, each would be waited for
    for k in range(0, size, step):
        prefetch(source, k)


@_inline
def into_columns(source, target, P, Q, step):
    # (P, Q) into (Q/w, P, w)
    for j in range(0, Q, step):
        for i in range(P):
            store(target, j * P + i * step, load(source, i * Q + j))


@_inline
def out_of_columns(source, target, P, Q, step):
    for j in range(0, Q, step):
        for i in range(P):
            store(target, i * Q + j, load(source, j * P + i * step))


@_inline
def spiking(spikes, size, active):
    # the indices of spikes that are not zero, into active; their number
    n, step = 0, width(spikes)
    whole = size - size % step
    for start in range(0, whole, step):
        bits = nonzero(load(spikes, start))
        while bits != 0:
            active[n] = start + lowest(bits)
            bits &= bits - 1
            n += 1
    for i in range(whole, size):
        if spikes[i] != 0:
            active[n] = i
            n += 1
    return n


@_inline
def smooth(x, spikes, size, x_next, keep):
    # x[t] = λ x[t−1] + (1 − λ) s[t]; x_next may be x itself
    step = width(x)
    whole = size - size % step
    for i in range(0, whole, step):
        s = load(spikes, i)
        store(x_next, i, s + keep * (load(x, i) - s))
    for i in range(whole, size):
        x_next[i] = spikes[i] + keep * (x[i] - spikes[i])


@_inline
def slide(theta, x, step):
    # θ[t+1] = θ[t] + (dt/τ_θ)(x[t]² − θ[t])
    return theta + step * (x * x - theta)


@_inline
def conduct(current, spikes, active, n, W, alpha, E, j, P, step):
    # I_j + Σ_i (W_ji + α_ji E_ji) s_i, over the inputs that spike
    for a in range(n):
        i = active[a]
        k = j * P + i * step
        current += (load(W, k) + load(alpha, k) * load(E, k)) * spikes[i]
    return current


@_inline
def advance(E, E_next, x_pre, P, growth, keep, e_max, j, step):
    # E[t+1] = clip(growth x_i + keep E[t], −E_max, E_max), where growth and keep hold η M.
    # The largest |E[t+1]|: below E_max, nothing was clipped.
    peak = splat(number(E, 0))
    for i in range(P):
        k = j * P + i * step
        e = clip(growth * x_pre[i] + keep * load(E, k), e_max)
        peak = larger(peak, absolute(e))
        store(E_next, k, e)
    return largest(peak)


@_inline
def surrogate(u, steepness):
    # ∂s/∂v = 1 / (1 + k |v − threshold|)²: snntorch.surrogate.fast_sigmoid
    root = 1 + steepness * absolute(u)
    return 1 / (root * root)


# ---------------------------------------------------------------- their adjoints


@_inline
def past_clip(g, e, x, growth, keep, e_max):
    # a gradient passes the clip of advance inside the bounds only
    return where_above(absolute(growth * x + keep * e), e_max, 0.0, g)


def _retreating(clips: bool) -> Callable:
    def retreat(E, grad_E, x_pre, P, growth, keep, e_max, j, step):
        # the adjoint of advance by E, and by_growth_j = Σ_i g x_i and by_decay_j = Σ_i g E_ji, where g is the
        # gradient past the clip. Two sums in turn, since one would wait for itself.
        by_growth = by_decay = by_growth_2 = by_decay_2 = splat(number(E, 0))
        for i in range(0, P - 1, 2):
            k = j * P + i * step
            e, e_2, g, g_2 = load(E, k), load(E, k + step), load(grad_E, k), load(grad_E, k + step)
            if clips:
                g = past_clip(g, e, x_pre[i], growth, keep, e_max)
                g_2 = past_clip(g_2, e_2, x_pre[i + 1], growth, keep, e_max)
            by_growth += g * x_pre[i]
            by_growth_2 += g_2 * x_pre[i + 1]
            by_decay += g * e
            by_decay_2 += g_2 * e_2
            store(grad_E, k, g * keep)
            store(grad_E, k + step, g_2 * keep)
        if P % 2:
            k = j * P + (P - 1) * step
            e, g = load(E, k), load(grad_E, k)
            if clips:
                g = past_clip(g, e, x_pre[P - 1], growth, keep, e_max)
            by_growth += g * x_pre[P - 1]
            by_decay += g * e
            store(grad_E, k, g * keep)
        return by_growth + by_growth_2, by_decay + by_decay_2

    return _inline(retreat)


# the same code twice, here and below: where it is known that nothing was clipped, it takes half the time
retreat, retreat_clipped = _retreating(clips=False), _retreating(clips=True)


def _retreating_to_inputs(clips: bool) -> Callable:
    def retreat_to_inputs(E, grad_E, x_pre, P, growth, keep, e_max, grad_x_pre, Q, step):
        # the adjoint of advance by x_pre, before grad_E moves on
        for i in range(P):
            by_x = splat(number(E, 0))
            for j in range(0, Q, step):
                k, growth_j = j * P + i * step, load(growth, j)
                g = load(grad_E, k)
                if clips:
                    g = past_clip(g, load(E, k), x_pre[i], growth_j, load(keep, j), e_max)
                by_x += growth_j * g
            grad_x_pre[i] += total(by_x)

    return _inline(retreat_to_inputs)


retreat_to_inputs, retreat_to_inputs_clipped = _retreating_to_inputs(clips=False), _retreating_to_inputs(clips=True)


@_inline
def any_of(flags, start, Q, step):
    # whether a flag is set, of those at every step
    for j in range(0, Q, step):
        if flags[start + j]:
            return True
    return False


@_inline
def conduct_back(grad_current, spikes, active, n, alpha, E, grad_W, grad_alpha, grad_E, j, P, step):
    # the adjoint of conduct by W, α and E
    for a in range(n):
        i = active[a]
        k = j * P + i * step
        g = grad_current * spikes[i]
        store(grad_W, k, load(grad_W, k) + g)
        store(grad_alpha, k, load(grad_alpha, k) + g * load(E, k))
        store(grad_E, k, load(grad_E, k) + g * load(alpha, k))


@_inline
def conduct_back_to_spikes(grad_current, W, alpha, E, grad_spikes, P, zero, Q, step):
    # the adjoint of conduct by s
    for i in range(P):
        by_s = splat(zero)
        for j in range(0, Q, step):
            k = j * P + i * step
            by_s += load(grad_current, j) * (load(W, k) + load(alpha, k) * load(E, k))
        grad_spikes[i] += total(by_s)


@_inline
def weighted(A, x, size, zero, j, step):
    # Σ_i x_i A_ij: the adjoint of advance by growth where nothing was clipped, and that of V x by x. Four sums in turn.
    sum_0 = sum_1 = sum_2 = sum_3 = splat(zero)
    whole = size - size % 4
    for i in range(0, whole, 4):
        k = j * size + i * step
        sum_0 += load(A, k) * x[i]
        sum_1 += load(A, k + step) * x[i + 1]
        sum_2 += load(A, k + 2 * step) * x[i + 2]
        sum_3 += load(A, k + 3 * step) * x[i + 3]
    for i in range(whole, size):
        sum_0 += load(A, j * size + i * step) * x[i]
    return (sum_0 + sum_1) + (sum_2 + sum_3)


@_inline
def add_scaled(target, scale, x, Q, step):
    for j in range(0, Q, step):
        store(target, j, load(target, j) + scale * load(x, j))
