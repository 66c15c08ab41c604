"""The kernels of :mod:`.kernels` for a modulated layer whose E is too large for one program's registers.

Its neurons see each other through M = tanh(V x + c) at every tick, so one program still holds all of them; but E stays
in memory, most of it in the second-level cache, and the program goes through it tile by tile at every tick. What a
thread writes another reads only past a barrier.
"""

import triton
import triton.language as tl

from .kernels import again, back_through_neuron, back_through_rule, hear, learn, modulator, numbers, smooth


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
    KEEP: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One batch member through all ticks; program m. ``end`` comes in as a copy of ``start`` and is worked on."""
    m, i, k = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_K)
    beta, threshold, _, trace, step, e_max, eta = numbers(given)
    x_pre = tl.load(start.x_pre + m * P + i, i < P, 0)
    for t in range(T):
        row, segment = m + t * B, m + t // stride * B
        s = tl.load(given.spikes + row * P + i, i < P, 0)
        if KEEP:
            if t % stride == 0:
                tl.store(kept.x_pre + segment * P + i, x_pre, i < P)
        x_pre = smooth(x_pre, s, trace)
        for first in range(0, Q, BLOCK_Q):
            j = first + tl.arange(0, BLOCK_Q)
            neurons, synapses = j < Q, (j < Q)[:, None] & (i < P)[None, :]
            synapse = j[:, None] * P + i[None, :]
            E = tl.load(end.E + m * P * Q + synapse, synapses, 0)
            alpha = tl.load(given.alpha + synapse, synapses, 0)
            v = tl.load(end.v + m * Q + j, neurons, 0)
            x_post = tl.load(end.x_post + m * Q + j, neurons, 0)
            if KEEP:
                if t % stride == 0:
                    theta = tl.load(end.theta + m * Q + j, neurons, 0)
                    tl.store(kept.E + segment * P * Q + synapse, E, synapses)
                    tl.store(kept.x_post + segment * Q + j, x_post, neurons)
                    tl.store(kept.theta + segment * Q + j, theta, neurons)
            v, spike = hear(tl.load(current + row * Q + j, neurons, 0), alpha, E, s, v, beta, threshold)
            tl.store(end.v + m * Q + j, v, neurons)
            tl.store(end.x_post + m * Q + j, smooth(x_post, spike, trace), neurons)
            tl.store(out + row * Q + j, spike, neurons)
            if KEEP:
                tl.store(kept.potential + row * Q + j, v, neurons)
        tl.debug_barrier()
        x_all = tl.load(end.x_post + m * Q + k, k < Q, 0)
        for first in range(0, Q, BLOCK_Q):
            j = first + tl.arange(0, BLOCK_Q)
            neurons, synapses = j < Q, (j < Q)[:, None] & (i < P)[None, :]
            synapse = j[:, None] * P + i[None, :]
            V = tl.load(given.V + j[:, None] * Q + k[None, :], neurons[:, None] & (k < Q)[None, :], 0)
            gate = modulator(V, x_all, tl.load(given.c + j, neurons, 0))
            if KEEP:
                tl.store(kept.gates + row * Q + j, gate, neurons)
            x_post = tl.load(end.x_post + m * Q + j, neurons, 0)
            theta = tl.load(end.theta + m * Q + j, neurons, 0)
            E = tl.load(end.E + m * P * Q + synapse, synapses, 0)
            E, theta = learn(E, x_pre, x_post, theta, eta * gate, step, e_max, COEFFICIENTS)
            tl.store(end.E + m * P * Q + synapse, E, synapses)
            tl.store(end.theta + m * Q + j, theta, neurons)
        tl.debug_barrier()
    tl.store(end.x_pre + m * P + i, x_pre, i < P)


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
    TRACK_INPUTS: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """The adjoint of :func:`forward`; program g takes batch members g, g + programs, ...

    grad_start comes in as a copy of grad_end and is worked on; the gradients of α and η come in as zeros.
    """
    program, i, k = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_K)
    n_j = tl.arange(0, BLOCK_Q)
    own = n_j[:, None] * BLOCK_P + i[None, :]  # where a synapse lies in the program's scratch
    beta, threshold, steepness, trace, step, e_max, eta = numbers(given)
    for m in range(program, B, tl.num_programs(0)):
        g_x_pre = tl.load(grad_end.x_pre + m * P + i, i < P, 0)
        for back in range(tl.cdiv(T, stride)):
            segment = tl.cdiv(T, stride) - 1 - back
            ticks = tl.minimum(stride, T - segment * stride)
            for first in range(0, Q, BLOCK_Q):
                place = (program * tl.cdiv(Q, BLOCK_Q) + first // BLOCK_Q) * stride
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
                    first,
                    B,
                    P,
                    Q,
                    stride,
                    COEFFICIENTS,
                    True,
                    BLOCK_P,
                    BLOCK_Q,
                )
            tl.debug_barrier()

            for n_back in range(ticks):
                n = ticks - 1 - n_back
                row = m + (segment * stride + n) * B
                s = tl.load(given.spikes + row * P + i, i < P, 0)
                for first in range(0, Q, BLOCK_Q):
                    j = first + n_j
                    neurons, synapses = j < Q, (j < Q)[:, None] & (i < P)[None, :]
                    synapse = m * P * Q + j[:, None] * P + i[None, :]
                    here = (program * tl.cdiv(Q, BLOCK_Q) + first // BLOCK_Q) * stride + n
                    E = tl.load(scratch.E + here * BLOCK_Q * BLOCK_P + own)
                    x_pre = tl.load(scratch.x_pre + here * BLOCK_P + i)
                    x_post = tl.load(scratch.x_post + here * BLOCK_Q + n_j)
                    theta = tl.load(scratch.theta + here * BLOCK_Q + n_j)
                    gate = tl.load(kept.gates + row * Q + j, neurons, 0)
                    g_E = tl.load(grad_start.E + synapse, synapses, 0)
                    g_x = tl.load(grad_start.x_post + m * Q + j, neurons, 0)
                    g_theta = tl.load(grad_start.theta + m * Q + j, neurons, 0)
                    g_eta = tl.load(gradients.eta + m * Q + j, neurons, 0)
                    g_E, by_x_pre, g_x, g_theta, g_rate = back_through_rule(
                        E,
                        x_pre,
                        x_post,
                        theta,
                        eta * gate,
                        step,
                        e_max,
                        g_E,
                        g_x,
                        g_theta,
                        COEFFICIENTS,
                        SLOPES,
                        TRACK_INPUTS,
                    )
                    if TRACK_INPUTS:
                        g_x_pre += by_x_pre
                    tl.store(grad_start.E + synapse, g_E, synapses)
                    tl.store(grad_start.x_post + m * Q + j, g_x, neurons)
                    tl.store(grad_start.theta + m * Q + j, g_theta, neurons)
                    tl.store(gradients.eta + m * Q + j, g_eta + g_rate * gate, neurons)
                    # M = tanh(V x + c)
                    tl.store(gradients.drive + row * Q + j, eta * g_rate * (1 - gate * gate), neurons)
                tl.debug_barrier()
                g_drive = tl.load(gradients.drive + row * Q + k, k < Q, 0)
                g_s = (1 - trace) * g_x_pre
                g_x_pre *= trace
                for first in range(0, Q, BLOCK_Q):
                    j = first + n_j
                    neurons, synapses = j < Q, (j < Q)[:, None] & (i < P)[None, :]
                    synapse = j[:, None] * P + i[None, :]
                    here = (program * tl.cdiv(Q, BLOCK_Q) + first // BLOCK_Q) * stride + n
                    V = tl.load(given.V + k[:, None] * Q + j[None, :], (k < Q)[:, None] & neurons[None, :], 0)
                    g_x = tl.load(grad_start.x_post + m * Q + j, neurons, 0) + tl.sum(V * g_drive[:, None], 0)
                    g_v = tl.load(grad_start.v + m * Q + j, neurons, 0)
                    potential = tl.load(kept.potential + row * Q + j, neurons, 0)
                    g_out = tl.load(grad_out + row * Q + j, neurons, 0)
                    g_I, g_v, g_x = back_through_neuron(g_out, g_v, g_x, potential - threshold, steepness, trace, beta)
                    tl.store(gradients.current + row * Q + j, g_I, neurons)
                    tl.store(grad_start.x_post + m * Q + j, g_x, neurons)
                    tl.store(grad_start.v + m * Q + j, g_v, neurons)
                    # I = Σ_i α E s_i + what is not of E
                    E = tl.load(scratch.E + here * BLOCK_Q * BLOCK_P + own)
                    alpha = tl.load(given.alpha + synapse, synapses, 0)
                    g_E = tl.load(grad_start.E + m * P * Q + synapse, synapses, 0)
                    g_alpha = tl.load(gradients.alpha + program * P * Q + synapse, synapses, 0)
                    g_synapse = g_I[:, None] * s[None, :]
                    tl.store(grad_start.E + m * P * Q + synapse, g_E + g_synapse * alpha, synapses)
                    tl.store(gradients.alpha + program * P * Q + synapse, g_alpha + g_synapse * E, synapses)
                    if TRACK_INPUTS:
                        g_s += tl.sum(alpha * E * g_I[:, None], 0)
                if TRACK_INPUTS:
                    tl.store(gradients.spikes + row * P + i, g_s, i < P)
                tl.debug_barrier()
        if TRACK_INPUTS:
            tl.store(gradients.x_pre + m * P + i, g_x_pre, i < P)
