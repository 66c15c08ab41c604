"""Policies that act, one control step after the other, without gradients.

What :meth:`spikepropamine.walking.policies.SpikingPolicy.run` computes, to the last bit. There every call checks what it is given
and lays the weights out for the compiled code; here both happen once, before the first step, since a policy that acts
does not learn meanwhile and most of a single step's time went there.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import snntorch
import torch
from torch import Tensor, nn

from ..checks import require_tensor
from ..snn.fused import kernels
from ..snn.layers import PlasticLinear, PlasticState
from ..snn.scan import (
    HiddenState,
    _fused_weights,
    _obstacle,
    _own,
    _pad,
    _square,
    _threshold,
    denormals_as_zero,
    numpy_views,
)
from .policies import PolicyState, SpikingPolicy, TanhPolicy

Act = Callable[[Tensor, Any], tuple[Tensor, Any]]


def acting(policy: SpikingPolicy | TanhPolicy) -> Act:
    """How ``policy`` acts with the weights that it has now.

    Returns:
        A function of observations, (B, inputs), and the policy's state that returns means of actions, (B, actions), and
        the state after this control step. It raises as ``policy.run`` does.
    """
    if isinstance(policy, SpikingPolicy) and _fused(policy):
        return _spiking(policy)

    @torch.no_grad()
    def act(observations: Tensor, state: Any) -> tuple[Tensor, Any]:
        means, state = policy.run(observations.unsqueeze(0), state)
        return means[0], state

    return act


def _fused(policy: SpikingPolicy) -> bool:
    """Whether compiled code can compute both populations."""
    populations = (policy.encoder, policy.neuron), (policy.network.synapses, policy.network.neuron)
    # spikes will be where the weights are, and of their dtype
    return all(_obstacle(layer, neuron, spikes=layer.weight) is None for layer, neuron in populations)


def _spiking(policy: SpikingPolicy) -> Act:
    network = policy.network
    encode, integrate = _linear(policy.encoder, policy.neuron), _linear(network.readout, network.integrator)
    make = _plastic if isinstance(network.synapses, PlasticLinear) else _firing
    run = make(network.synapses, network.neuron)

    @torch.no_grad()
    def act(observations: Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        require_tensor("observations", observations, ("B", policy.encoder.in_features), policy.encoder.weight.dtype)
        hidden, y = state.network
        spikes, _, v = encode(observations.repeat(policy.ticks, 1, 1), state.encoder.v)
        out, hidden = run(spikes, hidden)
        _, readout, y = integrate(out, y)
        return readout[-1], PolicyState(HiddenState(v, None), (hidden, y))

    return act


def _linear(layer: nn.Linear, neuron: snntorch.Leaky) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Of inputs, (T, B, P), and potentials, (B, Q): the spikes and the potentials, (T, B, Q), and the last potentials."""
    scalar = layer.weight.detach().numpy().dtype.type
    beta, threshold = scalar(neuron.beta), scalar(_threshold(neuron))

    def run(inputs: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        current = layer(inputs)
        out, potential, last = (
            torch.empty_like(current),
            torch.empty_like(current),
            v.clone(memory_format=torch.contiguous_format),
        )
        with denormals_as_zero():
            kernels.leaky_forward(*numpy_views(current, last), beta, threshold, *numpy_views(out, potential))
        return out, potential, last

    return run


def _firing(layer: nn.Linear, neuron: snntorch.Leaky) -> Callable[[Tensor, HiddenState], tuple[Tensor, HiddenState]]:
    """Of spikes, (T, B, P), and a state: the spikes of the neurons, (T, B, Q), and the state after them."""
    neurons = _linear(layer, neuron)

    def run(spikes: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        out, _, v = neurons(spikes, state.v)
        return out, HiddenState(v, None)

    return run


def _plastic(
    layer: PlasticLinear, neuron: snntorch.Leaky
) -> Callable[[Tensor, HiddenState], tuple[Tensor, HiddenState]]:
    """As :func:`_firing`, of plastic synapses."""
    P, neurons = layer.in_features, layer.out_features
    Q = kernels.padded(neurons, layer.weight.itemsize)
    modulator = (layer.modulator_weight, layer.modulator_bias) if layer.modulated else (None, None)
    W, A, V, c = _fused_weights(layer.weight, layer.alpha, layer.bias, *modulator)
    scalar = W.dtype.type
    weights = W, A, *numpy_views(_pad(layer.bias.detach())), V, c, scalar(layer.rule.eta.item()), layer.modulated
    constants = [
        scalar(x)
        for x in (neuron.beta, neuron.threshold, layer.trace_decay, layer.rule.theta_step(layer.dt), layer.e_max)
    ]
    scratch, no_history = kernels.forward_scratch(P, Q, W.dtype), [np.empty(0, W.dtype)] * 3
    kernel, _ = kernels.compiled(type(layer.rule))

    def run(spikes: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        T, B, _ = spikes.shape
        own, out = _own(state.v, *state.plastic), spikes.new_empty(T, B, Q)
        with denormals_as_zero():
            kernel(
                0,
                B,
                T,
                B,
                P,
                neurons,
                *numpy_views(spikes),
                *weights,
                *constants,
                *numpy_views(*own, out),
                *no_history,
                1,
                *scratch,
            )
        E, v, x_pre, x_post, theta = own
        v, x_post, theta = (x[:, :neurons] for x in (v, x_post, theta))
        return out[..., :neurons], HiddenState(
            v, PlasticState(_square(E, neurons).transpose(1, 2), x_pre, x_post, theta)
        )

    return run
