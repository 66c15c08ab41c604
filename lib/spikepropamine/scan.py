"""Running synapses and their neurons over time: one meaning, two paths.

:func:`scan` takes a layer (plastic or ``nn.Linear``), its neurons and spikes over T ticks.

``reference``
    a loop over ticks that calls the layer and ``snntorch.Leaky``: any rule, neuron and device,
    full autograd. This is the definition.
``fused``
    compiled code (:mod:`spikepropamine.kernels`) on the CPU that computes the same numbers,
    with the backward pass derived by hand. Chosen whenever it applies.
"""

import logging
import math
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np
import snntorch
import torch
from torch import Tensor, nn

from . import kernels
from .checks import require, require_choice, require_tensor
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
    reason = obstacle(layer, neuron, spikes)
    if reason is None:
        return _fused(layer, neuron, spikes, state)
    if path == "fused":
        raise ValueError(f"path = 'fused': must be 'auto' or 'reference' where {reason}")
    _tell_once(reason)
    return _reference(layer, neuron, spikes, state)


@cache
def _tell_once(reason: str) -> None:
    log.warning("the fused path does not apply, taking the reference path: %s", reason)


def obstacle(layer: nn.Module, neuron: nn.Module, spikes: Tensor) -> str | None:
    """Why the fused path cannot compute what :func:`scan` would, or None where it can."""
    return next(_obstacles(layer, neuron, spikes), None)


def _obstacles(layer, neuron, spikes: Tensor) -> Iterator[str]:
    if isinstance(layer, PlasticLinear) and type(layer.rule).update is not Rule.update:
        yield "the rule has an update of its own"
    if not _computes_as(layer, PlasticLinear, "current", "step") and not _computes_as(layer, nn.Linear, "forward"):
        yield f"the layer is a {type(layer).__name__}"
    if type(neuron) is not snntorch.Leaky:
        yield f"the neuron is a {type(neuron).__name__}"
    if spikes.device.type != "cpu":
        yield f"the spikes are on {spikes.device}"
    if spikes.dtype not in (torch.float32, torch.float64):
        yield f"the dtype is {spikes.dtype}"
    if not isinstance(neuron.spike_grad, Spike):
        yield "the neuron's spike function is not layers.Spike"
    if neuron.reset_mechanism != "subtract":
        yield f"the neuron's reset is {neuron.reset_mechanism!r}"
    if not neuron.reset_delay:
        yield "the neuron resets without delay"
    if any(True for _ in neuron.parameters()):
        yield "the neuron's β or threshold is learned"
    if neuron.beta.numel() > 1 or neuron.threshold.numel() > 1:
        yield "the neurons differ in β or threshold"
    if neuron.inhibition or neuron.state_quant or neuron.init_hidden or (neuron.graded_spikes_factor != 1).any():
        yield "the neuron has an option of snnTorch's that is not fused"


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
    learned = _learned(layer)
    inputs = (spikes, *learned, state.v, *state.plastic)
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in inputs):
        out, v, *plastic = _PlasticScan.apply(layer, neuron, *inputs)
        return out, HiddenState(v, PlasticState(*plastic))
    return run_laid_out(_lay_out(layer, neuron, *learned), spikes, state)


def fire(current: Tensor, v: Tensor, neuron: snntorch.Leaky) -> tuple[Tensor, Tensor]:
    """The neurons alone, made by :func:`spikepropamine.layers.leaky`: spikes (T, B, Q) of currents, and the last potentials (B, Q)."""
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


def _steepness(neuron: snntorch.Leaky) -> float:
    """k of the fast sigmoid; a neuron that never spikes has no use for it."""
    return neuron.spike_grad.slope if isinstance(neuron.spike_grad, Spike) else 1.0


def leaky_constants(neuron: snntorch.Leaky, like: Tensor) -> tuple[np.floating, np.floating]:
    """β and the threshold as :func:`fire_laid_out` takes them, of the dtype of ``like``."""
    scalar = _scalar(like)
    return scalar(neuron.beta), scalar(math.inf if neuron.reset_mechanism == "none" else neuron.threshold)


def fire_laid_out(constants: tuple, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes and potentials, (T, B, Q), of currents, and the last potentials, (B, Q), without gradients."""
    out, potential = (torch.empty_like(current, memory_format=torch.contiguous_format) for _ in range(2))
    last = v.detach().clone(memory_format=torch.contiguous_format)
    with denormals_as_zero():
        kernels.leaky_forward(*numpy_views(current, last), *constants, *numpy_views(out, potential))
    return out, potential, last


class _LeakyScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, neuron, current, v):
        constants = leaky_constants(neuron, current)
        out, potential, last = fire_laid_out(constants, current, v)
        ctx.save_for_backward(potential)
        ctx.constants = *constants, _scalar(current)(_steepness(neuron))
        return out, potential, last

    @staticmethod
    def backward(ctx, grad_out, grad_potential, grad_v):
        (potential,) = ctx.saved_tensors
        grad_v = grad_v.clone(memory_format=torch.contiguous_format)
        grad_current = torch.empty_like(potential)
        with denormals_as_zero():
            kernels.leaky_backward(*numpy_views(grad_out, grad_potential, potential), *ctx.constants, *numpy_views(grad_v, grad_current))
        return None, grad_current, grad_v


class _PlasticScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layer, neuron, *inputs):
        spikes, *learned = inputs[:7]
        laid = _lay_out(layer, neuron, *learned)
        outputs, out, ctx.history = _run_forward(laid, spikes, *inputs[7:], keep=True)
        ctx.save_for_backward(*inputs, out)
        ctx.laid, ctx.steepness = laid, _steepness(neuron)
        ctx.set_materialize_grads(False)
        return outputs

    @staticmethod
    def backward(ctx, grad_out, *grad_state):
        *inputs, out = ctx.saved_tensors
        spikes, V = inputs[0], inputs[5]
        (W, A, *_), (eta, modulated, *constants), neurons, (_, kernel) = ctx.laid
        potential, gates, checkpoints, stride = ctx.history
        track_inputs = ctx.needs_input_grad[2] or any(ctx.needs_input_grad[9:])
        T, B, P = spikes.shape
        Q = out.shape[-1]
        g_state = [spikes.new_zeros(B, size) for size in (P * Q, Q, P, Q, Q)]  # overwritten from the final to the initial state's
        for mine, given in zip(_as_state(g_state, neurons), grad_state):
            if given is not None:
                mine.copy_(given)
        g_spikes = torch.zeros_like(spikes, memory_format=torch.contiguous_format) if track_inputs else spikes.new_empty(0, 0, 0)
        # the split follows from the batch size alone, so that the number of threads changes no sum
        size = max(1, -(-B // _BLOCKS))
        blocks = -(-B // size)
        parts = kernels.summed(P, Q, neurons)
        sums = spikes.new_zeros(blocks * sum(parts))
        (V_back,) = numpy_views(_columns(spikes.new_empty(0, 0) if V is None else V.detach()))
        before = *numpy_views(spikes, out), potential, gates
        gradients = numpy_views(torch.zeros_like(out) if grad_out is None else _pad(grad_out), *g_state, g_spikes, sums)

        def run(thread: int, threads: int) -> None:
            kernel(thread, threads, size, T, B, P, neurons, *before, W, A, V_back, eta, modulated, *constants, W.dtype.type(ctx.steepness),
                   checkpoints, stride, track_inputs, *gradients, *kernels.backward_scratch(P, Q, stride, W.dtype))

        _on_threads(run, blocks)
        each = zip(sums.split([blocks * part for part in parts]), parts)
        g_W, g_alpha, g_V, g_bias, g_c, g_eta = (rows.view(blocks, part).sum(0) for rows, part in each)
        g_modulator = (_square(g_V, neurons).t(), g_c[:neurons]) if modulated else (None, None)
        return (None, None, g_spikes if track_inputs else None, _from_columns(g_W, P, neurons), g_bias[:neurons],
                _from_columns(g_alpha, P, neurons), g_eta.sum(), *g_modulator, *_as_state(g_state, neurons))


class LaidOut(NamedTuple):
    """A plastic layer and its neurons as compiled code takes them."""

    weights: tuple[np.ndarray, ...]  # W and α in columns, b, V presynaptic-major, c; V is empty where not modulated
    constants: tuple  # η, whether modulated, β, threshold, λ, dt/τ_θ, E_max
    neurons: int
    kernels: tuple[Callable, Callable]  # forward and backward


def lay_out(layer: PlasticLinear, neuron: snntorch.Leaky) -> LaidOut:
    """``layer`` and ``neuron``, to which there is no :func:`obstacle`, with the weights that they have now."""
    return _lay_out(layer, neuron, *_learned(layer))


def _learned(layer: PlasticLinear) -> tuple[Tensor | None, ...]:
    modulator = (layer.modulator_weight, layer.modulator_bias) if layer.modulated else (None, None)
    return layer.weight, layer.bias, layer.alpha, layer.rule.eta, *modulator


def _lay_out(layer, neuron, weight, bias, alpha, eta, V, c) -> LaidOut:
    V = bias.new_empty(0, 0) if V is None else V
    c = torch.zeros_like(bias) if c is None else c
    W, bias, A, V, c = (x.detach() for x in (weight, bias, alpha, V, c))
    weights = numpy_views(_columns(W.t()), _columns(A.t()), _pad(bias), _pad(V.t()), _pad(c))
    scalar = _scalar(weight)
    rest = (scalar(x) for x in (layer.trace_decay, layer.rule.theta_step(layer.dt), layer.e_max))
    constants = scalar(eta.item()), layer.modulated, *leaky_constants(neuron, weight), *rest
    return LaidOut(weights, constants, layer.out_features, kernels.compiled(type(layer.rule)))


def run_laid_out(laid: LaidOut, spikes: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
    """What :func:`scan` returns, without gradients and unchecked."""
    (out, v, *plastic), *_ = _run_forward(laid, spikes, state.v, *state.plastic)
    return out, HiddenState(v, PlasticState(*plastic))


class _History(NamedTuple):
    """What the backward pass needs of the forward.

    √T/2 checkpoints of the plastic state, 2√T ticks apart: memory for it grows as √T, and most of it is the backward's
    segment, which stays in the second-level cache where checkpoints do not.
    """

    potential: np.ndarray  # v, (B, T, Q)
    gates: np.ndarray  # M, (B, T, Q); empty where not modulated
    checkpoints: np.ndarray
    stride: int


def _run_forward(laid: LaidOut, spikes, v, E, x_pre, x_post, theta, keep=False) -> tuple[tuple[Tensor, ...], Tensor, _History]:
    (W, *_), (_, modulated, *_), neurons, (kernel, _) = laid
    T, B, P = spikes.shape
    Q = kernels.padded(neurons, W.itemsize)
    stride = max(1, math.isqrt(4 * T))
    segments = -(-T // stride) if keep else 0
    history = kernels.aligned(
        W.dtype, B * T * Q if keep else 0, B * T * Q if keep and modulated else 0, segments * B * (P * Q + P + 2 * Q)
    )
    out = spikes.new_empty(T, B, Q)
    state = _own(*(x.detach() for x in (v, E, x_pre, x_post, theta)))  # overwritten from the initial to the final one
    given, *arrays = numpy_views(spikes, *state, out)

    def run(thread: int, threads: int) -> None:
        kernel(thread, threads, T, B, P, neurons, given, *laid.weights, *laid.constants, *arrays, *history, stride,
               *kernels.forward_scratch(P, Q, W.dtype))

    _on_threads(run, B)
    return (out[..., :neurons], *_as_state(state, neurons)), out, _History(*history, stride)


def _scalar(x: Tensor) -> type:
    """NumPy's type of the numbers in ``x``."""
    return x.detach().numpy().dtype.type


def _columns(x: Tensor) -> Tensor:
    """(P, Q) laid out in columns, as :mod:`spikepropamine.kernels` describes."""
    return _pad(x).unflatten(1, (-1, kernels.padded(1, x.itemsize))).transpose(0, 1)


def _from_columns(x: Tensor, P: int, neurons: int) -> Tensor:
    """The inverse of :func:`_columns`, transposed: (Q, P)."""
    return x.view(-1, P, kernels.padded(1, x.itemsize)).transpose(1, 2).reshape(-1, P)[:neurons]


def _pad(x: Tensor) -> Tensor:
    """The last axis, of neurons, filled up with zeros to whole Lanes; contiguous."""
    missing = kernels.padded(x.shape[-1], x.itemsize) - x.shape[-1]
    return (nn.functional.pad(x, (0, missing)) if missing else x).contiguous()


def _own(v: Tensor, E: Tensor, x_pre: Tensor, x_post: Tensor, theta: Tensor) -> list[Tensor]:
    """The state in memory that the kernels may overwrite: E first, (B, P Q), neurons padded."""
    E, v, x_pre, x_post, theta = (x.clone(memory_format=torch.contiguous_format) for x in (E.transpose(1, 2), v, x_pre, x_post, theta))
    return [_pad(E).flatten(1), _pad(v), x_pre, _pad(x_post), _pad(theta)]


def _as_state(own: list[Tensor], neurons: int) -> tuple[Tensor, ...]:
    """What :func:`_own` made, seen as the state again, in its order: v, E, x_pre, x_post and theta."""
    E, v, x_pre, x_post, theta = own
    v, x_post, theta = (x[:, :neurons] for x in (v, x_post, theta))
    return v, _square(E, neurons).transpose(1, 2), x_pre, x_post, theta


def _square(x: Tensor, neurons: int) -> Tensor:
    """The last axis, P Q with Q padded, as two: (..., P, Q) without the padding."""
    return x.unflatten(-1, (-1, kernels.padded(neurons, x.itemsize)))[..., :neurons]


def numpy_views(*tensors: Tensor) -> tuple[np.ndarray, ...]:
    """Flat arrays on the tensors' memory, or on a copy of one that is not contiguous."""
    return tuple(x.detach().contiguous().view(-1).numpy() for x in tensors)


def _on_threads(run: Callable[[int, int], None], most: int) -> None:
    """``run(thread, threads)`` on as many threads as torch may use, ``most`` of them at the most."""
    threads = max(1, min(torch.get_num_threads(), most))

    def take(thread: int) -> None:
        with denormals_as_zero():
            run(thread, threads)

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
