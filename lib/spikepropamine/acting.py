"""Policies that act, one control step after the other, without gradients.

What :meth:`spikepropamine.policies.SpikingPolicy.run` computes, to the last bit. There every call checks what it is given
and lays the weights out for the compiled code; here both happen once, before the first step, since a policy that acts
does not learn meanwhile and most of a single step's time went there.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import snntorch
import torch
from torch import Tensor, nn

from .checks import require_tensor
from .layers import PlasticLinear
from .policies import PolicyState, SpikingPolicy, TanhPolicy
from .scan import HiddenState, fire_laid_out, lay_out, leaky_constants, obstacle, run_laid_out

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
    return all(obstacle(layer, neuron, spikes=layer.weight) is None for layer, neuron in populations)


def _spiking(policy: SpikingPolicy) -> Act:
    network = policy.network
    encode, integrate = _linear(policy.encoder, policy.neuron), _linear(network.readout, network.integrator)
    fire = _plastic if isinstance(network.synapses, PlasticLinear) else _firing
    run = fire(network.synapses, network.neuron)

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
    constants = leaky_constants(neuron, layer.weight)
    return lambda inputs, v: fire_laid_out(constants, layer(inputs), v)


def _firing(layer: nn.Linear, neuron: snntorch.Leaky) -> Callable[[Tensor, HiddenState], tuple[Tensor, HiddenState]]:
    """Of spikes, (T, B, P), and a state: the spikes of the neurons, (T, B, Q), and the state after them."""
    neurons = _linear(layer, neuron)

    def run(spikes: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        out, _, v = neurons(spikes, state.v)
        return out, HiddenState(v, None)

    return run


def _plastic(layer: PlasticLinear, neuron: snntorch.Leaky) -> Callable[[Tensor, HiddenState], tuple[Tensor, HiddenState]]:
    """As :func:`_firing`, of plastic synapses."""
    return partial(run_laid_out, lay_out(layer, neuron))
