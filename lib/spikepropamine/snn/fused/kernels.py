"""The fused path: a plastic layer over time, compiled for the CPU, with its backward derived by hand.

A loop of tensor operations passes over the efficacies E of the whole batch many times a tick and
keeps every pass for the backward. Here one batch member runs through all its ticks before the next
one starts, so its E (16 kB at 64×64) stays in the first-level cache; a column of neighbouring
postsynaptic neurons stays in registers while the inputs go by (:mod:`spikepropamine.snn.fused.simd`); what
only spikes cause is computed only at spikes; and the backward pass recomputes E from checkpoints
2√T ticks apart.

Why numba. Its compiler is in the wheel; a C++ extension and torch.compile on a CPU both need a
compiler on the reader's machine.

Layout. Every array is flat. Synapses lie in columns, (Q/w, P, w) with w the width of
Lanes: the w neurons from j on have their synapse from input i at j·P + i·w, so that a walk along the
inputs is a walk through memory at any size. Q is a multiple of w (:func:`.memory.padded`; the neurons added
have no weight and stay at rest). A name that ends in _ holds a row for each tick of a segment, without it one of those rows.
Batch members are grouped in blocks; each block adds up its own gradients and the blocks
are added in order, so the number of threads changes no bit.

The rule's coefficients and slopes come from :mod:`spikepropamine.snn.plasticity` and are inlined.
"""

import hashlib
import inspect
import types
from collections.abc import Callable
from functools import cache

import numba
import numpy as np

from ...checks import require
from .. import formulas
from ..plasticity import Rule
from . import simd, tick
from .compiler import jit
from .memory import aligned
from .simd import load, number, row, splat, store, tanh, where_above, width
from .structures import Scratch, Segment
from .tick import (
    add_scaled,
    advance,
    any_of,
    conduct,
    conduct_back,
    conduct_back_to_spikes,
    copy,
    fetch,
    into_columns,
    out_of_columns,
    retreat,
    retreat_clipped,
    retreat_to_inputs,
    retreat_to_inputs_clipped,
    slide,
    smooth,
    spiking,
    starts,
    surrogate,
    weighted,
)

_AHEAD = 4  # ticks
_WEIGHTS = 2  # their place among a kernel's arguments


# ---------------------------------------------------------------- a layer over time

# The next two are templates: `coefficients`, `slopes` and `decays` are the rule's, put in place by `compiled`.


def _forward(block, sizes, weights, constants, state, history, scratch):
    """A block's batch members over all ticks; ``state`` holds the initial state and is overwritten by the final one.

    ``history.out`` is filled; its potential, gates and checkpoints are filled where they are not empty.
    """
    T, B, P, neurons, stride = sizes
    eta, beta, threshold, _, keep_trace, theta_step, e_max = constants
    modulated = weights.modulated
    Q, step = weights.bias.size, width(weights.bias)
    zero = number(weights.bias, 0)
    keep_history = history.potential.size > 0
    segments = (T + stride - 1) // stride
    W, alpha, bias = row(weights.W, 0), row(weights.alpha, 0), row(weights.bias, 0)
    V, c = row(weights.V, 0), row(weights.c, 0)
    active, M, drive = row(scratch.active, 0), row(scratch.rows, 0), row(scratch.rows, Q)
    E, spikes_, out_ = row(scratch.columns, 0), row(history.spikes, 0), row(history.out, 0)
    potential_, gates_, checkpoints_ = row(history.potential, 0), row(history.gates, 0), row(history.checkpoints, 0)
    E_, v_, x_pre_, x_post_, theta_ = starts(state)
    for j in range(0, Q, step):
        store(M, j, splat(zero) + 1)
    for m in range(block.start, block.stop):
        v, x_pre = row(v_, m * Q), row(x_pre_, m * P)
        x_post, theta = row(x_post_, m * Q), row(theta_, m * Q)
        into_columns(row(E_, m * P * Q), E, P, Q, step)
        if modulated:
            # V x, kept up to date from spike to spike as the traces are
            for j in range(0, Q, step):
                store(drive, j, splat(zero))
            for k in range(neurons):
                add_scaled(drive, x_post[k], row(V, k * Q), Q, step)
        for t in range(T):
            spikes, out = row(spikes_, (t * B + m) * P), row(out_, (t * B + m) * Q)
            here = (m * T + t) * Q
            if keep_history and t % stride == 0:
                kept = row(checkpoints_, (m * segments + t // stride) * (P * Q + P + 2 * Q))
                copy(E, kept, P * Q)
                copy(x_pre, row(kept, P * Q), P)
                copy(x_post, row(kept, P * Q + P), Q)
                copy(theta, row(kept, P * Q + P + Q), Q)
            fetch(row(spikes_, ((t + _AHEAD) * B + m) * P), P, step)
            n = spiking(spikes, P, active)
            for j in range(0, Q, step):
                # I_j = b_j + Σ_i (W_ji + α_ji E_ji) s_i
                current = conduct(load(bias, j), spikes, active, n, W, alpha, E, j, P, step)
                # v[t] = β v[t−1] + I[t] − [v[t−1] > 1]; s[t] = [v[t] > 1]: snntorch.Leaky
                before = load(v, j)
                u = beta * before + current - where_above(before, threshold, threshold, 0.0)
                spike = where_above(u, threshold, 1.0, 0.0)
                store(v, j, u)
                store(out, j, spike)
                # x[t] = λ x[t−1] + (1 − λ) s[t]
                store(x_post, j, spike + keep_trace * (load(x_post, j) - spike))
                if keep_history:
                    store(row(potential_, here), j, u)
            smooth(x_pre, spikes, P, x_pre, keep_trace)
            if modulated:
                n = spiking(out, neurons, active)
                for j in range(0, Q, step):
                    # M = tanh(V x + c), and V x[t] = λ V x[t−1] + (1 − λ) V s[t]
                    arriving = splat(zero)
                    for a in range(n):
                        arriving += load(V, active[a] * Q + j)
                    driving = arriving + keep_trace * (load(drive, j) - arriving)
                    gate = tanh(driving + load(c, j))
                    store(drive, j, driving)
                    store(M, j, gate)
                    if keep_history:
                        store(row(gates_, here), j, gate)
            for j in range(0, Q, step):
                x, th = load(x_post, j), load(theta, j)
                a, b = coefficients(x, th)
                rate = eta * load(M, j)
                advance(E, E, x_pre, P, rate * a, 1 + rate * b, e_max, j, step)
                store(theta, j, slide(th, x, theta_step))
        out_of_columns(E, row(E_, m * P * Q), P, Q, step)


def _backward(block, sizes, weights, constants, history, gradients, scratch, segment):
    """The adjoint of ``_forward``, ticks last to first, for a block's batch members.

    ``gradients.state`` comes in as the gradient of the final state and leaves as that of the initial one. The
    gradients of the weights are added to at the block's place. ``weights.V`` is the transpose of V in columns.
    """
    T, B, P, neurons, stride = sizes
    eta, beta, threshold, steepness, keep_trace, theta_step, e_max = constants
    modulated, track_inputs, track_neurons = weights.modulated, gradients.track_inputs, gradients.track_neurons
    step = width(weights.W)
    Q = weights.W.size // P
    zero = number(weights.W, 0)
    segments = (T + stride - 1) // stride
    W, alpha, V_back = row(weights.W, 0), row(weights.alpha, 0), row(weights.V, 0)
    grad_W, grad_alpha = row(gradients.W, block.place * P * Q), row(gradients.alpha, block.place * P * Q)
    grad_bias, grad_c = row(gradients.bias, block.place * Q), row(gradients.c, block.place * Q)
    grad_eta, grad_V = row(gradients.eta, block.place * Q), row(gradients.V, block.place * neurons * Q)
    active, ones, grad_current = row(scratch.active, 0), row(scratch.rows, 0), row(scratch.rows, Q)
    grad_current_ = row(gradients.current, 0)
    grad_drive, pull, grad_E = row(scratch.rows, 2 * Q), row(scratch.rows, 3 * Q), row(scratch.columns, 0)
    x_pre_, x_post_, theta_ = row(segment.x_pre, 0), row(segment.x_post, 0), row(segment.theta, 0)
    growth_, keep_, E_, clipped = row(segment.growth, 0), row(segment.keep, 0), row(segment.E, 0), segment.clipped
    spikes_, out_, grad_out_ = row(history.spikes, 0), row(history.out, 0), row(gradients.out, 0)
    potential_, gates_, checkpoints_ = row(history.potential, 0), row(history.gates, 0), row(history.checkpoints, 0)
    grad_spikes_ = row(gradients.spikes, 0)
    grad_E_, grad_v_, grad_x_pre_, grad_x_post_, grad_theta_ = starts(gradients.state)
    for j in range(0, Q, step):
        store(ones, j, splat(zero) + 1)
    for m in range(block.start, block.stop):
        gates = row(gates_, m * T * Q)
        grad_v, grad_x_pre = row(grad_v_, m * Q), row(grad_x_pre_, m * P)
        grad_x_post, grad_theta = row(grad_x_post_, m * Q), row(grad_theta_, m * Q)
        into_columns(row(grad_E_, m * P * Q), grad_E, P, Q, step)
        for j in range(0, Q, step):
            store(grad_drive, j, splat(zero))
            store(pull, j, splat(zero))
        for part in range(segments - 1, -1, -1):
            first = part * stride
            last = min(first + stride, T)
            kept = row(checkpoints_, (m * segments + part) * (P * Q + P + 2 * Q))
            copy(kept, row(E_, 0), P * Q)
            copy(row(kept, P * Q), row(x_pre_, 0), P)
            copy(row(kept, P * Q + P), row(x_post_, 0), Q)
            copy(row(kept, P * Q + P + Q), row(theta_, 0), Q)
            # once more what the forward did, given its spikes and M; row k + 1 holds what the segment's tick k leaves behind
            for t in range(first, last):
                k = t - first
                spikes, out = row(spikes_, (t * B + m) * P), row(out_, (t * B + m) * Q)
                M = row(gates, t * Q) if modulated else ones
                x_post, theta = row(x_post_, k * Q), row(theta_, k * Q)
                fetch(row(spikes_, ((t + _AHEAD) * B + m) * P), P, step)
                fetch(row(out_, ((t + _AHEAD) * B + m) * Q), Q, step)
                smooth(row(x_pre_, k * P), spikes, P, row(x_pre_, (k + 1) * P), keep_trace)
                for j in range(0, Q, step):
                    spike, th = load(out, j), load(theta, j)
                    x = spike + keep_trace * (load(x_post, j) - spike)
                    a, b = coefficients(x, th)
                    rate = eta * load(M, j)
                    store(x_post, Q + j, x)
                    store(theta, Q + j, slide(th, x, theta_step))
                    store(row(growth_, k * Q), j, rate * a)
                    store(row(keep_, k * Q), j, 1 + rate * b)
            for k in range(last - first):
                E, x_pre = row(E_, k * P * Q), row(x_pre_, (k + 1) * P)
                for j in range(0, Q, step):
                    growth, keep = load(row(growth_, k * Q), j), load(row(keep_, k * Q), j)
                    peak = advance(E, row(E, P * Q), x_pre, P, growth, keep, e_max, j, step)
                    clipped[k * Q + j] = not peak < e_max
            for t in range(last - 1, first - 1, -1):
                k = t - first
                spikes, out = row(spikes_, (t * B + m) * P), row(out_, (t * B + m) * Q)
                M = row(gates, t * Q) if modulated else ones
                E, theta = row(E_, k * P * Q), row(theta_, k * Q)
                x_pre, x_post = row(x_pre_, (k + 1) * P), row(x_post_, (k + 1) * Q)
                growth, keep = row(growth_, k * Q), row(keep_, k * Q)
                fetch(row(grad_out_, ((t - _AHEAD) * B + m) * Q), Q, step)
                grad_out, potential = row(grad_out_, (t * B + m) * Q), row(potential_, (m * T + t) * Q)
                # E[t+1] = clip(growth x_i + keep E)
                if track_inputs and any_of(clipped, k * Q, Q, step):
                    retreat_to_inputs_clipped(E, grad_E, x_pre, P, growth, keep, e_max, grad_x_pre, Q, step)
                elif track_inputs:
                    retreat_to_inputs(E, grad_E, x_pre, P, growth, keep, e_max, grad_x_pre, Q, step)
                for j in range(0, Q, step):
                    if clipped[k * Q + j]:
                        by_growth, by_decay = retreat_clipped(
                            E, grad_E, x_pre, P, load(growth, j), load(keep, j), e_max, j, step
                        )
                    elif decays:
                        by_growth, by_decay = retreat(
                            E, grad_E, x_pre, P, load(growth, j), load(keep, j), e_max, j, step
                        )
                    else:
                        by_growth, by_decay = (
                            weighted(grad_E, x_pre, P, zero, j, step),
                            splat(zero),
                        )  # grad_E stays as it is
                    x, th, gate = load(x_post, j), load(theta, j), load(M, j)
                    a, b = coefficients(x, th)
                    a_x, b_x, a_theta, b_theta = slopes(x, th)
                    # growth = η M a and keep = 1 + η M b
                    rate = eta * gate
                    grad_rate = by_growth * a + by_decay * b
                    store(grad_eta, j, load(grad_eta, j) + grad_rate * gate)
                    # θ[t+1] = θ + (dt/τ_θ)(x² − θ), and θ and x in a and b
                    g_th = load(grad_theta, j)
                    g_x = 2 * theta_step * x * g_th + rate * (by_growth * a_x + by_decay * b_x)
                    store(grad_x_post, j, load(grad_x_post, j) + g_x)
                    store(grad_theta, j, g_th - theta_step * g_th + rate * (by_growth * a_theta + by_decay * b_theta))
                    if modulated:
                        # M = tanh(V x + c), and V x[t] = λ V x[t−1] + (1 − λ) V s[t]
                        g = eta * grad_rate * (1 - gate * gate)
                        store(grad_c, j, load(grad_c, j) + g)
                        store(grad_drive, j, g + keep_trace * load(grad_drive, j))
                if modulated:
                    for j in range(0, Q, step):
                        store(pull, j, weighted(V_back, grad_drive, neurons, zero, j, step))
                    for a in range(spiking(out, neurons, active)):
                        add_scaled(row(grad_V, active[a] * Q), 1 - keep_trace, grad_drive, Q, step)
                n = spiking(spikes, P, active)
                if track_neurons:
                    grad_current = row(grad_current_, (t * B + m) * Q)
                for j in range(0, Q, step):
                    # x = λ x[t−1] + (1 − λ) s, s = step(v), v = β v[t−1] + I − reset (no gradient)
                    g_x = load(grad_x_post, j)
                    g_s = load(grad_out, j) + (1 - keep_trace) * (g_x + load(pull, j))
                    g = load(grad_v, j) + surrogate(load(potential, j) - threshold, steepness) * g_s
                    store(grad_x_post, j, keep_trace * g_x)
                    store(grad_v, j, beta * g)
                    store(grad_bias, j, load(grad_bias, j) + g)
                    store(grad_current, j, g)
                    # I = b + Σ_i (W + α E) s_i
                    conduct_back(g, spikes, active, n, alpha, E, grad_W, grad_alpha, grad_E, j, P, step)
                if track_inputs:
                    # x = λ x[t−1] + (1 − λ) s
                    grad_spikes = row(grad_spikes_, (t * B + m) * P)
                    for i in range(P):
                        g_x_i = grad_x_pre[i]
                        grad_spikes[i] = (1 - keep_trace) * g_x_i
                        grad_x_pre[i] = keep_trace * g_x_i
                    conduct_back_to_spikes(grad_current, W, alpha, E, grad_spikes, P, zero, Q, step)
        out_of_columns(grad_E, row(grad_E_, m * P * Q), P, Q, step)
        if modulated and T > 0:
            # the traces at the start, which the first segment left in x_post_, drove M as well
            add_scaled(grad_x_post, keep_trace, pull, Q, step)
            for k in range(neurons):
                add_scaled(row(grad_V, k * Q), keep_trace * x_post_[k], grad_drive, Q, step)


def forward_scratch(P: int, Q: int, dtype: type[np.generic]) -> Scratch:
    """What ``_forward`` works on beside its arguments."""
    numbers = aligned(4 * Q + P * Q, dtype)
    return Scratch(np.empty(max(P, Q), np.intp), numbers[: 4 * Q], numbers[4 * Q :])


def backward_scratch(P: int, Q: int, stride: int, dtype: type[np.generic]) -> tuple[Scratch, Segment]:
    """What ``_backward`` works on beside its arguments."""
    sizes = ((stride + 1) * P, (stride + 1) * Q, (stride + 1) * Q, stride * Q, stride * Q, (stride + 1) * P * Q)
    segment = Segment(*(aligned(size, dtype) for size in sizes), np.empty(stride * Q, np.bool_))
    return forward_scratch(P, Q, dtype), segment


def compiled(rule: type[Rule]) -> tuple[Callable, Callable]:
    """The forward and the backward kernel of ``rule`` as it is now, compiled on first use and cached on disk."""
    found = formulas.of(rule)
    require(isinstance(found, formulas.Formulas), "rule", rule, "one that formulas.obstacle says nothing about")
    return _compiled(found)


@cache
def _compiled(rule: formulas.Formulas) -> tuple[Callable, Callable]:
    mark = hashlib.sha256(repr((rule, *map(inspect.getsource, (simd, tick)))).encode()).hexdigest()[:12]

    def compile_with(function: Callable, **names) -> Callable:
        # The rule enters as a global name, not as an argument, so that numba inlines it; its text
        # is part of the name under which numba caches, so that a changed rule is never served stale.
        code = function.__code__.replace(co_name=f"{function.__name__}_{mark}")
        specialised = types.FunctionType(code, {**globals(), **names})
        specialised.__qualname__ = code.co_name
        return jit(specialised)

    coefficients, slopes = (numba.njit(formulas.function_of(text), inline="always") for text in rule[:2])
    forward = compile_with(_forward, coefficients=coefficients)
    backward = compile_with(_backward, coefficients=coefficients, slopes=slopes, decays=rule.decays)
    return _direct(forward), _direct(backward)


def _direct(kernel: Callable) -> Callable:
    """``kernel``, which infers the types of its structures field by field at every call, with that done once a dtype."""
    entries: dict[np.dtype, Callable] = {}

    def call(*arguments):
        dtype = arguments[_WEIGHTS].W.dtype
        if dtype not in entries:
            signature = tuple(map(numba.typeof, arguments))
            kernel.compile(signature)
            entries[dtype] = kernel.overloads[signature].entry_point
        return entries[dtype](*arguments)

    return call


# ---------------------------------------------------------------- neurons without plastic synapses


@jit
def leaky_forward(current, v, leak, out, potential):
    """``snntorch.Leaky`` over the ticks of current (T, N), flat; v (N,) holds the state.

    With an infinite threshold it never spikes: the leaky readout.
    """
    beta, threshold, _ = leak
    zero = number(v, 0)
    for start in range(0, current.size, v.size):
        I, s, u = row(current, start), row(out, start), row(potential, start)
        for n in range(v.size):
            # v[t] = β v[t−1] + I[t] − [v[t−1] > threshold] threshold
            v[n] = beta * v[n] + I[n] - (threshold if v[n] > threshold else zero)
            s[n] = v[n] > threshold
            u[n] = v[n]


@jit
def leaky_backward(grad_out, grad_potential, potential, leak, grad_v, grad_current):
    """The adjoint of :func:`leaky_forward`; grad_v (N,) comes in as the final state's gradient."""
    beta, threshold, steepness = leak
    one = number(grad_v, 1)  # of the current's dtype: numba makes float32 · integer a float64
    for start in range(potential.size - grad_v.size, -1, -grad_v.size):
        g_s, g_u, g_I, u = (
            row(grad_out, start),
            row(grad_potential, start),
            row(grad_current, start),
            row(potential, start),
        )
        for n in range(grad_v.size):
            # ∂s/∂v = 1 / (1 + k |v − threshold|)²
            root = one + steepness * abs(u[n] - threshold)
            g = grad_v[n] + g_u[n] + g_s[n] / (root * root)
            g_I[n] = g
            grad_v[n] = beta * g
