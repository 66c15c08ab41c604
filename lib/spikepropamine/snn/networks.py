"""The five networks of the book, from one constructor that differs only where their names do."""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import snntorch
import torch
from torch import Tensor, nn

from ..checks import (
    autocast,
    placed,
    require,
    require_batch,
    require_bool,
    require_choice,
    require_float32,
    require_network,
    require_positive,
    require_tensor,
    with_values,
)
from ..fields import added
from .arguments import require_readout
from .layers import PlasticLinear, as_spikes, integrator, leaky
from .plasticity import RULES, Rule, make_rule
from .scan import HiddenState, initial_state, integrate, scan

# What can be built: name → (rule, modulated). What the published experiments are about is a list of its own,
# spikepropamine.experiments.choices.PUBLISHED_NETWORKS.
NETWORKS: dict[str, tuple[str | None, bool]] = {
    "snn": (None, False),
    "dp-oja": ("oja", False),
    "dp-bcm": ("bcm", False),
    "ndp-oja": ("oja", True),
    "ndp-bcm": ("bcm", True),
}


LEARNED_CONSTANTS = (
    "learn_beta",
    "learn_threshold",
)  # of neurons: options of the networks here, and of no control's cells


@dataclass(frozen=True)
class NetworkOptions:
    """What may be chosen about a network beside its name and its sizes. Times in milliseconds.

    All values are this project's choice; the same options serve every network, each of which reads those that it has a use for.
    """

    dt: float = 5.0  # tick
    tau_membrane: float = 20.0  # hidden neurons
    tau_readout: float = 20.0  # readout
    tau_trace: float = 100.0  # both traces
    tau_theta: float = 500.0  # BCM's sliding threshold
    eta_oja: float = 5.0  # η at the start of training, per tick
    eta_bcm: float = 20.0  # likewise
    e_max: float = 3.0  # bound of |E|
    alpha_scale: float = 0.1  # standard deviation of α at the start of training
    weight_scale: float = 2.0  # standard deviation of W at the start of training, times √P
    modulator_scale: float = 1.0  # standard deviation of V at the start of training, times √Q
    slope: float = 25.0  # steepness of the surrogate gradient
    rule: dict[str, float] = added(
        {}
    )  # arguments of the rule, whichever it is, by name; before those above; of snn, empty
    learn_beta: bool = added(False)  # β of the hidden neurons and of the readout, from their time constants on
    learn_threshold: bool = added(False)  # the hidden neurons' threshold, from 1 on

    def __post_init__(self):
        checks = {"e_max": require_float32, "slope": require_float32} | dict.fromkeys(LEARNED_CONSTANTS, require_bool)
        for name, value in vars(self).items():
            if name != "rule":
                checks.get(name, require_positive)(name, value)
        require(isinstance(self.rule, dict), "rule", self.rule, "the rule's arguments by name, such as {'eta': 5.0}")


def require_constants_fixed(name: str, options: NetworkOptions) -> None:
    """Refuse options that ask for learned constants of ``name``, whose neurons have fixed ones."""
    for option in LEARNED_CONSTANTS:
        value = getattr(options, option)
        require(not value, option, value, f"False for {name}, whose neurons have fixed constants")


def hidden_neuron(options: NetworkOptions) -> snntorch.Leaky:
    """The hidden neurons of a network under ``options``."""
    return leaky(options.tau_membrane, options.dt, options.slope, options.learn_beta, options.learn_threshold)


# The options that belong to one rule each: option → (rule, its argument). Later rules take theirs from ``rule`` alone.
_OF_RULE = {"eta_oja": ("oja", "eta"), "eta_bcm": ("bcm", "eta"), "tau_theta": ("bcm", "tau_theta")}


def rule_of(name: str, options: NetworkOptions | None = None) -> Rule | None:
    """The rule of network ``name`` as it starts out under ``options``; None where the network has none.

    Raises:
        ValueError: an unknown network, an argument that the rule does not take, or a value that it refuses.
    """
    require_choice("name", name, NETWORKS)
    rule, options = NETWORKS[name][0], options or NetworkOptions()
    if rule is None:
        require(not options.rule, "rule", options.rule, f"empty for {name}, which has no rule")
        return None
    own = {argument: getattr(options, option) for option, (of, argument) in _OF_RULE.items() if of == rule}
    return make_rule(rule, **own | options.rule)


def scaled(options: NetworkOptions, name: str, factor: float) -> NetworkOptions:
    """``options`` with the learned rates that the rule of network ``name`` starts out with multiplied by ``factor``."""
    rule = NETWORKS[name][0] if name in NETWORKS else None
    changed = {option: factor * getattr(options, option) for option in ("eta_oja", "eta_bcm")}
    if rule is not None and rule not in {of for of, _ in _OF_RULE.values()} and factor != 1:
        given = RULES[rule].defaults() | options.rule
        changed["rule"] = options.rule | {
            rate: factor * value for rate in RULES[rule].rates if (value := given[rate]) is not None
        }
    return replace(options, **changed)


class NetworkState(NamedTuple):
    """What a network of :func:`build` carries from tick to tick."""

    hidden: HiddenState
    readout: Tensor  # (B, classes) potential

    def to(self, *arguments, **options) -> "NetworkState":
        """As ``Tensor.to``, of every part."""
        return NetworkState(self.hidden.to(*arguments, **options), self.readout.to(*arguments, **options))

    def detach(self) -> "NetworkState":
        """The same values without their history, as in truncated backpropagation through time."""
        return NetworkState(self.hidden.detach(), self.readout.detach())

    def with_efficacies(self, E: Tensor) -> "NetworkState":
        """The same state with other plastic efficacies, (B, Q, P)."""
        plastic: Any = self.hidden.plastic
        return self._replace(hidden=self.hidden._replace(plastic=plastic._replace(E=E)))


torch.serialization.add_safe_globals([NetworkState])  # torch.load takes a state that was saved


class Run(NamedTuple):
    """What one run of a network leaves behind."""

    readout: Tensor  # (T, B, classes)
    spikes: Tensor  # (T, B, Q) hidden spikes
    state: Any  # hidden state and readout potential (B, classes); in a SpikingNetwork a NetworkState


def nothing(network: nn.Module, spikes: Tensor, state: Any) -> Run:
    """What a network that ends in ``network.readout`` leaves behind of no ticks, spikes (0, B, P)."""
    readout: Any = network.readout
    none = spikes.new_zeros(0, spikes.shape[1], 1)
    return Run(none.expand(-1, -1, readout.out_features), none.expand(-1, -1, readout.in_features), state)


class Recording(NamedTuple):
    """Everything that happened at every tick, for looking at; without gradients.

    E, traces, θ and M are those of the tick's step 4, before E is updated; None in ``snn``.
    """

    spikes: Tensor  # (T, B, Q)
    v: Tensor  # (T, B, Q)
    readout: Tensor  # (T, B, classes)
    E: Tensor | None  # (T, B, Q, P)
    x_pre: Tensor | None  # (T, B, P)
    x_post: Tensor | None  # (T, B, Q)
    theta: Tensor | None  # (T, B, Q)
    modulator: Tensor | None  # (T, B, Q)


class SpikingNetwork(nn.Module):
    """Input spikes → synapses → hidden ``snntorch.Leaky`` → linear → leaky, non-spiking readout.

    Build one with :func:`build`.
    """

    def __init__(self, synapses: nn.Linear | PlasticLinear, readout: nn.Linear, options: NetworkOptions):
        super().__init__()
        self.synapses, self.readout = synapses, readout
        self.neuron = hidden_neuron(options)
        self.integrator = integrator(options.tau_readout, options.dt, options.learn_beta)

    @property
    def n_inputs(self) -> int:
        """Input neurons P."""
        return self.synapses.in_features

    def initial_state(self, batch_size: int) -> NetworkState:
        """The state of ``batch_size`` trials before the first tick: everything zero."""
        require_batch(batch_size, n_outputs=self.readout.out_features)
        hidden = initial_state(self.synapses, batch_size)
        return NetworkState(hidden, hidden.v.new_zeros(batch_size, self.readout.out_features))

    def run(self, spikes: Tensor, state: NetworkState | None = None, path: str = "auto") -> Run:
        """Run over the ticks of ``spikes``, (T, B, P), from ``state`` or from zero.

        Spikes may be bool or integers too. ``path`` and the errors raised are those of :func:`spikepropamine.snn.scan.scan`; what is
        wrong with the readout or its state is named likewise.
        """
        pair = isinstance(state, tuple) and len(state) == 2 and not isinstance(state, HiddenState)
        if state is not None and not pair:
            raise TypeError(f"state is a {type(state).__name__}: must be None or a NetworkState, the state of a run")
        hidden, y = (None, None) if state is None else state
        require_readout(self.readout, self.synapses.out_features)
        spikes = as_spikes("spikes", spikes, self.readout.weight.dtype)
        out, hidden = scan(self.synapses, self.neuron, spikes, hidden, path)
        shape = (out.shape[1], self.readout.out_features)
        y = out.new_zeros(*shape) if y is None else y
        weight = self.readout.weight
        lower = autocast(weight) and isinstance(y, Tensor)  # what autocast makes of potentials
        require_tensor("state.readout", y, shape, y.dtype if lower else weight.dtype, weight.device, finite=False)
        potential, y = integrate(self.readout(out), y, self.integrator, path)
        return Run(potential, out, NetworkState(hidden, y))

    def forward(self, spikes: Tensor, record: bool = False) -> Tensor | tuple[Tensor, Recording]:
        """The readout, (T, B, classes), of ``spikes``, (T, B, P); with ``record``, which takes the reference path, a recording too."""
        if not isinstance(record, bool):
            raise TypeError(f"record is a {type(record).__name__}: must be True or False (run takes a state)")
        if not record:
            return self.run(spikes).readout
        recording = self._record(as_spikes("spikes", spikes, self.synapses.weight.dtype))
        return recording.readout, recording

    @torch.no_grad()
    def _record(self, spikes: Tensor) -> Recording:
        require_tensor("spikes", spikes, ("T", "B", self.n_inputs), self.synapses.weight.dtype)
        ticks = []
        state = self.initial_state(spikes.shape[1])
        # of no ticks the shapes are those of one
        for s in spikes if len(spikes) else spikes.new_zeros(1, *spikes.shape[1:]):
            before = state[0].plastic
            readout, out, state = self.run(s.unsqueeze(0), state, path="reference")
            tick = [out[0], state[0].v, readout[0]]
            after = state[0].plastic
            if isinstance(self.synapses, PlasticLinear) and before and after:
                modulator = self.synapses.modulator(after.x_post)
                tick += [before.E, after.x_pre, after.x_post, before.theta, modulator]
            ticks.append(tick)
        stacked = [torch.stack(series)[: len(spikes)] for series in zip(*ticks)]
        return Recording(*stacked, *[None] * (len(Recording._fields) - len(stacked)))


def check_arguments(n_inputs: int, n_hidden: int, n_outputs: int, seed: int, options: dict[str, Any]) -> NetworkOptions:
    """The options of a network, once its sizes, its seed and their names are what they must be."""
    require_network(n_inputs, n_hidden, n_outputs, seed)
    for parameter in options:
        require_choice("option", parameter, NetworkOptions.__dataclass_fields__)
    return NetworkOptions(**options)


def build(
    name: str,
    n_inputs: int,
    n_hidden: int,
    n_outputs: int,
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **options: Any,
) -> SpikingNetwork:
    """A network by name; for one seed, all names share their fixed weights to the last bit.

    Args:
        name: one of ``snn``, ``dp-oja``, ``dp-bcm`` (differentiable plasticity) and ``ndp-oja``,
            ``ndp-bcm`` (neuromodulated).
        n_inputs: input neurons P.
        n_hidden: hidden neurons Q.
        n_outputs: classes.
        seed: seed of the initial weights, a whole number >= 0.
        device, dtype: of all parameters; the weights are drawn on the CPU in the default dtype, whatever these are.
        options: fields of :class:`NetworkOptions`.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """
    require_choice("name", name, NETWORKS)
    o = check_arguments(n_inputs, n_hidden, n_outputs, seed, options)
    generator = torch.Generator("cpu").manual_seed(int(seed))

    def normal(rows: int, columns: int, scale: float) -> Tensor:
        return float(scale) * torch.randn(rows, columns, generator=generator, device="cpu")

    # The fixed weights are drawn first and from one stream, so that no network's differ.
    weight = normal(n_hidden, n_inputs, o.weight_scale / math.sqrt(n_inputs))
    readout_weight = normal(n_outputs, n_hidden, 1 / math.sqrt(n_hidden))
    modulated = NETWORKS[name][1]
    synapses: nn.Linear | PlasticLinear
    with with_values(device):
        rule, readout = rule_of(name, o), nn.Linear(n_hidden, n_outputs)
        if rule is None:
            synapses = nn.Linear(n_inputs, n_hidden)
        else:
            synapses = PlasticLinear(n_inputs, n_hidden, rule, modulated, o.e_max, o.dt, o.tau_trace)
        network = SpikingNetwork(synapses, readout, o)
    with torch.no_grad():
        synapses.weight.copy_(weight)
        synapses.bias.zero_()
        readout.weight.copy_(readout_weight)
        readout.bias.zero_()
        if isinstance(synapses, PlasticLinear):
            synapses.alpha.copy_(normal(n_hidden, n_inputs, o.alpha_scale))
        if isinstance(synapses, PlasticLinear) and modulated:
            scale = o.modulator_scale / math.sqrt(n_hidden)
            synapses.modulator_weight.copy_(normal(n_hidden, n_hidden, scale))
    return placed(network, device, dtype)
