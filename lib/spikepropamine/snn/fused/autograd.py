"""Compiled layers and neurons over time as operations of PyTorch, with their gradients; blocks of the batch on threads."""

import copy
import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import NamedTuple

import snntorch
import torch
from torch import Tensor

from .. import leak_gradients, reference
from ..layers import PlasticLinear, PlasticState
from ..surrogates import slope_of
from . import kernels
from .compiler import readable
from .memory import (
    columns,
    copies,
    denormals_as_zero,
    from_columns,
    keep,
    kept,
    numpy_views,
    pad,
    padded,
    scalar_type,
    square,
    standing,
    unpadded,
)
from .structures import Block, Constants, Gradients, History, Leak, Scratch, Sizes, State, Weights

_BLOCKS = 8
_EMPTY = {dtype: torch.empty(0, dtype=dtype, device="cpu") for dtype in (torch.float32, torch.float64)}


# ---------------------------------------------------------------- neurons alone


def leak(neuron: snntorch.Leaky, like: Tensor) -> Leak:
    """The constants of ``neuron``, in the dtype of ``like``."""
    beta, threshold = (x.item() for x in leak_gradients.constants(neuron))
    threshold = math.inf if neuron.reset_mechanism == "none" else threshold
    return Leak(*map(scalar_type(like), (beta, threshold, slope_of(neuron))))


def run_leaky(current: Tensor, v: Tensor, constants: Leak) -> tuple[Tensor, Tensor, Tensor]:
    """Neurons alone, without gradients and unchecked: spikes and potentials, (T, B, Q), and the last potentials."""
    out, potential = (torch.empty_like(current, memory_format=torch.contiguous_format) for _ in range(2))
    (last,) = copies(v)
    with denormals_as_zero():
        kernels.leaky_forward(*numpy_views(current, last), constants, *numpy_views(out, potential))
    return out, potential, last


class LeakyScan(torch.autograd.Function):
    """:func:`run_leaky` with gradients to ``current``, ``v`` and the neuron's β and threshold, as :func:`..leak_gradients.constants` gives them."""

    @staticmethod
    def forward(ctx, neuron, current, v, beta, threshold):
        ctx.neuron, ctx.constants = neuron, leak(neuron, current)
        out, potential, last = run_leaky(current, v, ctx.constants)
        ctx.spiking, ctx.by_beta = ctx.constants.threshold < math.inf, ctx.needs_input_grad[3]
        # the caller may overwrite a readout's values, of which its gradient by β alone has need
        keep(ctx, potential if ctx.spiking or ctx.by_beta else None, current, v, beta, threshold)
        return out, potential.clone() if ctx.by_beta else potential, last

    @staticmethod
    def backward(ctx, grad_out, grad_potential, grad_v):
        potential, *inputs = kept(ctx)
        potential = grad_potential if potential is None else potential
        if torch.is_grad_enabled() or not readable(grad_out, grad_potential, grad_v):
            _require_unchanged(ctx.constants, leak(ctx.neuron, potential))
            grads = (grad_out if ctx.spiking else None, grad_potential, grad_v)
            return None, *_again(partial(_reference_neurons, ctx.neuron), inputs, grads)
        (grad_start,) = copies(grad_v)  # overwritten from the last potentials' to the first ones'
        grad_current = torch.empty_like(potential, memory_format=torch.contiguous_format)
        with denormals_as_zero():
            kernels.leaky_backward(
                *numpy_views(grad_out, grad_potential, potential), ctx.constants, *numpy_views(grad_start, grad_current)
            )
        by_beta = by_threshold = None
        if ctx.by_beta or ctx.spiking and ctx.needs_input_grad[4]:
            _, v, *constants = inputs
            by_beta, by_threshold = leak_gradients.by_leak(
                grad_current, potential, v, *constants, grad_v, grad_potential, ctx.spiking
            )
        return None, grad_current, grad_start, by_beta, by_threshold


def _reference_neurons(neuron: snntorch.Leaky, current: Tensor, v: Tensor, *constants: Tensor) -> tuple[Tensor, ...]:
    """What :class:`LeakyScan` computes, by the reference path."""
    return reference.integrate(current, v, leak_gradients.with_constants(neuron, *constants))


# ---------------------------------------------------------------- a plastic layer


class Learned(NamedTuple):
    """The tensors of a plastic layer and its neurons that gradients reach; no V and c where it is not modulated."""

    weight: Tensor  # (Q, P)
    bias: Tensor  # (Q,)
    alpha: Tensor  # (Q, P)
    eta: Tensor  # a scalar
    V: Tensor | None  # (Q, Q)
    c: Tensor | None  # (Q,)
    beta: Tensor  # of the neurons, a scalar
    threshold: Tensor  # likewise

    @classmethod
    def of(cls, layer: PlasticLinear, neuron: snntorch.Leaky) -> "Learned":
        """Those of ``layer`` and ``neuron`` as they are now."""
        modulator = (layer.modulator_weight, layer.modulator_bias) if layer.modulated else (None, None)
        of_neuron = leak_gradients.constants(neuron)
        return cls(layer.weight, layer.bias, layer.alpha, layer.rule.eta, *modulator, *of_neuron)


_LEARNED = len(Learned._fields)


def constants(layer: PlasticLinear, neuron: snntorch.Leaky, learned: Learned) -> Constants:
    """The numbers of ``layer`` and ``neuron`` as they are now, in the dtype of the weights."""
    scalar, rest = scalar_type(learned.weight), (layer.trace_decay, layer.rule.theta_step(layer.dt), layer.e_max)
    return Constants(scalar(learned.eta.item()), *leak(neuron, learned.weight), *map(scalar, rest))


class Prepared:
    """A plastic layer and its neurons laid out for compiled code, with the weights that they have now.

    Args:
        layer: the synapses, P inputs to Q neurons.
        neuron: the neurons.
        learned: the learned tensors of both, where they are at hand already.
    """

    def __init__(self, layer: PlasticLinear, neuron: snntorch.Leaky, learned: Learned | None = None):
        learned = Learned(*(x if x is None else x.detach() for x in learned or Learned.of(layer, neuron)))
        V = learned.bias.new_empty(0, 0) if learned.V is None else learned.V
        c = torch.zeros_like(learned.bias) if learned.c is None else learned.c
        self.kernels = kernels.compiled(type(layer.rule))
        self.V, self._own_to_thread = V, threading.local()
        self.neurons, self.inputs = learned.weight.shape
        laid_out = columns(learned.weight.t()), columns(learned.alpha.t()), pad(learned.bias), pad(V.t()), pad(c)
        self.weights = Weights(*numpy_views(*laid_out), bool(layer.modulated))
        self.constants = constants(layer, neuron, learned)

    def run(self, spikes: Tensor, state: State, keep: bool = False) -> tuple[Tensor, State, Sizes, History]:
        """Without gradients and unchecked: spikes and the last state, and with ``keep`` what the backward needs."""
        T, B, P = spikes.shape
        Q = padded(self.neurons, spikes.itemsize)
        # √T/2 checkpoints of the plastic state, 2√T ticks apart: memory for it grows as √T, and most of it is the
        # backward's segment, which stays in the second-level cache where checkpoints do not
        stride = max(1, math.isqrt(4 * T))
        sizes = Sizes(T, B, P, self.neurons, stride)
        out = spikes.new_empty(T, B, Q)
        history = History(spikes, out, *self._history(B, T, stride, spikes) if keep else (_EMPTY[spikes.dtype],) * 3)
        own = _own(state)  # overwritten from the initial to the final state
        arrays = State(*numpy_views(*own)), History(*numpy_views(*history))
        kernel, _ = self.kernels
        # no sum runs over the batch here, so any split gives the same bits: one block a thread
        _each_block(
            lambda block, scratch: kernel(block, sizes, self.weights, self.constants, *arrays, scratch),
            self._scratch,
            _blocks(B, min(_BLOCKS, torch.get_num_threads())),
        )
        return unpadded(out, self.neurons), _shaped(own, self.neurons), sizes, history

    def _history(self, B: int, T: int, stride: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Empty potentials, gates and checkpoints of a :class:`History`."""
        P, Q, segments = self.inputs, padded(self.neurons, like.itemsize), -(-T // stride)
        sizes = (B, T, Q), (B, T if self.weights.modulated else 0, Q), segments * B * (P * Q + P + 2 * Q)
        return tuple(like.new_empty(size) for size in sizes)

    def _scratch(self) -> Scratch:
        # one for each thread, kept from call to call since it is in the cache by then
        if not hasattr(self._own_to_thread, "scratch"):
            Q = padded(self.neurons, self.weights.W.itemsize)
            self._own_to_thread.scratch = kernels.forward_scratch(self.inputs, Q, self.weights.W.dtype.type)
        return self._own_to_thread.scratch

    def run_back(
        self, sizes: Sizes, history: History, out: Tensor, state: State, track_inputs: bool, track_neurons: bool
    ) -> Gradients:
        """The adjoint of :meth:`run`, of the gradients by its spikes and its last state, as tensors in usual shapes."""
        T, B, P, neurons, stride = sizes
        Q, blocks = padded(neurons, out.itemsize), _blocks(B)
        own = _own(state)  # overwritten from the final to the initial state's
        spikes = out.new_zeros((T, B, P) if track_inputs else (0, 0, 0))
        sums = [out.new_zeros(len(blocks), size) for size in (P * Q, P * Q, Q, neurons * Q, Q, Q)]
        current = out.new_empty((T, B, Q) if track_neurons else (0, 0, Q))
        (grad_out,) = numpy_views(pad(out))
        arrays = numpy_views(spikes, *sums, current)
        gradients = Gradients(grad_out, State(*numpy_views(*own)), *arrays, track_inputs, track_neurons)
        (V_back,) = numpy_views(columns(self.V))
        weights, history = self.weights._replace(V=V_back), History(*numpy_views(*history))
        _, kernel = self.kernels
        _each_block(
            lambda block, scratch: kernel(block, sizes, weights, self.constants, history, gradients, *scratch),
            lambda: kernels.backward_scratch(P, Q, stride, scalar_type(out)),
            blocks,
        )
        W, alpha, bias, V, c, eta = (x.sum(0) for x in sums)
        return Gradients(
            out,
            _shaped(own, neurons),
            spikes,
            from_columns(W, P, neurons),
            from_columns(alpha, P, neurons),
            bias[:neurons],
            square(V, neurons).t(),
            c[:neurons],
            eta.sum(),
            unpadded(current, neurons),
            track_inputs,
            track_neurons,
        )


class PlasticScan(torch.autograd.Function):
    """:meth:`Prepared.run` with gradients to the spikes, to all that is learned and to the initial state."""

    @staticmethod
    def forward(ctx, layer, neuron, spikes, *tensors):
        learned, state = Learned(*tensors[:_LEARNED]), State(*tensors[_LEARNED:])
        ctx.prepared = Prepared(layer, neuron, learned)
        ctx.layer, ctx.neuron = layer, neuron
        out, last, ctx.sizes, history = ctx.prepared.run(spikes, state, keep=True)
        # the tensors too, so that PyTorch refuses a backward after one of them has changed
        keep(ctx, *history, *tensors)
        ctx.set_materialize_grads(False)
        # neither views, which PyTorch would not let anyone write to, nor the spikes that the backward reads
        return out.clone(memory_format=torch.contiguous_format), *map(standing, last)

    @staticmethod
    def backward(ctx, grad_out, *grad_last):
        saved = kept(ctx)
        history, tensors = History(*saved[:5]), saved[5:]
        if torch.is_grad_enabled() or not readable(grad_out, *grad_last):
            _require_unchanged(ctx.prepared.constants, constants(ctx.layer, ctx.neuron, Learned(*tensors[:_LEARNED])))
            again = partial(_reference, ctx.layer, ctx.neuron)
            return None, None, *_again(again, (history.spikes, *tensors), (grad_out, *grad_last))
        learned, state = Learned(*tensors[:_LEARNED]), State(*tensors[_LEARNED:])
        by_spikes, *by_learned = ctx.needs_input_grad[2:]
        track_inputs = by_spikes or any(by_learned[_LEARNED:])
        track_neurons = any(by_learned[_LEARNED - 2 : _LEARNED])  # β and threshold
        grad_out = torch.zeros_like(unpadded(history.out, ctx.sizes.neurons)) if grad_out is None else grad_out
        grad_state = State(*(torch.zeros_like(x) if g is None else g for g, x in zip(grad_last, state)))
        g = ctx.prepared.run_back(ctx.sizes, history, grad_out, grad_state, track_inputs, track_neurons)
        modulator = (g.V, g.c) if ctx.prepared.weights.modulated else (None, None)
        by_leak: tuple[Tensor | None, ...] = None, None
        if track_neurons:
            potential = unpadded(history.potential, ctx.sizes.neurons).transpose(0, 1)
            by_leak = leak_gradients.by_leak(
                g.current, potential, state.v, learned.beta, learned.threshold, grad_state.v
            )
        by_learned = g.W, g.bias, g.alpha, g.eta, *modulator, *by_leak
        return None, None, g.spikes if track_inputs else None, *by_learned, *g.state


def _reference(
    layer: PlasticLinear, neuron: snntorch.Leaky, spikes: Tensor, *tensors: Tensor | None
) -> tuple[Tensor, ...]:
    """What :class:`PlasticScan` computes of its ``tensors``, by the reference path."""
    learned, state = Learned(*tensors[:_LEARNED]), State(*tensors[_LEARNED:])
    rule, stand_in = copy.copy(layer.rule), copy.copy(layer)
    rule.__class__ = type("Given", (type(rule),), {"eta": learned.eta})
    # of the class that it computes as: a parametrized layer's own would compute its tensors anew
    stand_in.__class__ = PlasticLinear
    stand_in._parameters, stand_in._modules = {}, {"rule": rule}
    names = ("weight", "bias", "alpha", None, "modulator_weight", "modulator_bias")
    for name, value in zip(names, learned):
        if name and value is not None:
            stand_in._parameters[name] = value
    E, v, *traces = state
    neuron = leak_gradients.with_constants(neuron, learned.beta, learned.threshold)
    out, (v, plastic) = reference.run(stand_in, neuron, spikes, _Start(v, PlasticState(E, *traces)))
    return out, plastic.E, v, *plastic[1:]


class _Start(NamedTuple):
    v: Tensor
    plastic: PlasticState


def _own(state: State) -> State:
    """``state`` in memory that the kernels may overwrite: E presynaptic first, neurons padded."""
    E, v, x_pre, x_post, theta = copies(state.E.transpose(1, 2), *state[1:])
    return State(pad(E).flatten(1), pad(v), x_pre, pad(x_post), pad(theta))


def _shaped(own: State, neurons: int) -> State:
    """What :func:`_own` made, in its usual shapes and without padding."""
    v, x_post, theta = (unpadded(x, neurons) for x in (own.v, own.x_post, own.theta))
    return State(square(own.E, neurons).transpose(1, 2), v, own.x_pre, x_post, theta)


# ---------------------------------------------------------------- gradients that are differentiated again


def _require_unchanged(before: Constants | Leak, now: Constants | Leak) -> None:
    """The reference path computes again with the constants that the layer and its neurons have by now."""
    for name, then, at_present in zip(before._fields, before, now):
        if then != at_present:
            raise RuntimeError(
                f"{name} = {at_present}: must be {then}, as in the forward pass, for a gradient with create_graph"
            )


def _again(
    function: Callable[..., tuple[Tensor, ...]], inputs: Sequence[Tensor | None], gradients: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The gradients by ``inputs`` as a graph of their own, of ``function``, which PyTorch can differentiate."""
    with torch.enable_grad():
        # a step away from the inputs, so that the way to them belongs to the graph
        near = [x.view_as(x) if x is not None and x.requires_grad else x for x in inputs]
        pairs = [(out, g) for out, g in zip(function(*near), gradients) if g is not None and out.requires_grad]
        wanted = [k for k, x in enumerate(near) if x is not None and x.requires_grad]
        found = torch.autograd.grad(
            [out for out, _ in pairs],
            [near[k] for k in wanted],
            [g for _, g in pairs],
            create_graph=torch.is_grad_enabled(),
            allow_unused=True,
        )
    return tuple(dict(zip(wanted, found)).get(k) for k in range(len(near)))


# ---------------------------------------------------------------- blocks and threads


def _blocks(batch: int, most: int = _BLOCKS) -> list[Block]:
    """Batch members in at most ``most`` runs of neighbours; the backward's split follows from the batch size alone."""
    size = max(1, -(-batch // most))
    return [Block(start, min(start + size, batch), k) for k, start in enumerate(range(0, batch, size))]


def _each_block(run: Callable[[Block, tuple], None], scratch: Callable[[], tuple], blocks: list[Block]) -> None:
    # each thread takes every n-th block, and has its own scratch
    threads = max(1, min(torch.get_num_threads(), len(blocks)))

    def take(first: int) -> None:
        own = scratch()
        with denormals_as_zero():
            for block in blocks[first::threads]:
                run(block, own)

    if threads == 1:
        take(0)
    else:
        list(_pool(threads).map(take, range(threads)))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="spikepropamine")


# the threads of a process are not there in one forked from it
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
