"""Two policies whose memory is not plasticity: recurrent spiking neurons, and a gated recurrent unit.

They stand beside the six policies of the book where a walk has to be learned within the episode.
"""

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checks import require, require_batch, require_count, require_network, require_tensor
from ..snn.controls import Recurrent
from ..snn.layers import integrator, leaky
from ..snn.networks import NetworkOptions, require_constants_fixed
from ..snn.scan import fire, integrate
from .policies import POLICIES, Policy, SpikingPolicy, TanhPolicy, require_fields, require_kind, require_row

MEMORIES = (*POLICIES, "rsnn", "gru")


class RecurrentState(NamedTuple):
    """What a recurrent spiking policy carries from control step to control step."""

    encoder: Tensor  # (B, Q) potentials of the first population
    spikes: Tensor  # (B, Q) of the second
    v: Tensor  # (B, Q) its potentials
    readout: Tensor  # (B, actions)


class RecurrentSpikingPolicy(nn.Module):
    """A spiking policy whose second population hears its own spikes of the tick before, through learned weights."""

    def __init__(self, encoder: nn.Linear, n_actions: int, ticks: int, options: NetworkOptions):
        super().__init__()
        n = encoder.out_features
        self.encoder, self.ticks = encoder, ticks
        self.neuron = leaky(options.tau_membrane, options.dt, options.slope)
        self.cell = Recurrent(n, n, options)
        self.readout = nn.Linear(n, n_actions)
        self.integrator = integrator(options.tau_readout, options.dt)

    def initial_state(self, batch_size: int) -> RecurrentState:
        """The state at the start of an episode: everything zero."""
        self.require_parts()
        require_batch(batch_size, n_hidden=self.encoder.out_features, n_outputs=self.readout.out_features)
        zero = self.encoder.weight.new_zeros(batch_size, self.encoder.out_features)
        return RecurrentState(zero, zero, zero, zero.new_zeros(batch_size, self.readout.out_features))

    def run(self, observations: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """Means of actions, (T, B, actions), of ``observations``, (T, B, inputs), and the state after the last."""
        weight, n = self.encoder.weight, self.encoder.out_features
        require_tensor("observations", observations, ("T", "B", self.encoder.in_features), weight.dtype, weight.device)
        if not isinstance(state, RecurrentState):
            raise TypeError(f"state is a {type(state).__name__}: must be a RecurrentState, as initial_state makes it")
        for name, x in state._asdict().items():
            size = self.readout.out_features if name == "readout" else n
            require_tensor(f"state.{name}", x, (observations.shape[1], size), weight.dtype, weight.device)
        current = self.encoder(observations).repeat_interleave(self.ticks, 0)
        spikes, encoder = fire(current, state.encoder, self.neuron)
        out, (s, v) = self.cell.run(spikes, (state.spikes, state.v))
        readout, y = integrate(self.readout(out), state.readout, self.integrator)
        return readout[self.ticks - 1 :: self.ticks], RecurrentState(encoder, s, v, y)

    def require_parts(self) -> None:
        """Refuse parts, which anyone may replace, that are of another kind or do not fit one another."""
        require_kind("cell", self.cell, Recurrent)
        require_row({"encoder": self.encoder, "cell.synapses": self.cell.synapses, "readout": self.readout})
        require_count("ticks", self.ticks)


class GRUPolicy(nn.Module):
    """Linear and tanh, then a gated recurrent unit (Cho et al. 2014), then linear: the ordinary policy with a memory."""

    def __init__(self, n_inputs: int, n_hidden: int, n_outputs: int):
        super().__init__()
        self.encoder, self.cell = nn.Linear(n_inputs, n_hidden), nn.GRU(n_hidden, n_hidden)
        self.readout = nn.Linear(n_hidden, n_outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """The hidden units, (B, Q), at the start of an episode: zero."""
        self.require_parts()
        require_batch(batch_size, n_hidden=self.encoder.out_features, n_outputs=self.readout.out_features)
        return self.encoder.weight.new_zeros(batch_size, self.encoder.out_features)

    def run(self, observations: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Means of actions, (T, B, actions), of ``observations``, (T, B, inputs), and the hidden units after the last."""
        weight, sizes = self.encoder.weight, (self.encoder.in_features, self.encoder.out_features)
        require_tensor("observations", observations, ("T", "B", sizes[0]), weight.dtype, weight.device)
        require_tensor("state", state, (observations.shape[1], sizes[1]), weight.dtype, weight.device)
        if not len(observations):
            return observations.new_zeros(*observations.shape[:2], self.readout.out_features), state
        out, state = self.cell(torch.tanh(self.encoder(observations)), state[None])
        return self.readout(out), state[0]

    def require_parts(self) -> None:
        """Refuse parts, which anyone may replace, that are of another kind or do not fit one another."""
        require_row({"encoder": self.encoder, "readout": self.readout})
        weight, n, cell = self.encoder.weight, self.encoder.out_features, self.cell
        require_kind("cell", cell, nn.GRU)
        fits = (cell.input_size, cell.hidden_size, cell.num_layers) == (n, n, 1) and not cell.batch_first
        require(fits and not cell.bidirectional, "cell", cell, f"as nn.GRU({n}, {n}), of the neurons of the encoder")
        for name, x in cell.named_parameters():
            require_tensor(f"cell.{name}", x, tuple(x.shape), weight.dtype, weight.device, finite=False)


@dataclasses.dataclass(frozen=True)
class MemoryPolicy:
    """Which of MEMORIES, and what may be chosen about it; the fields are those of :class:`Policy`."""

    name: str
    n_hidden: int = 64
    ticks: int = 2
    action_scale: float = 0.1
    options: NetworkOptions = Policy("snn").options

    def __post_init__(self):
        require_fields(self, MEMORIES)
        if self.name == "rsnn":
            require_constants_fixed(self.name, self.options)

    def build(
        self, n_inputs: int, n_outputs: int, seed: int
    ) -> SpikingPolicy | TanhPolicy | RecurrentSpikingPolicy | GRUPolicy:
        """The untrained policy."""
        if self.name in POLICIES:
            return Policy(**vars(self)).build(n_inputs, n_outputs, seed)
        require_network(n_inputs, self.n_hidden, n_outputs, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            if self.name == "gru":
                policy = GRUPolicy(int(n_inputs), int(self.n_hidden), int(n_outputs))
            else:
                encoder = (
                    Policy("snn", self.n_hidden, self.ticks, self.action_scale, self.options)
                    .build(n_inputs, n_outputs, seed)
                    .encoder
                )
                policy = RecurrentSpikingPolicy(encoder, n_outputs, self.ticks, self.options)
                nn.init.normal_(policy.cell.synapses.weight, std=self.options.weight_scale / self.n_hidden**0.5)
                nn.init.zeros_(policy.cell.synapses.bias)
        with torch.no_grad():
            policy.readout.weight.mul_(float(self.action_scale))
            policy.readout.bias.zero_()
        return policy
