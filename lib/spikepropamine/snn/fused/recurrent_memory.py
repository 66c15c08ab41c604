"""Recurrent neurons with adaptive thresholds or short-term plasticity over time, compiled for the CPU.

The backward passes are derived by hand and held to autograd by tests. Arrays are (T + 1, B, Q) with the state before the
first tick in row 0; constants are given per neuron, (Q,), so that they can be learned. ``pseudo`` is the surrogate derivative
ψ(u) of a spike at u, the potential above the threshold. As in ``snntorch`` the reset passes no gradient.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...checks import require, require_tensor
from ..compiling import left_alone
from .compiler import first_order_only, jit
from .memory import denormals_as_zero, keep, kept
from .simd import number

Surrogate = Callable[[Tensor], Tensor]  # ψ(u), of the shape of u


def missing() -> str | None:
    """What the kernels of this module lack here beside a compiler, or None: numba multiplies matrices by SciPy's BLAS."""
    return None if find_spec("scipy") else "SciPy, whose BLAS compiled recurrent cells use, is not installed"


# ---------------------------------------------------------------- adaptive thresholds (LSNN)


class Adaptation(NamedTuple):
    """Constants of recurrent leaky neurons with adaptive thresholds, each (Q,), all differentiable."""

    beta: Tensor  # what is left of the potential after a tick, exp(−dt/τ_m)
    rho: Tensor  # what is left of the adaptation after a tick, exp(−dt/τ_a)
    strength: Tensor  # how far an adaptation of 1 raises the threshold


@jit
def _adaptive_forward(current, recurrent, beta, rho, strength, v, a, z):
    T, B, Q = current.shape
    heard = np.empty_like(current[0])
    for t in range(T):
        np.dot(z[t], recurrent, heard)
        for b in range(B):
            for j in range(Q):
                # a[t] = ρ a[t−1] + z[t−1]
                a[t + 1, b, j] = rho[j] * a[t, b, j] + z[t, b, j]
                # v[t] = β v[t−1] + I[t] + Σ_i R_ji z_i[t−1] − z[t−1]
                v[t + 1, b, j] = beta[j] * v[t, b, j] + current[t, b, j] + heard[b, j] - z[t, b, j]
                # z[t] = [v[t] > 1 + κ a[t]]
                z[t + 1, b, j] = v[t + 1, b, j] - strength[j] * a[t + 1, b, j] > 1


@jit
def _adaptive_backward(grad_z, pseudo, weight, beta, rho, strength, g_v, g_a, g_u):
    T, B, Q = pseudo.shape
    heard = np.empty_like(pseudo[0])
    for t in range(T - 1, -1, -1):
        if t < T - 1:
            np.dot(g_v[t + 1], weight, heard)
        for b in range(B):
            for j in range(Q):
                g = grad_z[t, b, j]
                if t < T - 1:
                    # z[t] moves the adaptation and, through R, every potential of the next tick
                    g += heard[b, j] + g_a[t + 1, b, j]
                g_u[t, b, j] = g * pseudo[t, b, j]
                # u = v − 1 − κ a
                g_v[t, b, j] = g_u[t, b, j]
                g_a[t, b, j] = -strength[j] * g_u[t, b, j]
                if t < T - 1:
                    g_v[t, b, j] += beta[j] * g_v[t + 1, b, j]
                    g_a[t, b, j] += rho[j] * g_a[t + 1, b, j]


class _Adaptive(torch.autograd.Function):
    @staticmethod
    def forward(ctx, surrogate, current, weight, beta, rho, strength):
        T, B, Q = current.shape
        v, a, z = (current.new_zeros(T + 1, B, Q) for _ in range(3))
        with denormals_as_zero():
            _adaptive_forward(*_arrays(current, weight.t(), beta, rho, strength), *_arrays(v, a, z))
        keep(ctx, v, a, z, weight, beta, rho, strength)
        ctx.surrogate = surrogate
        return z[1:].clone()

    @staticmethod
    def backward(ctx, grad_z):
        first_order_only(grad_z)
        v, a, z, weight, beta, rho, strength = kept(ctx)
        pseudo = ctx.surrogate(v[1:] - 1 - strength * a[1:])
        g_v, g_a, g_u = (torch.empty_like(pseudo) for _ in range(3))
        with denormals_as_zero():
            _adaptive_backward(*_arrays(grad_z, pseudo, weight, beta, rho, strength, g_v, g_a, g_u))
        g_weight = g_v.flatten(0, 1).t() @ z[:-1].flatten(0, 1)
        of_constants = (g_v * v[:-1], g_a * a[:-1], -g_u * a[1:])
        return None, g_v, g_weight, *(g.sum((0, 1)) for g in of_constants)


@left_alone
def adaptive_recurrent(current: Tensor, weight: Tensor, constants: Adaptation, surrogate: Surrogate) -> Tensor:
    """Spikes, (T, B, Q), of recurrent leaky neurons with adaptive thresholds, from a state of zero, on the CPU.

    Args:
        current: the input current, (T, B, Q).
        weight: of the recurrent synapses, (Q, Q), postsynaptic first.
        constants: per neuron.
        surrogate: ψ, the derivative taken for that of a spike.
    """
    _require_sizes("current", current, constants, weight)
    return _Adaptive.apply(surrogate, current, weight, *constants)


# ---------------------------------------------------------------- short-term plasticity


class ShortTerm(NamedTuple):
    """Constants of Tsodyks-Markram synapses, one set per presynaptic neuron, each (P,), all differentiable."""

    use: Tensor  # U, in (0, 1)
    facilitation: Tensor  # exp(−dt/τ_F)
    depression: Tensor  # exp(−dt/τ_D)


@jit
def _release(one, s, u, x, use, facilitation, depression):
    """One synapse, one tick: u and x after it, and the release u⁺ x⁻ s; ``one`` is 1 in their dtype."""
    u = use + facilitation * (u - use)
    x = one - depression * (one - x)
    u = u + use * (one - u) * s
    released = u * x * s
    return u, x - released, released


@jit
def _release_gradient(one, s, before_u, before_x, use, facilitation, depression, g_released, g_u, g_x):
    """What :func:`_release` owes to s, to u and x before, and to its three constants."""
    u_minus = use + facilitation * (before_u - use)
    x_minus = one - depression * (one - before_x)
    u_plus = u_minus + use * (one - u_minus) * s
    g_released = g_released - g_x
    g_x = g_x + g_released * u_plus * s
    g_u = g_u + g_released * x_minus * s
    g_s = g_released * u_plus * x_minus + g_u * use * (one - u_minus)
    g_use = g_u * (one - u_minus) * s
    g_u = g_u * (one - use * s)
    g_use += g_u * (one - facilitation)
    g_facilitation, g_depression = g_u * (before_u - use), g_x * (before_x - one)
    return g_s, g_u * facilitation, g_x * depression, g_use, g_facilitation, g_depression


@jit
def _released_forward(s, use, facilitation, depression, u, x, released):
    T, B, P = s.shape
    one = number(s, 1)
    for t in range(T):
        for b in range(B):
            for i in range(P):
                u[t + 1, b, i], x[t + 1, b, i], released[t, b, i] = _release(
                    one, s[t, b, i], u[t, b, i], x[t, b, i], use[i], facilitation[i], depression[i]
                )


@jit
def _released_backward(s, u, x, use, facilitation, depression, g_released, g_s, g_constants):
    T, B, P = s.shape
    one = number(s, 1)
    g_u, g_x = np.zeros_like(s[0]), np.zeros_like(s[0])
    for t in range(T - 1, -1, -1):
        for b in range(B):
            for i in range(P):
                g_s[t, b, i], g_u[b, i], g_x[b, i], g_0, g_1, g_2 = _release_gradient(
                    one,
                    s[t, b, i],
                    u[t, b, i],
                    x[t, b, i],
                    use[i],
                    facilitation[i],
                    depression[i],
                    g_released[t, b, i],
                    g_u[b, i],
                    g_x[b, i],
                )
                g_constants[0, i] += g_0
                g_constants[1, i] += g_1
                g_constants[2, i] += g_2
    # u starts at U
    for b in range(B):
        for i in range(P):
            g_constants[0, i] += g_u[b, i]


class _Released(torch.autograd.Function):
    @staticmethod
    def forward(ctx, s, use, facilitation, depression):
        T, B, P = s.shape
        u, x = use.expand(T + 1, B, P).clone(), s.new_ones(T + 1, B, P)
        released = torch.empty_like(s, memory_format=torch.contiguous_format)
        _released_forward(*_arrays(s, use, facilitation, depression, u, x, released))
        keep(ctx, s, u, x, use, facilitation, depression)
        return released

    @staticmethod
    def backward(ctx, grad):
        first_order_only(grad)
        s, u, x, *constants = kept(ctx)
        g_s, g_constants = torch.empty_like(s, memory_format=torch.contiguous_format), u.new_zeros(3, s.shape[2])
        with denormals_as_zero():
            _released_backward(*_arrays(s, u, x, *constants, grad, g_s, g_constants))
        return g_s, *g_constants


@left_alone
def released(spikes: Tensor, constants: ShortTerm) -> Tensor:
    """What Tsodyks-Markram synapses release, u⁺ x⁻ s, (T, B, P), for ``spikes`` of that shape, from rest, on the CPU."""
    _require_sizes("spikes", spikes, constants)
    return _Released.apply(spikes, *constants)


@jit
def _recurrent_forward(current, recurrent, beta, use, facilitation, depression, v, z, u, x, r):
    T, B, Q = current.shape
    one = number(current, 1)
    heard = np.empty_like(current[0])
    for t in range(T):
        np.dot(r[t], recurrent, heard)
        for b in range(B):
            for j in range(Q):
                # v[t] = β v[t−1] + I[t] + Σ_i R_ji r_i[t−1] − z[t−1], z[t] = [v[t] > 1]
                v[t + 1, b, j] = beta * v[t, b, j] + current[t, b, j] + heard[b, j] - z[t, b, j]
                z[t + 1, b, j] = v[t + 1, b, j] > 1
                u[t + 1, b, j], x[t + 1, b, j], r[t + 1, b, j] = _release(
                    one, z[t + 1, b, j], u[t, b, j], x[t, b, j], use[j], facilitation[j], depression[j]
                )


@jit
def _recurrent_backward(grad_z, pseudo, weight, beta, use, facilitation, depression, z, u, x, g_v, g_constants):
    T, B, Q = pseudo.shape
    one = number(pseudo, 1)
    heard, g_u, g_x = np.zeros_like(pseudo[0]), np.zeros_like(pseudo[0]), np.zeros_like(pseudo[0])
    for t in range(T - 1, -1, -1):
        if t < T - 1:
            np.dot(g_v[t + 1], weight, heard)
        for b in range(B):
            for j in range(Q):
                g_z, g_u[b, j], g_x[b, j], g_0, g_1, g_2 = _release_gradient(
                    one,
                    z[t + 1, b, j],
                    u[t, b, j],
                    x[t, b, j],
                    use[j],
                    facilitation[j],
                    depression[j],
                    heard[b, j],
                    g_u[b, j],
                    g_x[b, j],
                )
                g_constants[0, j] += g_0
                g_constants[1, j] += g_1
                g_constants[2, j] += g_2
                g_v[t, b, j] = (grad_z[t, b, j] + g_z) * pseudo[t, b, j]
                if t < T - 1:
                    g_v[t, b, j] += beta * g_v[t + 1, b, j]
    for b in range(B):
        for j in range(Q):
            g_constants[0, j] += g_u[b, j]


class _ShortTermRecurrent(torch.autograd.Function):
    @staticmethod
    def forward(ctx, surrogate, beta, current, weight, use, facilitation, depression):
        T, B, Q = current.shape
        v, z, r = (current.new_zeros(T + 1, B, Q) for _ in range(3))
        u, x = use.expand(T + 1, B, Q).clone(), current.new_ones(T + 1, B, Q)
        scalar = current.detach().numpy().dtype.type(beta)
        before = _arrays(current, weight.t())
        with denormals_as_zero():
            _recurrent_forward(*before, scalar, *_arrays(use, facilitation, depression, v, z, u, x, r))
        keep(ctx, v, z, u, x, r, weight, use, facilitation, depression)
        ctx.surrogate, ctx.beta = surrogate, scalar
        return z[1:].clone()

    @staticmethod
    def backward(ctx, grad_z):
        first_order_only(grad_z)
        v, z, u, x, r, weight, *constants = kept(ctx)
        pseudo = ctx.surrogate(v[1:] - 1)
        g_v, g_constants = torch.empty_like(pseudo), v.new_zeros(3, v.shape[2])
        before = _arrays(grad_z, pseudo, weight)
        with denormals_as_zero():
            _recurrent_backward(*before, ctx.beta, *_arrays(*constants, z, u, x, g_v, g_constants))
        g_weight = g_v.flatten(0, 1).t() @ r[:-1].flatten(0, 1)
        return None, None, g_v, g_weight, *g_constants


@left_alone
def short_term_recurrent(
    current: Tensor, weight: Tensor, beta: float, constants: ShortTerm, surrogate: Surrogate
) -> Tensor:
    """Spikes, (T, B, Q), of leaky neurons whose recurrent synapses have short-term plasticity, from rest, on the CPU.

    Args:
        current: the input current, (T, B, Q).
        weight: of the recurrent synapses, (Q, Q), postsynaptic first.
        beta: what is left of a potential after a tick.
        constants: per presynaptic neuron.
        surrogate: ψ, the derivative taken for that of a spike.
    """
    _require_sizes("current", current, constants, weight)
    return _ShortTermRecurrent.apply(surrogate, beta, current, weight, *constants)


def _require_sizes(name: str, x: Tensor, constants: Adaptation | ShortTerm, weight: Tensor | None = None) -> None:
    require_tensor(name, x, ("T", "B", "Q"), getattr(x, "dtype", None), torch.device("cpu"), finite=False)
    require(x.dtype in (torch.float32, torch.float64), f"{name}.dtype", x.dtype, "float32 or float64")
    neurons = x.shape[2]
    if weight is not None:
        require_tensor("weight", weight, (neurons, neurons), x.dtype, x.device, finite=False)
    for constant, value in constants._asdict().items():
        require_tensor(f"constants.{constant}", value, (neurons,), x.dtype, x.device, finite=False)


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    """The tensors' memory as arrays of their shape, or a contiguous copy's."""
    return [x.detach().contiguous().numpy() for x in tensors]
