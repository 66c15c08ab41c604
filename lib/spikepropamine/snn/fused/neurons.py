"""The controls' neurons over time, compiled for the CPU, with their backward passes derived by hand.

As in :mod:`spikepropamine.snn.fused.kernels` every array is flat, a tick is (B, Q) numbers, and the state and its gradient are
overwritten. ``u`` is how far a neuron's potential lies above its threshold. The reset passes no gradient, as in
``snntorch``, and neither does the jump of a spike but through the surrogate, 1 / (1 + k |u|)².
"""

import torch
from torch import Tensor

from ...checks import require, require_tensor
from ..compiling import left_alone
from .compiler import first_order_only, jit
from .memory import copies, denormals_as_zero, keep, kept, numpy_views, scalar_type
from .simd import number, row

# ---------------------------------------------------------------- a threshold that adapts


@jit
def _adaptive_forward(current, v, a, s, beta, decay, rise, out, u):
    one = number(current, 1)  # of the weights' dtype: numba makes float32 · integer a float64
    for start in range(0, current.size, v.size):
        I, above, spikes = row(current, start), row(u, start), row(out, start)
        for n in range(v.size):
            # a[t] = ρ a[t−1] + κ s[t−1], ϑ[t] = 1 + a[t]
            a[n] = decay * a[n] + rise * s[n]
            threshold = one + a[n]
            # v[t] = β v[t−1] + I[t] − s[t−1] ϑ[t], s[t] = [v[t] > ϑ[t]]
            v[n] = beta * v[n] + I[n] - s[n] * threshold
            above[n] = v[n] - threshold
            s[n] = above[n] > 0
            spikes[n] = s[n]


@jit
def _adaptive_backward(grad_out, u, beta, decay, rise, steepness, grad_v, grad_a, grad_s, grad_current):
    one = number(u, 1)
    for start in range(u.size - grad_v.size, -1, -grad_v.size):
        g_out, g_I, above = row(grad_out, start), row(grad_current, start), row(u, start)
        for n in range(grad_v.size):
            # s moves the output and, a tick later, a; u = v − 1 − a
            root = one + steepness * abs(above[n])
            g_u = (g_out[n] + grad_s[n]) / (root * root)
            g_v, g_a = grad_v[n] + g_u, grad_a[n] - g_u
            g_I[n] = g_v
            grad_v[n], grad_a[n], grad_s[n] = beta * g_v, decay * g_a, rise * g_a


class _Adaptive(torch.autograd.Function):
    @staticmethod
    def forward(ctx, current, v, a, s, *constants):
        *constants, steepness = map(scalar_type(current), constants)
        out, u = (torch.empty_like(current, memory_format=torch.contiguous_format) for _ in range(2))
        state = copies(v, a, s)
        with denormals_as_zero():
            _adaptive_forward(*numpy_views(current, *state), *constants, *numpy_views(out, u))
        keep(ctx, u)
        ctx.constants = *constants, steepness
        return out, *state

    @staticmethod
    def backward(ctx, grad_out, *grad_state):
        first_order_only(grad_out, *grad_state)
        (u,) = kept(ctx)
        grad_state, grad_current = copies(*grad_state), torch.empty_like(u)
        with denormals_as_zero():
            _adaptive_backward(*numpy_views(grad_out, u), *ctx.constants, *numpy_views(*grad_state, grad_current))
        return grad_current, *grad_state, None, None, None, None


@left_alone
def adaptive(
    current: Tensor, state: tuple[Tensor, ...], beta: float, decay: float, rise: float, steepness: float
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Leaky neurons with adaptive thresholds over the ticks of ``current``, (T, B, Q), on the CPU.

    Args:
        current: the input current.
        state: potentials v, what is on top of the thresholds a, and spikes s, each (B, Q).
        beta, decay: what is left of v and of a after a tick.
        rise: how far a spike raises a.
        steepness: k of the surrogate.

    Returns:
        Spikes, (T, B, Q), and the last state.
    """
    _require_sizes(current, v=state[0], a=state[1], s=state[2])
    current, *before = (x.resolve_neg() for x in (current, *state))
    out, *after = _Adaptive.apply(current, *before, beta, decay, rise, steepness)
    return out, tuple(after)


# ---------------------------------------------------------------- neurons that hear each other


@jit
def _recurrent_forward(current, s, v, weight_t, bias, Q, beta, threshold, out, u):
    zero = number(current, 0)
    for start in range(0, current.size, v.size):
        for m in range(0, v.size, Q):
            I, above, spikes = row(current, start + m), row(u, start + m), row(out, start + m)
            potential, before = row(v, m), row(s, m)
            # v[t] = β v[t−1] + I[t] + R s[t−1] + r − [v[t−1] > threshold] threshold
            for j in range(Q):
                reset = threshold if potential[j] > threshold else zero
                potential[j] = beta * potential[j] + I[j] + bias[j] - reset
            for i in range(Q):
                if before[i] != 0:
                    spike, synapses = before[i], row(weight_t, i * Q)
                    for j in range(Q):
                        potential[j] += spike * synapses[j]
            for j in range(Q):
                above[j] = potential[j] - threshold
                before[j] = above[j] > 0
                spikes[j] = before[j]


@jit
def _recurrent_backward(grad_out, u, weight, Q, beta, steepness, grad_s, grad_v, grad_current):
    one, zero = number(u, 1), number(u, 0)
    for start in range(u.size - grad_v.size, -1, -grad_v.size):
        for m in range(0, grad_v.size, Q):
            g_out, g_I, above = row(grad_out, start + m), row(grad_current, start + m), row(u, start + m)
            g_v, g_s = row(grad_v, m), row(grad_s, m)
            for j in range(Q):
                # s moves the output and, a tick later, every v
                root = one + steepness * abs(above[j])
                g_I[j] = g_v[j] + (g_out[j] + g_s[j]) / (root * root)
                g_v[j] = beta * g_I[j]
                g_s[j] = zero
            for j in range(Q):
                g, synapses = g_I[j], row(weight, j * Q)
                for i in range(Q):
                    g_s[i] += g * synapses[i]


class _Recurrent(torch.autograd.Function):
    @staticmethod
    def forward(ctx, current, s, v, weight, bias, *constants):
        beta, threshold, steepness = map(scalar_type(current), constants)
        out, u = (torch.empty_like(current, memory_format=torch.contiguous_format) for _ in range(2))
        state = copies(s, v)
        with denormals_as_zero():
            _recurrent_forward(
                *numpy_views(current, *state, weight.t(), bias), len(bias), beta, threshold, *numpy_views(out, u)
            )
        keep(ctx, s, u, weight)  # not the spikes, which the caller may overwrite
        ctx.constants = beta, steepness
        return out, *state

    @staticmethod
    def backward(ctx, grad_out, *grad_state):
        first_order_only(grad_out, *grad_state)
        s, u, weight = kept(ctx)
        grad_state, grad_current = copies(*grad_state), torch.empty_like(u)
        with denormals_as_zero():
            _recurrent_backward(
                *numpy_views(grad_out, u, weight), len(weight), *ctx.constants, *numpy_views(*grad_state, grad_current)
            )
        # by R: what each tick's v owes to the spikes before
        before = torch.cat([s[None], (u > 0).to(u.dtype)])[:-1]
        grad_weight = grad_current.flatten(0, 1).t() @ before.flatten(0, 1)
        return grad_current, *grad_state, grad_weight, grad_current.sum((0, 1)), None, None, None


@left_alone
def recurrent(
    current: Tensor,
    state: tuple[Tensor, ...],
    weight: Tensor,
    bias: Tensor,
    beta: float,
    threshold: float,
    steepness: float,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What ``snntorch.RLeaky`` computes over the ticks of ``current``, (T, B, Q), on the CPU.

    Args:
        current: the input current.
        state: spikes s and potentials v, each (B, Q).
        weight, bias: of the recurrent synapses, (Q, Q) postsynaptic first, and (Q,).
        beta: what is left of v after a tick.
        threshold: of v, and how far a spike takes it down.
        steepness: k of the surrogate.

    Returns:
        Spikes, (T, B, Q), and the last state.
    """
    _require_sizes(current, s=state[0], v=state[1])
    Q = current.shape[2]
    require_tensor("weight", weight, (Q, Q), current.dtype, current.device)
    require_tensor("bias", bias, (Q,), current.dtype, current.device)
    current, weight, bias, *before = (x.resolve_neg() for x in (current, weight, bias, *state))
    out, *after = _Recurrent.apply(current, *before, weight, bias, beta, threshold, steepness)
    return out, tuple(after)


def _require_sizes(current: Tensor, **state: Tensor) -> None:
    require_tensor("current", current, ("T", "B", "Q"), getattr(current, "dtype", None), torch.device("cpu"))
    require(current.dtype in (torch.float32, torch.float64), "current.dtype", current.dtype, "float32 or float64")
    require(current.shape[1] > 0, "current.shape", tuple(current.shape), "(T, B, Q) with B >= 1")
    for name, x in state.items():
        require_tensor(f"state.{name}", x, tuple(current.shape[1:]), current.dtype, current.device)
