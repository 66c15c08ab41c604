"""Networks with another kind of memory than plastic synapses: what else could do the task?

Each has the readout, the neurons' time constants and the surrogate gradient of :mod:`spikepropamine.snn.networks`, and
differs in the hidden layer alone. On the CPU all of them run compiled; elsewhere those that are no plain network loop over the
ticks.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import snntorch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import require_choice, require_matrix
from . import obstacles
from .arguments import require_spikes
from .fused.neurons import adaptive, recurrent
from .layers import Spike, integrator, leaky, made
from .networks import NetworkOptions, Run, SpikingNetwork, build, check_arguments, nothing, require_constants_fixed
from .reference import tidy
from .scan import fire, integrate, tell_not_fused
from .surrogates import slope_of

# Time constants in milliseconds and other values; this project's choice where no source is named.
TAU_LONG = 500.0  # membrane of snn-long, synaptic current of synaptic, and what slstm forgets with before it is trained
TAU_ADAPTATION = 700.0  # threshold of alif
# How far a spike raises it, in thresholds: 170 / 700 ms × 1 ms. The code of Bellec et al. (github.com/IGITUGraz/LSNN-official)
# has β = 1.7 and a threshold of 0.01, so 170 thresholds for one spike a millisecond kept up.
SPIKE_ADAPTATION = 0.24
LSTM_THRESHOLD = 0.1  # an LSTM's output stays below 1, where snnTorch's default never spikes


class Cell(nn.Module):
    """A hidden layer that hears its synapses tick by tick: called, it makes one tick; ``over`` makes many, compiled."""

    tensors = 2  # (B, Q), of its state
    synapses: nn.Linear
    neuron: Any  # one of snnTorch's
    over: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
    obstacle: Callable[[], str | None]  # what of its neurons ``over`` does not compute

    def run(self, spikes: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Spikes, (T, B, Q), and the last state."""
        current = self.synapses(spikes)
        return (self.over if self._compiled(current, state) else self.each)(current, state)

    def _compiled(self, current: Tensor, state: tuple[Tensor, ...]) -> bool:
        """Whether :meth:`over` computes as :meth:`each` does."""
        own = [module for name, module in self.named_modules() if name != "synapses"]
        obstacle = (
            obstacles.to_compiled((current, *state, *self.parameters()), own)
            or obstacles.of_methods(self, CELLS.values(), "forward", "over", "each")
            or self.obstacle()
        )
        if obstacle:
            tell_not_fused(obstacle)
        return obstacle is None

    def each(self, current: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As :meth:`run`, of the currents (T, B, Q), tick after tick."""
        out = []
        with tidy(self.neuron):
            for I in current:
                s, state = self(I, state)
                out.append(s)
        return torch.stack(out) if out else current, state


class Recurrent(Cell):
    """``snntorch.RLeaky``: each neuron hears the spikes of all at the tick before, through learned weights."""

    def __init__(self, n_inputs: int, n_hidden: int, o: NetworkOptions):
        super().__init__()
        self.synapses = nn.Linear(n_inputs, n_hidden)
        beta = math.exp(-o.dt / o.tau_membrane)
        self.neuron = made(
            snntorch.RLeaky, beta=beta, linear_features=n_hidden, all_to_all=True, spike_grad=Spike(o.slope)
        )
        nn.init.normal_(self.neuron.recurrent.weight, std=1 / math.sqrt(n_hidden))
        nn.init.zeros_(self.neuron.recurrent.bias)

    def forward(self, current: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        out, v = self.neuron(current, *state)
        return out, (out, v)

    def obstacle(self) -> str | None:
        """What of its neurons :meth:`over` does not compute, or None."""
        n = self.neuron
        found = obstacles.of_neuron(n, kind=snntorch.RLeaky) or obstacles.of_layer(n.recurrent)
        if found is None and (n.beta.requires_grad or n.threshold.requires_grad):
            return "the neurons' β or threshold is learned"
        return found or ("the recurrent layer has no bias" if n.recurrent.bias is None else None)

    def over(self, current: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As :meth:`each`."""
        n = self.neuron
        beta = n.beta.clamp(0, 1)  # as snnTorch does
        return recurrent(current, state, n.recurrent.weight, n.recurrent.bias, beta, n.threshold, slope_of(n))


class SecondOrder(nn.Module):
    """What ``snntorch.Synaptic`` computes: the synaptic current decays slowly instead of ending with the tick."""

    tensors = 2

    def __init__(self, n_inputs: int, n_hidden: int, o: NetworkOptions):
        super().__init__()
        self.synapses = nn.Linear(n_inputs, n_hidden)
        self.slow = integrator(TAU_LONG, o.dt)
        self.neuron = leaky(o.tau_membrane, o.dt, o.slope)

    def run(self, spikes: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As :meth:`Cell.run`."""
        slow, v = state
        # i[t] = α i[t−1] + I[t], and i is what the neuron hears
        current, slow = integrate(self.synapses(spikes), slow, self.slow)
        out, v = fire(current, v, self.neuron)
        return out, (slow, v)


class Adaptive(Cell):
    """Leaky neurons whose threshold rises with their own spikes and falls back slowly (Bellec et al. 2018)."""

    tensors = 3

    def __init__(self, n_inputs: int, n_hidden: int, o: NetworkOptions):
        super().__init__()
        self.synapses = nn.Linear(n_inputs, n_hidden)
        self.neuron = leaky(o.tau_membrane, o.dt, o.slope)
        self.decay = math.exp(-o.dt / TAU_ADAPTATION)

    def forward(self, current: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        v, a, s = state
        # a[t] = ρ a[t−1] + κ s[t−1], ϑ[t] = 1 + a[t]
        # v[t] = β v[t−1] + I[t] − s[t−1] ϑ[t], s[t] = [v[t] > ϑ[t]]
        a = self.decay * a + SPIKE_ADAPTATION * s
        threshold = 1 + a
        v = self.neuron.beta * v + current - (s * threshold).detach()
        s = self.neuron.spike_grad(v - threshold)
        return s, (v, a, s)

    def obstacle(self) -> str | None:
        """As :meth:`Recurrent.obstacle`; of ``neuron`` only β and the surrogate gradient are used."""
        beta = self.neuron.beta
        if beta.requires_grad or beta.numel() != 1 or not isinstance(self.decay, float):
            return "the neurons differ in β, or their β or decay is learned"
        return obstacles.of_surrogate(self.neuron)

    def over(self, current: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As :meth:`each`."""
        return adaptive(current, state, self.neuron.beta, self.decay, SPIKE_ADAPTATION, slope_of(self.neuron))


class LSTM(nn.Module):
    """What ``snntorch.SLSTM`` computes: a long short-term memory whose output is turned to spikes.

    That class itself, in snnTorch 1.0.0, starts anew from zero at every tick unless there are as many inputs as neurons.
    The forget gate starts out at a long time constant, after Tallec and Ollivier 2018.
    """

    tensors = 2

    def __init__(self, n_inputs: int, n_hidden: int, o: NetworkOptions):
        super().__init__()
        self.lstm, self.spike = nn.LSTM(n_inputs, n_hidden), Spike(o.slope)
        keeps = math.exp(-o.dt / TAU_LONG)
        _, forget, _, _ = self.lstm.get_parameter("bias_ih_l0").chunk(4)
        nn.init.constant_(forget, math.log(keeps / (1 - keeps)))

    def run(self, spikes: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As :meth:`Cell.run`."""
        h, c = state
        if obstacles.transform() is not None:
            return self.each(spikes, state)
        out, (h, c) = self.lstm(spikes, (h[None], c[None]))
        return self.spike(out - LSTM_THRESHOLD), (h[0], c[0])

    def each(self, spikes: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As :meth:`run`, tick after tick: ``torch.func`` has no rule for the loop within ``nn.LSTM``."""
        w: Any = self.lstm
        (h, c), out = state, []
        for s in spikes:
            gates = F.linear(s, w.weight_ih_l0, w.bias_ih_l0) + F.linear(h, w.weight_hh_l0, w.bias_hh_l0)
            i, f, g, o = gates.chunk(4, -1)
            # c[t] = σ(f) c[t−1] + σ(i) tanh(g), h[t] = σ(o) tanh(c[t])
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            out.append(h)
        return self.spike(torch.stack(out) - LSTM_THRESHOLD), (h, c)


CELLS: dict[str, type[Cell | SecondOrder | LSTM]] = {
    "rsnn": Recurrent,
    "alif": Adaptive,
    "synaptic": SecondOrder,
    "slstm": LSTM,
}


class CellNetwork(nn.Module):
    """Input spikes → a cell → linear → leaky, non-spiking readout."""

    def __init__(self, cell: Cell | SecondOrder | LSTM, n_inputs: int, readout: nn.Linear, o: NetworkOptions):
        super().__init__()
        self.cell, self.n_inputs, self.n_hidden, self.readout = cell, n_inputs, readout.in_features, readout
        self.integrator = integrator(o.tau_readout, o.dt)

    def run(self, spikes: Tensor) -> Run:
        """Run over the ticks of ``spikes``, (T, B, P), from a state of zero."""
        spikes = require_spikes(self, spikes, self.n_inputs, self.n_hidden)
        start = (spikes.new_zeros(spikes.shape[1], self.n_hidden),) * self.cell.tensors
        zero = spikes.new_zeros(spikes.shape[1], self.readout.out_features)
        if not len(spikes):
            return nothing(self, spikes, (start, zero))
        out, state = self.cell.run(spikes, start)
        potential, y = integrate(self.readout(out), zero.to(out.dtype), self.integrator)
        return Run(potential, out, (state, y))

    def forward(self, spikes: Tensor) -> Tensor:
        """The readout, (T, B, classes), of ``spikes``, (T, B, P)."""
        return self.run(spikes).readout


def _plain(n_inputs: int, n_hidden: int, n_outputs: int, seed: int, o: NetworkOptions) -> SpikingNetwork:
    return build("snn", n_inputs, n_hidden, n_outputs, seed, **dataclasses.asdict(o))


def _long(n_inputs: int, n_hidden: int, n_outputs: int, seed: int, o: NetworkOptions) -> SpikingNetwork:
    return _plain(n_inputs, n_hidden, n_outputs, seed, dataclasses.replace(o, tau_membrane=TAU_LONG))


def _wide(n_inputs: int, n_hidden: int, n_outputs: int, seed: int, o: NetworkOptions) -> SpikingNetwork:
    largest = build("ndp-bcm", n_inputs, n_hidden, n_outputs)
    parameters = sum(p.numel() for p in largest.parameters())
    # n (P + 1) + (n + 1) C parameters
    wide = math.ceil((parameters - n_outputs) / (n_inputs + 1 + n_outputs))
    return _plain(n_inputs, wide, n_outputs, seed, o)


def _of_cell(name: str) -> Callable[..., CellNetwork]:
    def make(n_inputs: int, n_hidden: int, n_outputs: int, seed: int, o: NetworkOptions) -> CellNetwork:
        require_matrix(("n_hidden", n_hidden), ("n_hidden", n_hidden))
        plain = _plain(n_inputs, n_hidden, n_outputs, seed, o)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            cell = CELLS[name](n_inputs, n_hidden, o)
        if not isinstance(cell, LSTM):
            cell.synapses.load_state_dict(plain.synapses.state_dict())
        return CellNetwork(cell, n_inputs, plain.readout, o)

    return make


CONTROLS: dict[str, Callable[..., nn.Module]] = {"snn-long": _long, "snn-wide": _wide} | {
    name: _of_cell(name) for name in CELLS
}


def build_control(name: str, n_inputs: int, n_hidden: int, n_outputs: int, seed: int = 0, **options: Any) -> nn.Module:
    """A control by name, with the fixed weights of :func:`~spikepropamine.snn.networks.build` wherever it has the same ones.

    Args:
        name: ``snn-long`` (a long membrane time constant), ``snn-wide`` (as many parameters as the largest plastic
            network), ``rsnn`` (recurrent), ``alif`` (adaptive thresholds), ``synaptic`` (second-order synapses) or
            ``slstm`` (spiking LSTM).
        n_inputs, n_hidden, n_outputs, seed, options: as in :func:`~spikepropamine.snn.networks.build`.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """
    require_choice("name", name, CONTROLS)
    o = check_arguments(n_inputs, n_hidden, n_outputs, seed, options)
    if name in CELLS:
        require_constants_fixed(name, o)
    return CONTROLS[name](int(n_inputs), int(n_hidden), int(n_outputs), int(seed), o)
