"""Policies that act, one control step after the other, without gradients.

Computes what :meth:`spikepropamine.walking.policies.SpikingPolicy.run` computes, to the last bit. There every call
lays the weights out for the compiled code; here that happens once, before the first step, since a policy that acts does
not learn meanwhile and most of a single step's time went there.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..checks import require_finite, require_tensor
from ..snn.fused import prepare
from ..snn.scan import HiddenState, obstacle
from .policies import PolicyState, SpikingPolicy, TanhPolicy, each, require_policy_state

Act = Callable[[Tensor, Any], tuple[Tensor, Any]]


def acting(policy: SpikingPolicy | TanhPolicy) -> Act:
    """How ``policy`` acts with the weights that it has now.

    Returns:
        A function of observations, (B, inputs), and the policy's state that returns means of actions, (B, actions), and
        the state after this control step. It raises as ``policy.run`` does.

    Raises:
        ValueError: weights that are not finite.
    """
    require_finite(dict(policy.named_parameters()))
    if isinstance(policy, SpikingPolicy) and _fused(policy):
        return _spiking(policy)

    @torch.no_grad()
    def act(observations: Tensor, state: Any) -> tuple[Tensor, Any]:
        if not isinstance(observations, Tensor):
            raise TypeError(f"observations is a {type(observations).__name__}: must be a torch.Tensor")
        means, state = policy.run(observations.unsqueeze(0), state)
        return means[0], state

    return act


def _fused(policy: SpikingPolicy) -> bool:
    """Whether compiled code on the CPU can compute both populations."""
    populations = (policy.encoder, policy.neuron), (policy.network.synapses, policy.network.neuron)
    # spikes will be where the weights are, and of their dtype
    return policy.encoder.weight.device.type == "cpu" and all(
        obstacle(layer, neuron, spikes=layer.weight) is None for layer, neuron in populations
    )


def _spiking(policy: SpikingPolicy) -> Act:
    network = policy.network
    encoder, hidden = prepare(policy.encoder, policy.neuron), prepare(network.synapses, network.neuron)
    readout = prepare(network.readout, network.integrator)

    known: tuple[PolicyState, int] | None = None  # the state returned last, and its batch

    @torch.no_grad()
    def act(observations: Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        weight = policy.encoder.weight
        require_tensor("observations", observations, ("B", policy.encoder.in_features), weight.dtype, weight.device)
        nonlocal known
        batch = observations.shape[0]
        if known is None or known[0] is not state or known[1] != batch:
            require_policy_state(state, policy, batch)
            state = each(Tensor.resolve_neg, state)
        inner, y = state.network
        spikes, outer = encoder(observations.repeat(policy.ticks, 1, 1), state.encoder)
        out, inner = hidden(spikes, inner)
        # the mean of the action is the readout's potential at the last tick
        _, (y, _) = readout(out, HiddenState(y, None))
        state = PolicyState(outer, (inner, y))
        known = state, batch
        return y, state

    return act
