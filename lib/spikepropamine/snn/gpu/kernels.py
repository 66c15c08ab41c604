"""The fused path on a GPU: a plastic layer over time in Triton, with its backward derived by hand.

A loop of tensor operations reads and writes the efficacies E of the whole batch several times a
tick, and launches a kernel for each pass. Here one program takes a tile of one batch member's E,
some postsynaptic neurons with all their inputs, through all ticks in registers. What does not
depend on E, the current W s + b, is one matrix product beforehand (:mod:`.autograd`).

The backward goes through segments of about √T ticks, last to first. From the checkpoint at its
start a program runs the segment once more, writes E of each tick to a scratch of its own, and then
takes the adjoint tick by tick. It sums the gradient of α over its batch members in registers, and
the programs' sums are added in a fixed order: the same bits every time.

Axes and names are those of :mod:`spikepropamine.snn.plasticity`. Time comes first: spikes are
(T, B, P); current, out, potential, gates and their gradients (T, B, Q). E is (B, Q, P).
"""

from typing import NamedTuple

import triton
import triton.language as tl


class Given(NamedTuple):
    """What both kernels read."""

    spikes: object  # (T, B, P)
    alpha: object  # (Q, P)
    V: object  # (Q, Q), of no meaning where the layer is not modulated
    c: object  # (Q,), likewise
    constants: object  # (7,): β, threshold, k of the surrogate, λ, dt/τ_θ, E_max, η


class State(NamedTuple):
    """A state of the layer, or its gradient."""

    v: object  # (B, Q)
    E: object  # (B, Q, P)
    x_pre: object  # (B, P)
    x_post: object  # (B, Q)
    theta: object  # (B, Q)


class Kept(NamedTuple):
    """What the forward keeps for the backward."""

    potential: object  # (T, B, Q), v of each tick
    gates: object  # (T, B, Q), M of each tick
    E: object  # (segments, B, Q, P), at the start of each segment, as the next three
    x_pre: object  # (segments, B, P)
    x_post: object  # (segments, B, Q)
    theta: object  # (segments, B, Q)


class Scratch(NamedTuple):
    """What a program of the backward writes at each tick of a segment; a part of each for every program."""

    E: object  # (programs, stride, BLOCK_Q, BLOCK_P), before the tick, as theta
    x_pre: object  # (programs, stride, BLOCK_P), of the tick, as x_post
    x_post: object  # (programs, stride, BLOCK_Q)
    theta: object  # (programs, stride, BLOCK_Q)


class Gradients(NamedTuple):
    """What the backward writes beside the gradients of the initial state."""

    current: object  # (T, B, Q)
    drive: object  # (T, B, Q), of V x + c
    trace: object  # (T, B, Q): x_post of each tick, by which drive gives the gradient of V
    spikes: object  # (tiles, T, B, P), by E alone
    x_pre: object  # (tiles, B, P)
    alpha: object  # (programs, Q, P)
    eta: object  # (B, Q)


@triton.jit
def tanh(x):
    # tanh |x| = (1 − e) / (1 + e) with e = exp(−2 |x|), which cannot overflow
    e = tl.exp(-2 * tl.abs(x))
    size = (1 - e) / (1 + e)
    return tl.where(x < 0, -size, size)


@triton.jit
def smooth(x, spike, keep):
    # x[t] = λ x[t−1] + (1 − λ) s[t]
    return spike + keep * (x - spike)


@triton.jit
def slide(theta, x, step):
    # θ[t+1] = θ[t] + (dt/τ_θ)(x[t]² − θ[t])
    return theta + step * (x * x - theta)


@triton.jit
def unclipped(E, x_pre, growth, keep):
    # E_ji[t+1] before the clip: growth_j x_i + keep_j E_ji, where growth holds η M a and keep is 1 + η M b
    return growth[:, None] * x_pre[None, :] + keep[:, None] * E


@triton.jit
def clip(E, e_max):
    return tl.minimum(tl.maximum(E, -e_max), e_max)


@triton.jit
def fire(v, I, beta, threshold):
    # v[t] = β v[t−1] + I[t] − [v[t−1] > 1]; s[t] = [v[t] > 1]: snntorch.Leaky
    v = beta * v + I - tl.where(v > threshold, threshold, 0)
    return v, (v > threshold).to(v.dtype)


@triton.jit
def numbers(given):
    """What ``given.constants`` holds, by name."""
    c = given.constants
    beta, threshold, steepness = tl.load(c), tl.load(c + 1), tl.load(c + 2)
    return beta, threshold, steepness, tl.load(c + 3), tl.load(c + 4), tl.load(c + 5), tl.load(c + 6)


@triton.jit
def hear(current, alpha, E, s, v, beta, threshold):
    # I_j = b_j + Σ_i (W_ji + α_ji E_ji) s_i, of which current holds what is not of E
    return fire(v, current + tl.sum(alpha * E * s[None, :], 1), beta, threshold)


@triton.jit
def modulator(V, x_post, c):
    # M = tanh(V x + c)
    return tanh(tl.sum(V * x_post[None, :], 1) + c)


@triton.jit
def learn(E, x_pre, x_post, theta, rate, step, e_max, COEFFICIENTS: tl.constexpr):
    # E[t+1] = clip(E + η M (a x_i + b E)), and θ[t+1] after the rule has used θ[t]
    a, b = COEFFICIENTS(x_post, theta)
    return clip(unclipped(E, x_pre, rate * a, 1 + rate * b), e_max), slide(theta, x_post, step)


@triton.jit
def surrogate(u, steepness):
    # ∂s/∂v = 1 / (1 + k |v − threshold|)²: snntorch.surrogate.fast_sigmoid
    root = 1 + steepness * tl.abs(u)
    return 1 / (root * root)


@triton.jit
def back_through_rule(
    E,
    x_pre,
    x_post,
    theta,
    rate,
    step,
    e_max,
    g_E,
    g_x,
    g_theta,
    COEFFICIENTS: tl.constexpr,
    SLOPES: tl.constexpr,
    TRACK_INPUTS: tl.constexpr,
):
    """The adjoint of a tick's plasticity: the gradients of E, x_pre, x_post, θ, and of rate = η M."""
    a, b = COEFFICIENTS(x_post, theta)
    a_x, b_x, a_theta, b_theta = SLOPES(x_post, theta)
    # E[t+1] = clip(growth x_i + keep E), growth = η M a and keep = 1 + η M b
    growth, keep = rate * a, 1 + rate * b
    g_E = tl.where(tl.abs(unclipped(E, x_pre, growth, keep)) <= e_max, g_E, 0)
    by_growth, by_decay = tl.sum(g_E * x_pre[None, :], 1), tl.sum(g_E * E, 1)
    g_x_pre = x_pre
    if TRACK_INPUTS:
        g_x_pre = tl.sum(g_E * growth[:, None], 0)
    # θ[t+1] = θ + (dt/τ_θ)(x² − θ), and θ and x in a and b
    g_x += 2 * step * x_post * g_theta + rate * (by_growth * a_x + by_decay * b_x)
    g_theta += rate * (by_growth * a_theta + by_decay * b_theta) - step * g_theta
    return g_E * keep[:, None], g_x_pre, g_x, g_theta, by_growth * a + by_decay * b


@triton.jit
def back_through_neuron(g_out, g_v, g_x, u, steepness, trace, beta):
    """The adjoint of a tick's neurons, by spikes, v and x_post: the gradients of the current, of v and x_post before.

    ``u`` is the potential above the threshold.
    """
    # x = λ x[t−1] + (1 − λ) s, s = step(v), v = β v[t−1] + I − reset (no gradient)
    g_I = g_v + (g_out + (1 - trace) * g_x) * surrogate(u, steepness)
    return g_I, beta * g_I, trace * g_x


@triton.jit
def again(
    given,
    out,
    kept,
    scratch,
    traces,
    m,
    place,
    segment,
    ticks,
    first,
    B,
    P,
    Q,
    stride,
    COEFFICIENTS: tl.constexpr,
    MODULATED: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_Q: tl.constexpr,
):
    """Once more what the forward did with the tile of neurons from ``first`` on in a segment, given its spikes and M.

    Writes E and θ before each tick, and the traces of each, to ``scratch`` from ``place`` on.
    """
    _, _, _, trace, step, e_max, eta = numbers(given)
    i, own = tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_Q)
    j = first + own
    inputs, neurons, start = i < P, j < Q, m + segment * B
    synapse, synapses = j[:, None] * P + i[None, :], neurons[:, None] & inputs[None, :]
    E = tl.load(kept.E + start * P * Q + synapse, synapses, 0)
    x_pre = tl.load(kept.x_pre + start * P + i, inputs, 0)
    x_post = tl.load(kept.x_post + start * Q + j, neurons, 0)
    theta = tl.load(kept.theta + start * Q + j, neurons, 0)
    for n in range(ticks):
        row, here = m + (segment * stride + n) * B, place + n
        s = tl.load(given.spikes + row * P + i, inputs, 0)
        spike = tl.load(out + row * Q + j, neurons, 0)
        rate = tl.where(neurons, eta, 0)
        if MODULATED:
            rate *= tl.load(kept.gates + row * Q + j, neurons, 0)
        x_pre, x_post = smooth(x_pre, s, trace), smooth(x_post, spike, trace)
        tl.store(scratch.E + here * BLOCK_Q * BLOCK_P + own[:, None] * BLOCK_P + i[None, :], E)
        tl.store(scratch.x_pre + here * BLOCK_P + i, x_pre)
        tl.store(scratch.x_post + here * BLOCK_Q + own, x_post)
        tl.store(scratch.theta + here * BLOCK_Q + own, theta)
        if MODULATED:
            tl.store(traces + row * Q + j, x_post, neurons)
        E, theta = learn(E, x_pre, x_post, theta, rate, step, e_max, COEFFICIENTS)


@triton.jit(do_not_specialize=["T", "B", "stride"])
def forward(
    given,
    current,
    start,
    end,
    out,
    kept,
    T,
    B,
    P,
    Q,
    stride,
    COEFFICIENTS: tl.constexpr,
    MODULATED: tl.constexpr,
    KEEP: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_Q: tl.constexpr,
):
    """One tile of one batch member through all ticks; program (m, tile)."""
    m, i, j = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_Q)
    k = j  # the neurons once more, as the columns of V
    j += tl.program_id(1) * BLOCK_Q
    inputs, neurons = i < P, j < Q
    synapse, synapses = j[:, None] * P + i[None, :], neurons[:, None] & inputs[None, :]

    beta, threshold, _, trace, step, e_max, eta = numbers(given)
    alpha = tl.load(given.alpha + synapse, synapses, 0)
    if MODULATED:
        V = tl.load(given.V + j[:, None] * Q + k[None, :], neurons[:, None] & (k < Q)[None, :], 0)
        c = tl.load(given.c + j, neurons, 0)

    E = tl.load(start.E + m * P * Q + synapse, synapses, 0)
    x_pre = tl.load(start.x_pre + m * P + i, inputs, 0)
    v = tl.load(start.v + m * Q + j, neurons, 0)
    x_post = tl.load(start.x_post + m * Q + j, neurons, 0)
    theta = tl.load(start.theta + m * Q + j, neurons, 0)

    # what the next tick reads is asked for one tick ahead
    s_next = tl.load(given.spikes + m * P + i, inputs, 0)
    I_next = tl.load(current + m * Q + j, neurons, 0)
    for t in range(T):
        s, I, row = s_next, I_next, m + t * B
        ahead = m + tl.minimum(t + 1, T - 1) * B
        s_next = tl.load(given.spikes + ahead * P + i, inputs, 0)
        I_next = tl.load(current + ahead * Q + j, neurons, 0)
        if KEEP:
            if t % stride == 0:
                segment = m + t // stride * B
                tl.store(kept.E + segment * P * Q + synapse, E, synapses)
                tl.store(kept.x_pre + segment * P + i, x_pre, inputs)
                tl.store(kept.x_post + segment * Q + j, x_post, neurons)
                tl.store(kept.theta + segment * Q + j, theta, neurons)
        v, spike = hear(I, alpha, E, s, v, beta, threshold)
        tl.store(out + row * Q + j, spike, neurons)
        x_pre, x_post = smooth(x_pre, s, trace), smooth(x_post, spike, trace)
        rate = tl.where(neurons, eta, 0)
        if MODULATED:
            gate = modulator(V, x_post, c)
            rate *= gate
        if KEEP:
            tl.store(kept.potential + row * Q + j, v, neurons)
            if MODULATED:
                tl.store(kept.gates + row * Q + j, gate, neurons)
        E, theta = learn(E, x_pre, x_post, theta, rate, step, e_max, COEFFICIENTS)

    tl.store(end.E + m * P * Q + synapse, E, synapses)
    tl.store(end.x_pre + m * P + i, x_pre, inputs)
    tl.store(end.v + m * Q + j, v, neurons)
    tl.store(end.x_post + m * Q + j, x_post, neurons)
    tl.store(end.theta + m * Q + j, theta, neurons)


@triton.jit(do_not_specialize=["T", "B", "stride"])
def backward(
    given,
    out,
    kept,
    scratch,
    grad_out,
    grad_end,
    grad_start,
    gradients,
    T,
    B,
    P,
    Q,
    stride,
    COEFFICIENTS: tl.constexpr,
    SLOPES: tl.constexpr,
    MODULATED: tl.constexpr,
    TRACK_INPUTS: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_Q: tl.constexpr,
):
    """The adjoint of :func:`forward`; program (g, tile) takes the tile of batch members g, g + programs, ...

    grad_end holds the gradients of the final state, grad_start takes those of the initial one.
    """
    program, tile = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    i, j = tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_Q)
    k = j
    own = j[:, None] * BLOCK_P + i[None, :]  # where a synapse lies in the program's scratch
    own_j = j
    j += tl.program_id(1) * BLOCK_Q
    inputs, neurons = i < P, j < Q
    synapse, synapses = j[:, None] * P + i[None, :], neurons[:, None] & inputs[None, :]
    place = (program * tl.num_programs(1) + tile) * stride

    beta, threshold, steepness, trace, step, e_max, eta = numbers(given)
    alpha = tl.load(given.alpha + synapse, synapses, 0)
    if MODULATED:
        V = tl.load(given.V + j[:, None] * Q + k[None, :], neurons[:, None] & (k < Q)[None, :], 0)

    g_alpha = tl.zeros([BLOCK_Q, BLOCK_P], alpha.dtype)
    for m in range(program, B, tl.num_programs(0)):
        g_E = tl.load(grad_end.E + m * P * Q + synapse, synapses, 0)
        g_v = tl.load(grad_end.v + m * Q + j, neurons, 0)
        g_x_post = tl.load(grad_end.x_post + m * Q + j, neurons, 0)
        g_theta = tl.load(grad_end.theta + m * Q + j, neurons, 0)
        g_x_pre = tl.load(grad_end.x_pre + m * P + i, i < tl.where(tile == 0, P, 0), 0)  # once of all tiles
        g_eta = tl.zeros([BLOCK_Q], alpha.dtype)

        for back in range(tl.cdiv(T, stride)):
            segment = tl.cdiv(T, stride) - 1 - back
            first = segment * stride
            ticks = tl.minimum(stride, T - first)

            again(
                given,
                out,
                kept,
                scratch,
                gradients.trace,
                m,
                place,
                segment,
                ticks,
                tile * BLOCK_Q,
                B,
                P,
                Q,
                stride,
                COEFFICIENTS,
                MODULATED,
                BLOCK_P,
                BLOCK_Q,
            )
            tl.debug_barrier()  # the program's threads see what each of them wrote

            for n_back in range(ticks):
                n = ticks - 1 - n_back
                row, here = m + (first + n) * B, place + n
                s = tl.load(given.spikes + row * P + i, inputs, 0)
                g_out = tl.load(grad_out + row * Q + j, neurons, 0)
                potential = tl.load(kept.potential + row * Q + j, neurons, 0)
                E = tl.load(scratch.E + here * BLOCK_Q * BLOCK_P + own)
                x_pre = tl.load(scratch.x_pre + here * BLOCK_P + i)
                x_post = tl.load(scratch.x_post + here * BLOCK_Q + own_j)
                theta = tl.load(scratch.theta + here * BLOCK_Q + own_j)
                gate = tl.where(neurons, 1.0, 0.0).to(E.dtype)
                if MODULATED:
                    gate = tl.load(kept.gates + row * Q + j, neurons, 0)
                g_E, by_x_pre, g_x, g_theta, g_rate = back_through_rule(
                    E,
                    x_pre,
                    x_post,
                    theta,
                    eta * gate,
                    step,
                    e_max,
                    g_E,
                    g_x_post,
                    g_theta,
                    COEFFICIENTS,
                    SLOPES,
                    TRACK_INPUTS,
                )
                g_eta += g_rate * gate
                if MODULATED:
                    # M = tanh(V x + c)
                    g_drive = eta * g_rate * (1 - gate * gate)
                    tl.store(gradients.drive + row * Q + j, g_drive, neurons)
                    g_x += tl.sum(V * g_drive[:, None], 0)
                g_I, g_v, g_x_post = back_through_neuron(g_out, g_v, g_x, potential - threshold, steepness, trace, beta)
                tl.store(gradients.current + row * Q + j, g_I, neurons)
                # I = Σ_i α E s_i + what is not of E
                g_synapse = g_I[:, None] * s[None, :]
                if TRACK_INPUTS:
                    g_x_pre += by_x_pre
                    g_s = (1 - trace) * g_x_pre + tl.sum(alpha * E * g_I[:, None], 0)
                    g_x_pre *= trace
                    tl.store(gradients.spikes + (tile * T * B + row) * P + i, g_s, inputs)
                g_alpha += g_synapse * E
                g_E += g_synapse * alpha
            tl.debug_barrier()  # all have read before the next segment is written

        tl.store(grad_start.E + m * P * Q + synapse, g_E, synapses)
        tl.store(grad_start.v + m * Q + j, g_v, neurons)
        tl.store(grad_start.x_post + m * Q + j, g_x_post, neurons)
        tl.store(grad_start.theta + m * Q + j, g_theta, neurons)
        tl.store(gradients.eta + m * Q + j, g_eta, neurons)
        if TRACK_INPUTS:
            tl.store(gradients.x_pre + (tile * B + m) * P + i, g_x_pre, inputs)
    tl.store(gradients.alpha + program * P * Q + synapse, g_alpha, synapses)


# ---------------------------------------------------------------- neurons without plastic synapses


@triton.jit(do_not_specialize=["T"])
def leaky_forward(current, start, out, potential, end, constants, T, N, SPIKING: tl.constexpr, BLOCK: tl.constexpr):
    """``snntorch.Leaky`` over the ticks of current (T, N); where not SPIKING the leaky readout, and out is not written."""
    n, size = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK), tl.full([], N, tl.int64)
    beta, threshold = tl.load(constants), tl.load(constants + 1)
    v, I_next = tl.load(start + n, n < N, 0), tl.load(current + n, n < N, 0)
    for t in range(T):
        I, place = I_next, n + t * size
        I_next = tl.load(current + n + tl.minimum(t + 1, T - 1) * size, n < N, 0)
        if SPIKING:
            v, spike = fire(v, I, beta, threshold)
            tl.store(out + place, spike, n < N)
        else:
            v = beta * v + I
        tl.store(potential + place, v, n < N)
    tl.store(end + n, v, n < N)


@triton.jit(do_not_specialize=["T"])
def leaky_backward(
    grad_out,
    grad_potential,
    potential,
    grad_end,
    grad_current,
    grad_start,
    constants,
    T,
    N,
    SPIKING: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The adjoint of :func:`leaky_forward`."""
    n, size = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK), tl.full([], N, tl.int64)
    beta, threshold, steepness = tl.load(constants), tl.load(constants + 1), tl.load(constants + 2)
    g = tl.load(grad_end + n, n < N, 0)
    for back in range(T):
        place = n + (T - 1 - back) * size
        g += tl.load(grad_potential + place, n < N, 0)
        if SPIKING:
            u = tl.load(potential + place, n < N, 0) - threshold
            g += tl.load(grad_out + place, n < N, 0) * surrogate(u, steepness)
        tl.store(grad_current + place, g, n < N)
        g *= beta
    tl.store(grad_start + n, g, n < N)
