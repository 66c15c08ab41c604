"""A plastic layer over time on a GPU as one differentiable function: what :mod:`.kernels` computes, for autograd."""

import math
import types
from collections import namedtuple
from functools import cache
from typing import Any, NamedTuple

import snntorch
import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .. import leak_gradients
from ..layers import PlasticLinear, PlasticState
from ..plasticity import Rule
from ..surrogates import slope_of
from . import kernels, tiled
from .kernels import Given, Gradients, Kept, Scratch, State
from .sizes import PROGRAMS, Tiles, power_of_two, tiles


def plastic_scan(
    layer: PlasticLinear, neuron: snntorch.Leaky, spikes: Tensor, v: Tensor, plastic: PlasticState
) -> tuple[Tensor, Tensor, PlasticState]:
    """``layer`` and ``neuron`` over the ticks of spikes (T, B, P), from potentials (B, Q) and the plastic state.

    Returns:
        The spikes (T, B, Q), the last potentials (B, Q) and the last plastic state, with gradients to every
        parameter, the spikes and the state.
    """
    if len(spikes) == 0:
        return v.new_zeros(0, *v.shape), v, plastic
    cut = tiles(layer.in_features, layer.out_features, spikes.shape[1], layer.modulated, spikes.itemsize)
    if cut is None:
        raise ValueError(f"layer = {layer}: must be one that gpu.obstacle says nothing about")
    # what does not depend on E, for all ticks at once: autograd takes care of W, b and its part of the spikes' gradient
    current = F.linear(spikes, layer.weight, layer.bias)
    modulator = (layer.modulator_weight, layer.modulator_bias) if layer.modulated else (None, None)
    of_neuron = leak_gradients.constants(neuron)
    inputs = (current, spikes, layer.alpha, layer.rule.eta, *modulator, *of_neuron, v, *plastic)
    numbers = _numbers(neuron, current, layer.trace_decay, layer.rule.theta_step(layer.dt), layer.e_max)
    setting = Setting(type(layer.rule), layer.modulated, cut, numbers)
    out, v, *plastic = _PlasticScan.apply(setting, torch.is_grad_enabled(), *inputs)
    return out, v, PlasticState(*plastic)


class Setting(NamedTuple):
    """What of a layer and its neurons is no tensor that is learned."""

    rule: type[Rule]
    modulated: bool
    tiles: Tiles
    numbers: Tensor  # (6,): β, threshold, k of the surrogate, λ, dt/τ_θ, E_max


def _numbers(neuron: snntorch.Leaky, like: Tensor, *more: float) -> Tensor:
    # β, threshold, k of the surrogate and more, where the kernels read them
    of_neuron = [x.detach().to(like).reshape(1) for x in leak_gradients.constants(neuron)]
    # filled on the device, for a CUDA graph cannot record a copy from the CPU
    return torch.cat([*of_neuron, *(like.new_full((1,), x) for x in (slope_of(neuron), *more))])


def jitted(rule: type[Rule]) -> tuple:
    """The rule's coefficients and slopes for the kernels: the functions of :mod:`..plasticity`, compiled by Triton."""
    return _jitted(rule.coefficients), _jitted(rule.slopes)


@cache
def _jitted(function: types.FunctionType) -> Any:
    # Triton's interpreter looks for its language among the names that the function's module knows
    return triton.jit(types.FunctionType(function.__code__, {**function.__globals__, "tl": tl}, function.__name__))


def _stride(T: int) -> int:
    # √T checkpoints; the backward's scratch holds E of √T ticks
    return max(1, math.isqrt(T))


def _launch(block: Tiles, modulated: bool, programs: int, Q: int, in_registers, in_memory) -> tuple:
    """The grid, the kernel, and the options that follow from how the layer is cut."""
    options = {"BLOCK_P": block.block_p, "BLOCK_Q": block.block_q, "num_warps": block.warps}
    if block.in_memory:
        return (programs,), in_memory, options | {"BLOCK_K": power_of_two(Q)}
    return (programs, -(-Q // block.block_q)), in_registers, options | {"MODULATED": modulated}


# what goes into a plastic scan, in order
_Inputs = namedtuple("_Inputs", "setting keep current spikes alpha eta V c beta threshold v E x_pre x_post theta")


class _PlasticScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, setting, keep, current, spikes, alpha, eta, V, c, beta, threshold, v, E, x_pre, x_post, theta):
        (T, B, P), Q, block = spikes.shape, alpha.shape[0], setting.tiles
        given = Given(
            spikes.contiguous(),
            alpha.contiguous(),
            *(alpha if x is None else x.contiguous() for x in (V, c)),
            torch.cat([setting.numbers, eta.reshape(1)]),
        )
        start = State(*(x.contiguous() for x in (v, E, x_pre, x_post, theta)))
        end = State(*(x.clone() if block.in_memory else torch.empty_like(x) for x in start))
        out, stride = spikes.new_empty(T, B, Q), _stride(T)
        keep = keep and any(ctx.needs_input_grad)
        segments = -(-T // stride) if keep else 0
        ticks = T if keep else 0
        kept = Kept(
            spikes.new_empty(ticks, B, Q),
            spikes.new_empty(ticks if setting.modulated else 0, B, Q),
            *(x.new_empty(segments, *x.shape) for x in start[1:]),
        )
        coefficients, _ = jitted(setting.rule)
        grid, forward, options = _launch(block, setting.modulated, B, Q, kernels.forward, tiled.forward)
        sizes = T, B, P, Q, stride
        forward[grid](
            given, current.contiguous(), start, end, out, kept, *sizes, COEFFICIENTS=coefficients, KEEP=keep, **options
        )
        if keep:
            wanted = _Inputs(*ctx.needs_input_grad)
            of_neuron = (start.v, beta, threshold) if wanted.beta or wanted.threshold else (None,) * 3
            ctx.save_for_backward(*given, out, *kept, *of_neuron)
            ctx.setting = setting
            ctx.set_materialize_grads(False)
        # the caller may overwrite the spikes, and the backward reads them
        return out.clone() if keep else out, *end

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out, *grad_end):
        *saved, v, beta, threshold = ctx.saved_tensors
        given, out, kept = Given(*saved[:5]), saved[5], Kept(*saved[6:])
        setting, block = ctx.setting, ctx.setting.tiles
        (T, B, P), Q, stride = given.spikes.shape, out.shape[2], _stride(len(out))
        new = out.new_empty
        shapes = State((B, Q), (B, Q, P), (B, P), (B, Q), (B, Q))
        grad_out = torch.zeros_like(out) if grad_out is None else grad_out.contiguous()
        grad_end = State(*(out.new_zeros(shape) if g is None else g.contiguous() for g, shape in zip(grad_end, shapes)))
        grad_start = State(*(g.clone() if block.in_memory else torch.empty_like(g) for g in grad_end))
        wanted = _Inputs(*ctx.needs_input_grad)
        track_inputs = wanted.spikes or wanted.x_pre
        cuts = -(-Q // block.block_q)
        apart = 1 if block.in_memory else cuts  # programs that each take a part of the neurons
        programs = min(B, max(1, PROGRAMS // apart))
        scratch = Scratch(
            *(
                new(programs * cuts * stride * size)
                for size in (block.block_q * block.block_p, block.block_p, block.block_q, block.block_q)
            )
        )
        sums = out.new_zeros if block.in_memory else new
        gradients = Gradients(
            new(T, B, Q),
            *(new(T if setting.modulated else 0, B, Q) for _ in range(2)),
            new(apart if track_inputs else 0, T, B, P),
            new(apart if track_inputs else 0, B, P),
            sums(programs, Q, P),
            sums(B, Q),
        )
        coefficients, slopes = jitted(setting.rule)
        grid, backward, options = _launch(block, setting.modulated, programs, Q, kernels.backward, tiled.backward)
        backward[grid](
            *(given, out, kept, scratch, grad_out, grad_end, grad_start, gradients, T, B, P, Q, stride),
            COEFFICIENTS=coefficients,
            SLOPES=slopes,
            TRACK_INPUTS=track_inputs,
            **options,
        )
        g_V = g_c = None
        if setting.modulated:
            # ∂/∂V_jk = Σ over ticks and members of drive_j x_k, ∂/∂c_j = Σ drive_j
            drive, trace = gradients.drive.flatten(0, 1), gradients.trace.flatten(0, 1)
            g_V, g_c = drive.t() @ trace, drive.sum(0)
        g_spikes = gradients.spikes.sum(0) if track_inputs else None
        g_x_pre = gradients.x_pre.sum(0) if track_inputs else None
        g_alpha, g_eta = gradients.alpha.sum(0), gradients.eta.sum()
        g_leak = None, None
        if wanted.beta or wanted.threshold:
            g_leak = leak_gradients.by_leak(gradients.current, kept.potential, v, beta, threshold, grad_end.v)
        g = grad_start._replace(x_pre=g_x_pre)
        return None, None, gradients.current, g_spikes, g_alpha, g_eta, g_V, g_c, *g_leak, *g


# ---------------------------------------------------------------- neurons without plastic synapses

_BLOCK = 128


def leaky_scan(current: Tensor, v: Tensor, neuron: snntorch.Leaky) -> tuple[Tensor, Tensor, Tensor]:
    """The neurons alone: spikes and potentials, (T, B, Q), of currents (T, B, Q), and the last potentials, (B, Q)."""
    if current.numel() == 0:
        return current, current, v
    of_neuron = leak_gradients.constants(neuron)
    return _LeakyScan.apply(neuron.reset_mechanism != "none", _numbers(neuron, current), current, v, *of_neuron)


class _LeakyScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, spiking, numbers, current, v, beta, threshold):
        current, v = current.contiguous(), v.contiguous()
        potential, last = torch.empty_like(current), torch.empty_like(v)
        out = torch.empty_like(current) if spiking else torch.zeros_like(current)
        kernels.leaky_forward[(triton.cdiv(v.numel(), _BLOCK),)](
            current, v, out, potential, last, numbers, len(current), v.numel(), SPIKING=spiking, BLOCK=_BLOCK
        )
        ctx.spiking, ctx.by_beta = spiking, ctx.needs_input_grad[4]
        ctx.by_leak = ctx.by_beta or spiking and ctx.needs_input_grad[5]
        # the caller may overwrite a readout's values, of which its gradient by β alone has need
        of_neuron = (v, beta, threshold) if ctx.by_leak else (None,) * 3
        ctx.save_for_backward(potential if spiking or ctx.by_beta else None, numbers, *of_neuron)
        return out, potential.clone() if ctx.by_beta else potential, last

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out, grad_potential, grad_last):
        potential, numbers, v, *of_neuron = ctx.saved_tensors
        potential = grad_potential if potential is None else potential
        T, N = len(potential), grad_last.numel()
        given = (x.contiguous() for x in (grad_out, grad_potential, potential, grad_last))
        grad_current, grad_v = torch.empty_like(potential), potential.new_empty(grad_last.shape)
        kernels.leaky_backward[(triton.cdiv(N, _BLOCK),)](
            *given, grad_current, grad_v, numbers, T, N, SPIKING=ctx.spiking, BLOCK=_BLOCK
        )
        by_beta = by_threshold = None
        if ctx.by_leak:
            by_beta, by_threshold = leak_gradients.by_leak(
                grad_current, potential, v, *of_neuron, grad_last, grad_potential, ctx.spiking
            )
        return None, None, grad_current, grad_v, by_beta, by_threshold
