"""The fused CPU path: a plastic layer and its neurons over all ticks in compiled code.

Why it is fast. A plastic layer has a state per synapse and batch member. A loop of tensor
operations passes over all of it about sixteen times a tick and keeps every pass for the
backward. Here one batch member runs through all its ticks before the next one starts, so its E
(16 kB at 64×64) stays in the first-level cache; the current is summed over the inputs that
spike; and the backward pass recomputes E from checkpoints √T ticks apart.

Why numba. Its compiler is in the wheel; a C++ extension and torch.compile on a CPU both need a
compiler on the reader's machine.

Layout. Within this file E, W and α are presynaptic-major, (P, Q), so that the inner loops run
over neighbouring memory. Batch members are grouped in blocks; each block adds up its own
gradients and the blocks are added in order, so the number of threads changes no bit.

The rule's change and partials come from :mod:`spikepropamine.plasticity` and are inlined.
"""

import hashlib
import inspect
import math
import types
from collections.abc import Callable
from functools import cache

import llvmlite.binding
import numba
import numpy as np

from .plasticity import Rule

# Reordered sums and fused multiply-adds let the compiler use vector instructions;
# NaN and infinity keep their meaning.
_OPTIONS = dict(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")

# The backward loop has more arrays than LLVM by default checks for overlap, and without the checks
# it would not be vectorised.
llvmlite.binding.set_option("spikepropamine", "--runtime-memory-check-threshold=128")


@numba.njit(**_OPTIONS)
def scratch(rows, columns, like):
    # uninitialised memory that starts on a cache line: a vector that straddles two costs twice
    raw = np.empty(rows * columns + 64, like.dtype)
    start = (-raw.ctypes.data % 64) // like.itemsize
    return raw[start : start + rows * columns].reshape(rows, columns)


@numba.njit(**_OPTIONS)
def advance(E, E_next, x_pre, growth, decay, e_max):
    # E[t+1] = clip(E[t] + η M (growth x_i + decay E[t]), −E_max, E_max); growth, decay hold η M
    for i in range(E.shape[0]):
        for j in range(E.shape[1]):
            u = E[i, j] + (growth[j] * x_pre[i] + decay[j] * E[i, j])
            E_next[i, j] = min(max(u, -e_max), e_max)


@numba.njit(**_OPTIONS)
def advance_in_place(E, x_pre, growth, decay, e_max):
    # the same; told apart so that the compiler knows that nothing overlaps
    for i in range(E.shape[0]):
        for j in range(E.shape[1]):
            u = E[i, j] + (growth[j] * x_pre[i] + decay[j] * E[i, j])
            E[i, j] = min(max(u, -e_max), e_max)


@numba.njit(**_OPTIONS)
def retreat(E, grad_E, x_pre, growth, decay, e_max, zero, by_pre, by_E):
    # the adjoint of advance by E, and by_pre_j = Σ_i g x_i and by_E_j = Σ_i g E_ji for the gradients
    # of growth and decay; g is the gradient past the clip, which passes it inside the bounds only
    by_pre[:] = zero
    by_E[:] = zero
    for i in range(E.shape[0]):
        for j in range(E.shape[1]):
            e, g = E[i, j], grad_E[i, j]
            u = e + (growth[j] * x_pre[i] + decay[j] * e)
            g = g if abs(u) <= e_max else zero
            by_pre[j] += g * x_pre[i]
            by_E[j] += g * e
            grad_E[i, j] = g + g * decay[j]


@numba.njit(**_OPTIONS)
def retreat_to_inputs(E, grad_E, x_pre, growth, decay, e_max, zero, grad_x_pre):
    # the adjoint of advance by x_pre, before retreat overwrites grad_E
    for i in range(E.shape[0]):
        total = zero
        for j in range(E.shape[1]):
            e, g = E[i, j], grad_E[i, j]
            u = e + (growth[j] * x_pre[i] + decay[j] * e)
            g = g if abs(u) <= e_max else zero
            total += g * growth[j]
        grad_x_pre[i] += total


@numba.njit(**_OPTIONS)
def conduct(current, spikes, W, alpha, E):
    # I_j += Σ_i (W_ji + α_ji E_ji) s_i, over the inputs that spike
    for i in range(spikes.size):
        s = spikes[i]
        if s != 0:
            for j in range(current.size):
                current[j] += (W[i, j] + alpha[i, j] * E[i, j]) * s


@numba.njit(**_OPTIONS)
def conduct_back(grad_current, spikes, alpha, E, grad_W, grad_alpha, grad_E):
    # the adjoint of conduct by W, α and E
    for i in range(spikes.size):
        s = spikes[i]
        if s != 0:
            for j in range(grad_current.size):
                g = grad_current[j] * s
                grad_W[i, j] += g
                grad_alpha[i, j] += g * E[i, j]
                grad_E[i, j] += g * alpha[i, j]


@numba.njit(**_OPTIONS)
def conduct_back_to_spikes(grad_current, W, alpha, E, grad_spikes):
    # the adjoint of conduct by s
    for i in range(E.shape[0]):
        total = grad_spikes[i]
        for j in range(E.shape[1]):
            total += grad_current[j] * (W[i, j] + alpha[i, j] * E[i, j])
        grad_spikes[i] = total


@numba.njit(**_OPTIONS)
def smooth(x, spikes, x_next, keep):
    # x[t] = λ x[t−1] + (1 − λ) s[t]; x_next may be x itself
    for i in range(x.size):
        x_next[i] = spikes[i] + keep * (x[i] - spikes[i])


@numba.njit(**_OPTIONS)
def modulate_back(grad_gate, V, x_post, grad_V, grad_x_post):
    # the adjoint of modulate by V and x, past the tanh
    for k in range(V.shape[0]):
        total = grad_x_post[k]
        for j in range(V.shape[1]):
            grad_V[k, j] += grad_gate[j] * x_post[k]
            total += V[k, j] * grad_gate[j]
        grad_x_post[k] = total


@numba.njit(**_OPTIONS)
def surrogate(u, steepness, one):
    # ∂s/∂v = 1 / (1 + k |v − threshold|)²: snntorch.surrogate.fast_sigmoid
    root = one + steepness * abs(u)
    return one / (root * root)


@numba.njit(**_OPTIONS)
def modulate(M, x_post, V, c):
    # M_j = tanh(Σ_k V_jk x_k + c_j); V is (k, j) here
    M[:] = c
    for k in range(V.shape[0]):
        for j in range(V.shape[1]):
            M[j] += V[k, j] * x_post[k]
    for j in range(M.size):
        M[j] = math.tanh(M[j])


# The next two are templates: `coefficients` and `slopes` are the rule's, put in place by `compiled`.


def _forward(
    start, stop, spikes, W, alpha, bias, V, c, eta, modulated,
    beta, threshold, keep_trace, theta_step, e_max,
    E, v, x_pre, x_post, theta, out, potential, gates, checkpoints, stride,
):
    """Batch members start..stop over all ticks; E to theta hold the state and are overwritten.

    potential and gates (T, B, Q), the v and M of each tick, and checkpoints (segments, B, P, Q) of E are
    filled where they are not empty.
    """
    T, Q = spikes.shape[0], bias.size
    keep = potential.shape[0] > 0
    one = beta / beta  # of the weights' dtype: numba makes float32 · integer a float64
    zero = one - one
    rows = scratch(4, Q, bias)
    current, M, growth, decay = rows[0], rows[1], rows[2], rows[3]
    M[:] = one
    for m in range(start, stop):
        for t in range(T):
            if keep and t % stride == 0:
                checkpoints[t // stride, m] = E[m]
            # I_j = b_j + Σ_i (W_ji + α_ji E_ji) s_i
            current[:] = bias
            conduct(current, spikes[t, m], W, alpha, E[m])
            for j in range(Q):
                # v[t] = β v[t−1] + I[t] − [v[t−1] > 1]; s[t] = [v[t] > 1]: snntorch.Leaky
                reset = threshold if v[m, j] > threshold else zero
                v[m, j] = beta * v[m, j] + current[j] - reset
                out[t, m, j] = one if v[m, j] > threshold else zero
            smooth(x_pre[m], spikes[t, m], x_pre[m], keep_trace)
            smooth(x_post[m], out[t, m], x_post[m], keep_trace)
            if modulated:
                modulate(M, x_post[m], V, c)
            if keep:
                potential[t, m] = v[m]
                if modulated:
                    gates[t, m] = M
            for j in range(Q):
                a, b = coefficients(x_post[m, j], theta[m, j])
                growth[j], decay[j] = eta * M[j] * a, eta * M[j] * b
            advance_in_place(E[m], x_pre[m], growth, decay, e_max)
            for j in range(Q):
                # θ[t+1] = θ[t] + (dt/τ_θ)(x[t]² − θ[t])
                theta[m, j] += theta_step * (x_post[m, j] * x_post[m, j] - theta[m, j])


def _backward(
    start, stop, spikes, out, potential, gates, W, alpha, V, eta, modulated,
    beta, threshold, steepness, keep_trace, theta_step, e_max, x_pre0, x_post0, theta0, checkpoints, stride, track_inputs,
    grad_out, grad_E, grad_v, grad_x_pre, grad_x_post, grad_theta,
    grad_spikes, grad_W, grad_alpha, grad_bias, grad_V, grad_c, grad_eta,
):
    """The adjoint of ``_forward``, ticks last to first, for batch members start..stop.

    grad_E to grad_theta (batch first) come in as gradients of the final state and leave as those
    of the initial state. grad_W to grad_eta belong to this block and are added to. grad_spikes and grad_x_pre are filled only where track_inputs.
    """
    T, _, P = spikes.shape
    Q = W.shape[1]
    one = beta / beta  # of the weights' dtype: numba makes float32 · integer a float64
    zero = one - one
    # row t + 1 holds what tick t leaves behind
    x_pre, x_post, theta = scratch(T + 1, P, W), scratch(T + 1, Q, W), scratch(T + 1, Q, W)
    growth, decay, history = scratch(T, Q, W), scratch(T, Q, W), scratch(stride * P, Q, W).reshape(stride, P, Q)
    rows = scratch(5, Q, W)
    by_pre, by_E, grad_gate, grad_current, M = rows[0], rows[1], rows[2], rows[3], rows[4]
    M[:] = one
    for m in range(start, stop):
        # given the spikes and M, nothing of this depends on E
        x_pre[0], x_post[0], theta[0] = x_pre0[m], x_post0[m], theta0[m]
        for t in range(T):
            smooth(x_pre[t], spikes[t, m], x_pre[t + 1], keep_trace)
            smooth(x_post[t], out[t, m], x_post[t + 1], keep_trace)
            if modulated:
                M = gates[t, m]
            for j in range(Q):
                x = x_post[t + 1, j]
                a, b = coefficients(x, theta[t, j])
                growth[t, j], decay[t, j] = eta * M[j] * a, eta * M[j] * b
                theta[t + 1, j] = theta[t, j] + theta_step * (x * x - theta[t, j])
        g_E, g_v, g_x_pre = grad_E[m], grad_v[m], grad_x_pre[m]
        g_x_post, g_theta = grad_x_post[m], grad_theta[m]
        for segment in range((T - 1) // stride, -1, -1):
            first = segment * stride
            last = min(first + stride, T)
            history[0] = checkpoints[segment, m]
            for t in range(first, last - 1):
                k = t - first
                advance(history[k], history[k + 1], x_pre[t + 1], growth[t], decay[t], e_max)
            for t in range(last - 1, first - 1, -1):
                E = history[t - first]
                # E[t+1] = clip(E + η M (growth x_i + decay E))
                if track_inputs:
                    retreat_to_inputs(E, g_E, x_pre[t + 1], growth[t], decay[t], e_max, zero, g_x_pre)
                retreat(E, g_E, x_pre[t + 1], growth[t], decay[t], e_max, zero, by_pre, by_E)
                if modulated:
                    M = gates[t, m]
                for j in range(Q):
                    x, rate = x_post[t + 1, j], eta * M[j]
                    a, b = coefficients(x, theta[t, j])
                    a_x, b_x, a_theta, b_theta = slopes(x, theta[t, j])
                    # rate = η M
                    grad_rate = by_pre[j] * a + by_E[j] * b
                    grad_eta[j] += grad_rate * M[j]
                    grad_gate[j] = eta * grad_rate * (one - M[j] * M[j])
                    # θ[t+1] = θ + (dt/τ_θ)(x² − θ), and θ and x in the coefficients
                    g_x_post[j] += (theta_step + theta_step) * x * g_theta[j] + rate * (by_pre[j] * a_x + by_E[j] * b_x)
                    g_theta[j] += rate * (by_pre[j] * a_theta + by_E[j] * b_theta) - theta_step * g_theta[j]
                if modulated:
                    # M = tanh(V x + c)
                    for j in range(Q):
                        grad_c[j] += grad_gate[j]
                    modulate_back(grad_gate, V, x_post[t + 1], grad_V, g_x_post)
                for j in range(Q):
                    # x = λ x[t−1] + (1 − λ) s, s = step(v), v = β v[t−1] + I − reset (no gradient)
                    g_s = grad_out[t, m, j] + (one - keep_trace) * g_x_post[j]
                    g_x_post[j] *= keep_trace
                    grad_current[j] = g_v[j] + surrogate(potential[t, m, j] - threshold, steepness, one) * g_s
                    g_v[j] = beta * grad_current[j]
                    grad_bias[j] += grad_current[j]
                # I = b + Σ_i (W + α E) s_i and x = λ x[t−1] + (1 − λ) s
                conduct_back(grad_current, spikes[t, m], alpha, E, grad_W, grad_alpha, g_E)
                if track_inputs:
                    for i in range(P):
                        grad_spikes[t, m, i] = (one - keep_trace) * g_x_pre[i]
                        g_x_pre[i] *= keep_trace
                    conduct_back_to_spikes(grad_current, W, alpha, E, grad_spikes[t, m])


@cache
def compiled(rule: type[Rule]) -> tuple[Callable, Callable]:
    """The forward and the backward kernel of ``rule``, compiled on first use and cached on disk."""
    source = inspect.getsource(rule.coefficients) + inspect.getsource(rule.slopes)
    mark = f"{rule.name}_{hashlib.sha256(source.encode()).hexdigest()[:12]}"

    def compile_with(function: Callable, **names: Callable) -> Callable:
        # The rule enters as a global name, not as an argument, so that numba inlines it; its source
        # is part of the name under which numba caches, so that a changed rule is never served stale.
        code = function.__code__.replace(co_name=f"{function.__name__}_{mark}")
        specialised = types.FunctionType(code, {**globals(), **names})
        specialised.__qualname__ = code.co_name
        return numba.njit(specialised, **_OPTIONS)

    coefficients = numba.njit(rule.coefficients, inline="always")
    slopes = numba.njit(rule.slopes, inline="always")
    forward = compile_with(_forward, coefficients=coefficients)
    return forward, compile_with(_backward, coefficients=coefficients, slopes=slopes)


@numba.njit(**_OPTIONS)
def leaky_forward(current, v, beta, threshold, out, potential):
    """``snntorch.Leaky`` over the ticks of current (T, N); v (N,) holds the state.

    With an infinite threshold it never spikes: the leaky readout.
    """
    for t in range(current.shape[0]):
        for n in range(current.shape[1]):
            # v[t] = β v[t−1] + I[t] − [v[t−1] > threshold] threshold
            reset = threshold if v[n] > threshold else beta - beta
            v[n] = beta * v[n] + current[t, n] - reset
            out[t, n] = v[n] > threshold
            potential[t, n] = v[n]


@numba.njit(**_OPTIONS)
def leaky_backward(grad_out, grad_potential, potential, beta, threshold, steepness, grad_v, grad_current):
    """The adjoint of :func:`leaky_forward`; grad_v (N,) comes in as the final state's gradient."""
    for t in range(grad_out.shape[0] - 1, -1, -1):
        for n in range(grad_out.shape[1]):
            slope = surrogate(potential[t, n] - threshold, steepness, beta / beta)
            total = grad_v[n] + grad_potential[t, n] + slope * grad_out[t, n]
            grad_current[t, n] = total
            grad_v[n] = beta * total
