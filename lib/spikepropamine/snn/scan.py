"""Running synapses and their neurons over time: one meaning, two paths.

:func:`scan` takes a layer (plastic or ``nn.Linear``), its neurons and spikes over T ticks.

``reference``
    a loop over ticks that calls the layer and ``snntorch.Leaky``: any rule, neuron and device,
    full autograd. This is the definition.
``fused``
    compiled code (:mod:`spikepropamine.snn.fused.kernels`) on the CPU that computes the same numbers,
    with the backward pass derived by hand. Chosen whenever it applies.
"""

import logging
import math
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np
import snntorch
import torch
from torch import Tensor, nn

from ..checks import require, require_choice, require_tensor
from .fused import kernels
from .layers import PlasticLinear, PlasticState, Spike
from .plasticity import Rule

log = logging.getLogger(__name__)

PATHS = ("auto", "reference", "fused")
_BLOCKS = 8


class HiddenState(NamedTuple):
    """What a layer and its neurons carry from tick to tick."""

    v: Tensor  # (B, Q) membrane potentials
    plastic: PlasticState | None  # None where the synapses are a plain nn.Linear


def initial_state(layer: PlasticLinear | nn.Linear, batch_size: int) -> HiddenState:
    """The state before the first tick: everything zero."""
    plastic = layer.initial_state(batch_size) if isinstance(layer, PlasticLinear) else None
    return HiddenState(layer.weight.new_zeros(batch_size, layer.out_features), plastic)


def scan(
    layer: PlasticLinear | nn.Linear,
    neuron: snntorch.Leaky,
    spikes: Tensor,
    state: HiddenState | None = None,
    path: str = "auto",
) -> tuple[Tensor, HiddenState]:
    """Run ``layer`` and ``neuron`` over the ticks of ``spikes``.

    Args:
        layer: the synapses, P inputs to Q neurons.
        neuron: the neurons.
        spikes: (T, B, P), of the weights' dtype, finite; T may be 0.
        state: where to start; zero where not given.
        path: "auto" takes the fused path where it applies; "reference" and "fused" insist.

    Returns:
        The spikes of the neurons, (T, B, Q), and the state after the last tick. Both carry
        gradients to every parameter, the input spikes and the initial state.

    Raises:
        TypeError: spikes that are no tensor or not of the weights' dtype.
        ValueError: spikes of the wrong shape or not finite; an unknown path; "fused" where
            it does not apply.
    """
    require_choice("path", path, PATHS)
    require_tensor("spikes", spikes, ("T", "B", layer.in_features), layer.weight.dtype)
    if state is None:
        state = initial_state(layer, spikes.shape[1])
    if path == "reference":
        return _reference(layer, neuron, spikes, state)
    obstacle = _obstacle(layer, neuron, spikes)
    if obstacle is None:
        return _fused(layer, neuron, spikes, state)
    if path == "fused":
        raise ValueError(f"path = 'fused': must be 'auto' or 'reference' where {obstacle}")
    _tell_once(obstacle)
    return _reference(layer, neuron, spikes, state)


@cache
def _tell_once(obstacle: str) -> None:
    log.warning("the fused path does not apply, taking the reference path: %s", obstacle)


def _obstacle(layer, neuron, spikes: Tensor) -> str | None:
    """Why the fused path cannot compute this, or None where it can."""
    obstacles = {
        "the rule has an update of its own": isinstance(layer, PlasticLinear)
        and type(layer.rule).update is not Rule.update,
        f"the layer is a {type(layer).__name__}": not _computes_as(layer, PlasticLinear, "current", "step")
        and not _computes_as(layer, nn.Linear, "forward"),
        f"the neuron is a {type(neuron).__name__}": type(neuron) is not snntorch.Leaky,
        f"the spikes are on {spikes.device}": spikes.device.type != "cpu",
        f"the dtype is {spikes.dtype}": spikes.dtype not in (torch.float32, torch.float64),
    }
    if type(neuron) is snntorch.Leaky:
        obstacles |= {
            "the neuron's spike function is not layers.Spike": not isinstance(neuron.spike_grad, Spike),
            f"the neuron's reset is {neuron.reset_mechanism!r}": neuron.reset_mechanism != "subtract",
            "the neuron resets without delay": not neuron.reset_delay,
            "the neuron's β or threshold is learned": any(True for _ in neuron.parameters()),
            "the neurons differ in β or threshold": neuron.beta.numel() > 1 or neuron.threshold.numel() > 1,
            "the neuron has an option of snnTorch's that is not fused": bool(
                neuron.inhibition or neuron.state_quant or neuron.init_hidden
            )
            or bool((neuron.graded_spikes_factor != 1).any()),
        }
    return next((reason for reason, holds in obstacles.items() if holds), None)


def _computes_as(layer, kind: type, *methods: str) -> bool:
    """Whether ``layer`` is of ``kind`` and goes by its methods; parametrizations of its tensors do not matter."""
    return isinstance(layer, kind) and all(getattr(type(layer), name) is getattr(kind, name) for name in methods)


def _reference(layer, neuron, spikes: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
    v, plastic = state
    out = []
    for s_pre in spikes:
        current = layer(s_pre) if plastic is None else layer.current(s_pre, plastic)
        s_post, v = neuron(current, v)
        out.append(s_post)
        if plastic is not None:
            plastic = layer.step(s_pre, s_post, plastic)
    empty = spikes.new_zeros(0, spikes.shape[1], layer.out_features)
    return torch.stack(out) if out else empty, HiddenState(v, plastic)


def _fused(layer, neuron, spikes: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
    if isinstance(layer, nn.Linear):
        out, v = fire(layer(spikes), state.v, neuron)
        return out, HiddenState(v, None)
    modulator = (layer.modulator_weight, layer.modulator_bias) if layer.modulated else (None, None)
    inputs = (spikes, layer.weight, layer.bias, layer.alpha, layer.rule.eta, *modulator, state.v, *state.plastic)
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in inputs):
        out, v, *plastic = _PlasticScan.apply(layer, neuron, *inputs)
    else:
        out, v, *plastic = _run_forward(layer, neuron, *inputs)[0]
    return out, HiddenState(v, PlasticState(*plastic))


def fire(current: Tensor, v: Tensor, neuron: snntorch.Leaky) -> tuple[Tensor, Tensor]:
    """The neurons alone, made by :func:`spikepropamine.snn.layers.leaky`: spikes (T, B, Q) of currents, and the last potentials (B, Q)."""
    if current.device.type == "cpu":
        out, _, v = _LeakyScan.apply(neuron, current, v)
        return out, v
    out = []
    for I in current:
        s, v = neuron(I, v)
        out.append(s)
    return torch.stack(out) if out else current, v


def integrate(current: Tensor, v: Tensor, neuron: snntorch.Leaky) -> tuple[Tensor, Tensor]:
    """The leaky, non-spiking readout: potentials (T, B, C) and the last one (B, C).

    ``y[t] = β y[t−1] + I[t]`` with the β of ``neuron``.

    Raises:
        ValueError: a neuron whose reset is not "none".
    """
    require(neuron.reset_mechanism == "none", "reset_mechanism", neuron.reset_mechanism, "'none'")
    if current.device.type == "cpu" and not neuron.beta.requires_grad:
        _, potential, v = _LeakyScan.apply(neuron, current, v)
        return potential, v
    potential = []
    for I in current:
        _, v = neuron(I, v)
        potential.append(v)
    return torch.stack(potential) if potential else current, v


def _threshold(neuron: snntorch.Leaky) -> float:
    return math.inf if neuron.reset_mechanism == "none" else float(neuron.threshold)


def _steepness(neuron: snntorch.Leaky) -> float:
    """k of the fast sigmoid; a neuron that never spikes has no use for it."""
    return neuron.spike_grad.slope if isinstance(neuron.spike_grad, Spike) else 1.0


class _LeakyScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, neuron, current, v):
        out, potential = (torch.empty_like(current, memory_format=torch.contiguous_format) for _ in range(2))
        last = v.detach().clone(memory_format=torch.contiguous_format)
        scalar = last.numpy().dtype.type
        beta, threshold = scalar(neuron.beta), scalar(_threshold(neuron))
        with denormals_as_zero():
            kernels.leaky_forward(*numpy_views(current, last), beta, threshold, *numpy_views(out, potential))
        ctx.save_for_backward(potential)
        ctx.constants = beta, threshold, scalar(_steepness(neuron))
        return out, potential, last

    @staticmethod
    def backward(ctx, grad_out, grad_potential, grad_v):
        (potential,) = ctx.saved_tensors
        grad_v = grad_v.clone(memory_format=torch.contiguous_format)
        grad_current = torch.empty_like(potential)
        with denormals_as_zero():
            kernels.leaky_backward(
                *numpy_views(grad_out, grad_potential, potential), *ctx.constants, *numpy_views(grad_v, grad_current)
            )
        return None, grad_current, grad_v


class _PlasticScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layer, neuron, *inputs):
        outputs, out, potential, gates, checkpoints, stride = _run_forward(layer, neuron, *inputs, keep=True)
        ctx.save_for_backward(*inputs, out, potential, gates)
        ctx.layer, ctx.neuron, ctx.checkpoints, ctx.stride = layer, neuron, checkpoints, stride
        ctx.set_materialize_grads(False)
        return outputs

    @staticmethod
    def backward(ctx, grad_out, *grad_state):
        layer, neuron = ctx.layer, ctx.neuron
        *inputs, out, potential, gates = ctx.saved_tensors
        spikes, weight, bias, alpha, eta, V, c, v, E, x_pre, x_post, theta = inputs
        track_inputs = ctx.needs_input_grad[2] or any(ctx.needs_input_grad[9:])
        neurons, P = weight.shape
        Q = kernels.padded(neurons, weight.itemsize)
        T, B, _ = spikes.shape
        blocks = _blocks(B)
        grad_v, *grad_plastic = (
            torch.zeros_like(x) if g is None else g for x, g in zip((v, E, x_pre, x_post, theta), grad_state)
        )
        g_state = _own(grad_v, *grad_plastic)  # overwritten from the final to the initial state's
        g_spikes = (
            torch.zeros_like(spikes, memory_format=torch.contiguous_format)
            if track_inputs
            else spikes.new_empty(0, 0, 0)
        )
        sums = [weight.new_zeros(len(blocks), size) for size in (P * Q, P * Q, Q, neurons * Q, Q, Q)]
        W, A, *_ = _fused_weights(weight, alpha, bias, V, c)
        (V_back,) = numpy_views(_columns(bias.new_empty(0, 0) if V is None else V.detach()))
        scalar = W.dtype.type
        rest = [
            scalar(x)
            for x in (
                neuron.beta,
                neuron.threshold,
                _steepness(neuron),
                layer.trace_decay,
                layer.rule.theta_step(layer.dt),
                layer.e_max,
            )
        ]
        before = numpy_views(spikes, out, potential, gates)
        grad_out = torch.zeros_like(out) if grad_out is None else _pad(grad_out)
        gradients = numpy_views(grad_out, *g_state, g_spikes, *sums)
        _, kernel = kernels.compiled(type(layer.rule))

        def run(block: int, scratch: list[np.ndarray]) -> None:
            kernel(
                *blocks[block],
                block,
                T,
                B,
                P,
                neurons,
                *before,
                W,
                A,
                V_back,
                scalar(eta.item()),
                layer.modulated,
                *rest,
                ctx.checkpoints,
                ctx.stride,
                track_inputs,
                *gradients,
                *scratch,
            )

        _each_block(run, lambda: kernels.backward_scratch(P, Q, ctx.stride, W.dtype), len(blocks))
        g_W, g_alpha, g_bias, g_V, g_c, g_eta = (s.sum(0) for s in sums)
        g_modulator = (_square(g_V, neurons).t(), g_c[:neurons]) if layer.modulated else (None, None)
        g_E, g_v, g_x_pre, g_x_post, g_theta = g_state
        g_v, g_x_post, g_theta = (g[:, :neurons] for g in (g_v, g_x_post, g_theta))
        return (
            None,
            None,
            g_spikes if track_inputs else None,
            _from_columns(g_W, P, neurons),
            g_bias[:neurons],
            _from_columns(g_alpha, P, neurons),
            g_eta.sum(),
            *g_modulator,
            g_v,
            _square(g_E, neurons).transpose(1, 2),
            g_x_pre,
            g_x_post,
            g_theta,
        )


def _run_forward(layer, neuron, spikes, weight, bias, alpha, eta, V, c, v, E, x_pre, x_post, theta, keep=False):
    T, B, P = spikes.shape
    neurons = layer.out_features
    Q = kernels.padded(neurons, weight.itemsize)
    # √T/2 checkpoints of the plastic state, 2√T ticks apart: memory for it grows as √T, and most of it is the backward's
    # segment, which stays in the second-level cache where checkpoints do not
    stride = max(1, math.isqrt(4 * T))
    segments = -(-T // stride) if keep else 0
    W, A, V_flat, c_flat = _fused_weights(weight, alpha, bias, V, c)
    checkpoints = np.empty(segments * B * (P * Q + P + 2 * Q), dtype=W.dtype)
    potential = spikes.new_empty(B, T if keep else 0, Q)
    gates = spikes.new_empty(B, T if keep and layer.modulated else 0, Q)
    out = spikes.new_empty(T, B, Q)
    E, v, x_pre, x_post, theta = (x.detach() for x in (E, v, x_pre, x_post, theta))
    state = _own(v, E, x_pre, x_post, theta)  # overwritten from the initial to the final one
    scalar = W.dtype.type
    rest = [
        scalar(x)
        for x in (neuron.beta, neuron.threshold, layer.trace_decay, layer.rule.theta_step(layer.dt), layer.e_max)
    ]
    arrays = numpy_views(spikes.detach(), _pad(bias.detach()), *state, out, potential, gates)
    # no sum runs over the batch here, so any split gives the same bits: one block a thread
    blocks = _blocks(B, min(_BLOCKS, torch.get_num_threads()))
    kernel, _ = kernels.compiled(type(layer.rule))

    def run(block: int, scratch: list[np.ndarray]) -> None:
        kernel(
            *blocks[block],
            T,
            B,
            P,
            neurons,
            arrays[0],
            W,
            A,
            arrays[1],
            V_flat,
            c_flat,
            scalar(eta.item()),
            layer.modulated,
            *rest,
            *arrays[2:],
            checkpoints,
            stride,
            *scratch,
        )

    _each_block(run, lambda: kernels.forward_scratch(P, Q, W.dtype), len(blocks))
    E, v, x_pre, x_post, theta = state
    E = _square(E, neurons).transpose(1, 2)
    v, x_post, theta = (x[..., :neurons] for x in (v, x_post, theta))
    return (out[..., :neurons], v, E, x_pre, x_post, theta), out, potential, gates, checkpoints, stride


def _fused_weights(weight, alpha, bias, V, c) -> tuple[np.ndarray, ...]:
    """W and α in columns, V presynaptic-major; an unused V and c where the layer is not modulated."""
    V = bias.new_empty(0, 0) if V is None else V
    c = torch.zeros_like(bias) if c is None else c
    W, A, V, c = (x.detach() for x in (weight, alpha, V, c))
    return numpy_views(_columns(W.t()), _columns(A.t()), _pad(V.t()), _pad(c))


def _columns(x: Tensor) -> Tensor:
    """(P, Q) laid out in columns, as :mod:`spikepropamine.snn.fused.kernels` describes."""
    return _pad(x).unflatten(1, (-1, kernels.padded(1, x.itemsize))).transpose(0, 1)


def _from_columns(x: Tensor, P: int, neurons: int) -> Tensor:
    """The inverse of :func:`_columns`, transposed: (Q, P)."""
    return x.view(-1, P, kernels.padded(1, x.itemsize)).transpose(1, 2).reshape(-1, P)[:neurons]


def _pad(x: Tensor) -> Tensor:
    """The last axis, of neurons, filled up with zeros to whole Lanes; contiguous."""
    missing = kernels.padded(x.shape[-1], x.itemsize) - x.shape[-1]
    return (nn.functional.pad(x, (0, missing)) if missing else x).contiguous()


def _own(v: Tensor, E: Tensor, x_pre: Tensor, x_post: Tensor, theta: Tensor) -> list[Tensor]:
    """The state, or its gradient, in memory that the kernels may overwrite: E first, (B, P Q), neurons padded."""
    E, v, x_pre, x_post, theta = (
        x.clone(memory_format=torch.contiguous_format) for x in (E.transpose(1, 2), v, x_pre, x_post, theta)
    )
    return [_pad(E).flatten(1), _pad(v), x_pre, _pad(x_post), _pad(theta)]


def _square(x: Tensor, neurons: int) -> Tensor:
    """The last axis, P Q with Q padded, as two: (..., P, Q) without the padding."""
    return x.unflatten(-1, (-1, kernels.padded(neurons, x.itemsize)))[..., :neurons]


def numpy_views(*tensors: Tensor) -> tuple[np.ndarray, ...]:
    """Flat arrays on the tensors' memory, or on a copy of one that is not contiguous."""
    return tuple(x.detach().contiguous().view(-1).numpy() for x in tensors)


def _blocks(batch: int, most: int = _BLOCKS) -> list[tuple[int, int]]:
    """Batch members in at most ``most`` runs of neighbours; the backward's split follows from the batch size alone."""
    size = max(1, -(-batch // most))
    return [(start, min(start + size, batch)) for start in range(0, batch, size)]


def _each_block(run, scratch, blocks: int) -> None:
    # a thread takes every so manieth block, and what it works on from block to block
    threads = max(1, min(torch.get_num_threads(), blocks))

    def take(first: int) -> None:
        own = scratch()
        with denormals_as_zero():
            for block in range(first, blocks, threads):
                run(block, own)

    if threads == 1:
        take(0)
    else:
        list(_pool(threads).map(take, range(threads)))


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Numbers below the smallest normal one count as zero meanwhile, on this thread.

    What fades over thousands of ticks, a gradient or a trace, ends there, where arithmetic takes many times as long.
    """
    before = sys.float_info.min / 2 == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="spikepropamine")
