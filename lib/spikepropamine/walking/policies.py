"""Policies for continuous control: what turns observations into the means of actions.

A spiking policy is two populations in a row. The first turns observations into spikes; the second is one of
the five networks of the book, so its synapses, those between the two populations, are the plastic ones.
"""

import dataclasses
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import (
    require,
    require_batch,
    require_choice,
    require_count,
    require_finite,
    require_matrix,
    require_network,
    require_not_negative,
    require_tensor,
)
from ..snn.arguments import put_weights_in_place, require_layer, require_neuron, require_state
from ..snn.networks import NETWORKS, NetworkOptions, NetworkState, SpikingNetwork, build, hidden_neuron
from ..snn.scan import HiddenState, scan

POLICIES = (*NETWORKS, "mlp")


class PolicyState(NamedTuple):
    """What a spiking policy carries from control step to control step, through a whole episode."""

    encoder: HiddenState  # potentials of the first population, (B, Q)
    network: NetworkState  # of the second, with its plastic synapses, and of the readout (B, actions)

    def with_efficacies(self, E: Tensor) -> "PolicyState":
        """The same state with other plastic efficacies, (B, Q, P)."""
        return self._replace(network=self.network.with_efficacies(E))


class SpikingPolicy(nn.Module):
    """Observations → linear → spiking population → one of the book's networks → means of actions.

    The current that an observation causes lasts for ``ticks`` ticks; the readout's potential at the last of them
    is the mean of the action.
    """

    def __init__(self, encoder: nn.Linear, network: SpikingNetwork, ticks: int, options: NetworkOptions):
        super().__init__()
        self.encoder, self.network, self.ticks = encoder, network, ticks
        self.neuron = hidden_neuron(options)

    def initial_state(self, batch_size: int) -> PolicyState:
        """The state at the start of an episode: everything zero."""
        self.require_parts()
        require_batch(batch_size, n_hidden=self.encoder.out_features)
        v = self.encoder.weight.new_zeros(batch_size, self.encoder.out_features)
        return PolicyState(HiddenState(v, None), self.network.initial_state(batch_size))

    def run(self, observations: Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        """Means of actions, (T, B, actions), of ``observations``, (T, B, inputs), and the state after the last."""
        *_, mean, state = self.activity(observations, state)
        return mean, state

    def activity(self, observations: Tensor, state: PolicyState) -> tuple[Tensor, Tensor, Tensor, PolicyState]:
        """The spikes of both populations, (T × ticks, B, Q) each, and what :meth:`run` returns."""
        self.require_parts()
        weight = self.encoder.weight
        require_tensor("observations", observations, ("T", "B", self.encoder.in_features), weight.dtype, weight.device)
        require_policy_state(state, self, observations.shape[1])
        spikes, encoder = scan(self.encoder, self.neuron, observations.repeat_interleave(self.ticks, 0), state.encoder)
        run = self.network.run(spikes, state.network)
        return spikes, run.spikes, run.readout[self.ticks - 1 :: self.ticks], PolicyState(encoder, run.state)

    def require_parts(self) -> None:
        """Refuse parts, which anyone may replace, that are of another kind or do not fit one another."""
        network: Any = self.network
        require_kind("network", network, SpikingNetwork)
        put_weights_in_place(network.synapses)
        layers = {"encoder": self.encoder, "network.synapses": network.synapses, "network.readout": network.readout}
        require_kind("network.readout", network.readout, nn.Linear)
        require_row(layers)
        for neuron in (self.neuron, network.neuron, network.integrator):
            require_neuron(neuron)
        reset = getattr(network.integrator, "reset_mechanism", None)
        require(reset == "none", "network.integrator.reset_mechanism", reset, "'none'")
        require_count("ticks", self.ticks)


def require_kind(name: str, part: Any, kind: type) -> None:
    """Refuse a part of a policy that is not of ``kind``."""
    if not isinstance(part, kind):
        raise TypeError(f"{name} = {type(part).__name__}: must be of {kind.__module__}.{kind.__qualname__}")


def require_row(layers: dict[str, Any]) -> None:
    """Refuse layers, by name and in the order of the signal, that do not fit one another in size, dtype and device."""
    before, neurons, weight = "", None, None
    for name, layer in layers.items():
        require_layer(layer, name)
        if weight is None:
            weight = layer.weight
        else:
            found = layer.in_features
            require(found == neurons, f"{name}.in_features", found, f"{neurons}, the out_features of {before}")
            shape = tuple(layer.weight.shape)
            require_tensor(f"{name}.weight", layer.weight, shape, weight.dtype, weight.device, finite=False)
        before, neurons = name, layer.out_features


def require_policy_state(state: Any, policy: SpikingPolicy, batch: int) -> None:
    """Refuse a state that is not one of ``policy`` for ``batch`` environments."""
    if not isinstance(state, PolicyState):
        raise TypeError(f"state is a {type(state).__name__}: must be a PolicyState, as initial_state makes it")
    if not isinstance(state.network, tuple) or len(state.network) != 2:
        raise TypeError(
            f"state.network is a {type(state.network).__name__}: must be a pair of a HiddenState and a Tensor"
        )
    require(batch > 0, "observations.shape", (batch, policy.encoder.in_features), "(B, inputs) with B >= 1")
    inner, y = state.network
    values = require_state(policy.encoder, state.encoder, batch) | {
        f"network.{name}": x for name, x in require_state(policy.network.synapses, inner, batch).items()
    }
    readout = policy.network.readout
    require_tensor(
        "state.y", y, (batch, readout.out_features), readout.weight.dtype, readout.weight.device, finite=False
    )
    require_finite(values | {"state.y": y})


class TanhPolicy(nn.Module):
    """Two hidden layers of tanh units, without any memory: the ordinary policy, for reference."""

    def __init__(self, n_inputs: int, n_hidden: int, n_outputs: int):
        super().__init__()
        self.layers = perceptron(n_inputs, n_hidden, n_outputs)

    @property
    def encoder(self) -> nn.Linear:
        """What observations enter by, under the name that it has in the other policies."""
        return self.layers[0]

    def initial_state(self, batch_size: int) -> None:
        """There is none."""

    def run(self, observations: Tensor, state: None) -> tuple[Tensor, None]:
        """Means of actions, (T, B, actions), of ``observations``, (T, B, inputs)."""
        first = self.encoder
        shape = ("T", "B", first.in_features)
        require_tensor("observations", observations, shape, first.weight.dtype, first.weight.device)
        return self.layers(observations), None

    def require_parts(self) -> None:
        """Refuse layers that begin with anything but a linear one."""
        require_kind("layers", self.layers, nn.Sequential)
        require_layer(self.encoder, "layers.0")


def perceptron(n_inputs: int, n_hidden: int, n_outputs: int) -> nn.Sequential:
    """Two hidden layers of tanh units and a linear output."""
    sizes = (n_inputs, n_hidden), (n_hidden, n_hidden)
    return nn.Sequential(
        *(module for size in sizes for module in (nn.Linear(*size), nn.Tanh())), nn.Linear(n_hidden, n_outputs)
    )


@dataclasses.dataclass(frozen=True)
class Policy:
    """Which policy, and what may be chosen about it. Times in milliseconds; all values are this project's choice.

    A control step of both environments is 50 ms, which the default gives to two ticks of 25 ms. The scale of the weights
    and the slope of the surrogate gradient, one for all policies, were tried with the plain ``snn`` alone.
    """

    name: str
    n_hidden: int = 64  # neurons in each of the two populations
    ticks: int = 2  # per control step
    action_scale: float = 0.1  # of the readout's weights at the start of training: first actions near zero
    options: NetworkOptions = NetworkOptions(dt=25.0, weight_scale=4.0, slope=8.0)

    def __post_init__(self):
        require_fields(self, POLICIES)

    def build(self, n_inputs: int, n_outputs: int, seed: int) -> SpikingPolicy | TanhPolicy:
        """The untrained policy. For one seed, all spiking ones share their fixed weights."""
        require_network(n_inputs, self.n_hidden, n_outputs, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            if self.name == "mlp":
                policy = TanhPolicy(n_inputs, self.n_hidden, n_outputs)
                last = policy.layers[-1]
            else:
                network = build(
                    self.name, self.n_hidden, self.n_hidden, n_outputs, seed, **dataclasses.asdict(self.options)
                )
                encoder = nn.Linear(n_inputs, self.n_hidden)
                nn.init.normal_(encoder.weight, std=self.options.weight_scale / n_inputs**0.5)
                policy = SpikingPolicy(encoder, network, self.ticks, self.options)
                last = network.readout
        with torch.no_grad():
            last.weight.mul_(float(self.action_scale))
            last.bias.zero_()
        return policy


def require_fields(policy: Any, known: Collection[str]) -> None:
    """Refuse a description of a policy, with the fields of :class:`Policy`, that cannot be built; ``known`` are the names."""
    require_choice("name", policy.name, known)
    require_count("n_hidden", policy.n_hidden)
    require_matrix(("n_hidden", policy.n_hidden), ("n_hidden", policy.n_hidden))
    require_count("ticks", policy.ticks)
    require_not_negative("action_scale", policy.action_scale)
    require(isinstance(policy.options, NetworkOptions), "options", policy.options, "a NetworkOptions")


def each(function: Callable[..., Tensor], *states: Any) -> Any:
    """A state of the same make with ``function`` of every tensor of ``states``, which may be None or nested."""
    first = states[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return function(*states)
    parts = [each(function, *part) for part in zip(*states)]
    return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)


def forget(state: Any, episodes: np.ndarray) -> Any:
    """``state`` with everything zero in the batch members where ``episodes``, (B,) of bool, is true."""
    if not episodes.any():
        return state
    forgotten = torch.from_numpy(episodes)
    return each(lambda x: x.masked_fill(forgotten.view(-1, *[1] * (x.ndim - 1)), 0.0), state)
