"""Policies that act, one control step after the other, without gradients.

Computes what :meth:`spikepropamine.walking.policies.SpikingPolicy.run` computes, to the last bit. There every call
lays the weights out for the compiled code; here that happens once, before the first step, since a policy that acts does
not learn meanwhile and most of a single step's time went there.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

import snntorch
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from ..checks import require_finite, require_tensor
from ..snn import obstacles
from ..snn.compiling import left_alone
from ..snn.fused import prepare
from ..snn.leak_gradients import with_constants
from ..snn.networks import NetworkState, SpikingNetwork
from ..snn.scan import HiddenState, obstacle
from .memory_policies import GRUPolicy, RecurrentSpikingPolicy
from .policies import PolicyState, SpikingPolicy, TanhPolicy, require_policy_state

Act = Callable[[Tensor, Any], tuple[Tensor, Any]]
Module = TypeVar("Module", bound=nn.Module)

_MARKS = attrgetter("_version", "shape", "dtype")
_OURS = (SpikingPolicy, TanhPolicy, RecurrentSpikingPolicy, GRUPolicy)  # these run what their encoder takes


def acting(policy: nn.Module) -> Act:
    """How ``policy`` acts with the weights that it has now.

    Returns:
        A function of observations, (B, inputs), and the policy's state that returns means of actions, (B, actions), and
        the state after this control step. It raises as ``policy.run`` does. Whoever changes the policy makes it anew.

    Raises:
        TypeError: no policy; parts of it that are of another kind or dtype.
        ValueError: parts that do not fit one another; weights that are not finite.
    """
    if not isinstance(policy, nn.Module) or not callable(getattr(policy, "run", None)):
        raise TypeError(
            f"policy = {type(policy).__name__}: must be a policy, as Policy.build makes it, with a method run"
        )
    inputs: int | str = "inputs"
    if type(policy) in _OURS:
        policy.require_parts()
        inputs = policy.encoder.in_features
    fused = _fused(policy)
    require_finite(dict(policy.named_parameters()))
    if fused:
        return _spiking(_as_it_is(policy))

    @left_alone
    @torch.no_grad()
    def act(observations: Tensor, state: Any) -> tuple[Tensor, Any]:
        require_tensor("observations", observations, ("B", inputs), getattr(observations, "dtype", None), finite=False)
        return _run(policy, observations, state)

    return act


def _run(policy: Any, observations: Tensor, state: Any) -> tuple[Tensor, Any]:
    means, state = policy.run(observations.unsqueeze(0), state)
    return means[0], state


def _fused(policy: Any) -> bool:
    """Whether compiled code on the CPU can stand in for ``policy.run``."""
    if not obstacles.computes_as(policy, SpikingPolicy, "run", "activity"):
        return False
    policy.require_parts()
    network, readout = policy.network, policy.network.readout
    own_run = not obstacles.computes_as(network, SpikingNetwork, "run")
    # a parametrization may make other weights at each step
    if own_run or policy.encoder.weight.device.type != "cpu" or any(map(is_parametrized, policy.modules())):
        return False
    # spikes will be where the weights are, and of their dtype
    reason = (
        obstacle(policy.encoder, policy.neuron, policy.encoder.weight)
        or obstacle(network.synapses, network.neuron, network.synapses.weight)
        or obstacles.of_setting(readout.weight, *readout.parameters())
        or obstacles.of_layer(readout)
        or obstacles.of_neuron(network.integrator, "none")
    )
    return reason is None


def _as_it_is(module: Module) -> Module:
    """A copy of ``module`` that changes of its weights, parts and attributes do not reach."""
    if isinstance(module, snntorch.Leaky):
        return with_constants(module, module.beta.detach().clone(), module.threshold.detach().clone())
    same = module.__new__(type(module))
    vars(same).update(vars(module))
    same._modules = {name: part and _as_it_is(part) for name, part in module._modules.items()}
    weights = ((name, x if x is None else x.detach().clone()) for name, x in module._parameters.items())
    same._parameters = {name: x if x is None else nn.Parameter(x, requires_grad=False) for name, x in weights}
    return same


def _spiking(policy: SpikingPolicy) -> Act:
    network, inputs, weight = policy.network, policy.encoder.in_features, policy.encoder.weight
    encoder, hidden = prepare(policy.encoder, policy.neuron), prepare(network.synapses, network.neuron)
    readout = prepare(network.readout, network.integrator)

    known: tuple[PolicyState, int, list] | None = None  # the state returned last, its batch and its marks

    @left_alone
    @torch.no_grad()
    def act(observations: Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        nonlocal known
        require_tensor("observations", observations, ("B", inputs), weight.dtype, weight.device)
        given = [observations]
        batch = observations.shape[0]
        if known is None or known[0] is not state or known[1] != batch or known[2] != _marks(state):
            require_policy_state(state, policy, batch)
            given += _tensors(state)
        if obstacles.of_setting(*given) is not None:
            return _run(policy, observations, state)
        inner, y = state.network
        spikes, outer = encoder(observations.repeat(policy.ticks, 1, 1), state.encoder)
        out, inner = hidden(spikes, inner)
        # the mean of the action is the readout's potential at the last tick
        _, (y, _) = readout(out, HiddenState(y, None))
        state = PolicyState(outer, NetworkState(inner, y))
        # PyTorch does not count what is written to tensors that are made in inference mode
        known = None if y.is_inference() else (state, batch, _marks(state))
        # whoever writes to the mean does not write to the state
        return y.clone(), state

    return act


def _tensors(state: PolicyState) -> list[Tensor]:
    hidden, y = state.network
    return [state.encoder.v, hidden.v, y, *(hidden.plastic or ())]


def _marks(state: PolicyState) -> list:
    """What differs once a tensor of ``state`` has been written to, or was given other memory."""
    tensors = _tensors(state)
    return [*map(_MARKS, tensors), *map(Tensor.data_ptr, tensors)]
