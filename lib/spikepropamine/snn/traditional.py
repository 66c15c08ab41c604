"""Traditional spiking networks with a memory of their own: the baselines of round two.

Each is recurrent, learns the constants of its memory beside its weights, and has the inputs, the readout and the surrogate
gradients of :mod:`spikepropamine.snn.networks`. On the CPU they run compiled; the readable form, one tick at a time, is each
cell's ``tick``. snnTorch 1.0 has no neuron with an adaptive threshold and no synapse with short-term plasticity; its
``RLeaky`` is what ``rsnn-long`` computes, and a test holds it to that.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import require, require_choice, require_matrix, require_network, require_positive, require_tensor
from ..fields import added
from . import obstacles
from .arguments import require_spikes
from .fused.recurrent_memory import (
    Adaptation,
    ShortTerm,
    adaptive_recurrent,
    missing,
    released,
    short_term_recurrent,
)
from .layers import Spike, Step, integrator
from .networks import Run, nothing
from .scan import integrate, tell_not_fused

SURROGATES = ("fast sigmoid", "triangle")


@dataclass(frozen=True)
class TraditionalOptions:
    """What may be chosen about a traditional network. Times in milliseconds; all values are this project's choice
    where a cell names no source."""

    dt: float = 5.0
    tau_membrane: float = 20.0  # of lsnn and stp
    tau_readout: float = 20.0
    weight_scale: float = 2.0  # standard deviation of W at the start of training, times √P
    recurrent_scale: float = 1.0  # standard deviation of R at the start of training, times √Q
    slope: float = 25.0  # steepness of the fast sigmoid; of rsnn-long and stp
    damping: float = 0.3  # γ of the triangular surrogate, which lsnn has
    tau_adaptation: float = 2000.0  # of lsnn, at the start of training
    strength: float = 0.1  # κ of lsnn's adaptive half, at the start of training
    tau_shortest: float = 20.0  # membranes of rsnn-long, spread evenly on a log scale at the start of training
    tau_longest: float = 1000.0
    recovery: float = 1.0  # factor on both time constants of stp's synapses at the start of training
    surrogate: str = added("fast sigmoid")  # one of SURROGATES; of rsnn-long and stp

    def __post_init__(self):
        for name, value in vars(self).items():
            if name != "surrogate":
                require_positive(name, value)
        require_choice("surrogate", self.surrogate, SURROGATES)
        require(self.tau_longest > self.tau_shortest, "tau_longest", self.tau_longest, f"above {self.tau_shortest}")


class Triangle:
    """The surrogate derivative ψ(u) = ``γ max(0, 1 − |u|)``, u in thresholds (Bellec et al. 2018)."""

    def __init__(self, damping: float):
        self.damping = damping

    def derivative(self, u: Tensor) -> Tensor:
        """ψ at ``u``, any shape."""
        return self.damping * (1 - u.abs()).clamp(min=0)


def surrogate(o: TraditionalOptions) -> Triangle | Spike:
    """The surrogate that the options name."""
    return Triangle(o.damping) if o.surrogate == "triangle" else Spike(o.slope)


def decay(log_tau: Tensor, dt: float) -> Tensor:
    """exp(−dt/τ): what is left after a tick, of the logarithm of τ in milliseconds."""
    return torch.exp(-float(dt) * torch.exp(-log_tau))


class _Cell(nn.Module):
    """Input synapses W, recurrent synapses R, and ``run(spikes) -> spikes``, (T, B, P) to (T, B, Q)."""

    run: Callable[[Tensor], Tensor]
    rest: Callable[[int], Any]
    tick: Callable[[Tensor, Any], tuple[Tensor, Any]]

    def __init__(self, n_inputs: int, n_hidden: int, o: TraditionalOptions):
        super().__init__()
        self.options = o
        self.synapses = nn.Linear(n_inputs, n_hidden)
        self.recurrent = nn.Parameter(torch.randn(n_hidden, n_hidden) * (o.recurrent_scale / math.sqrt(n_hidden)))
        nn.init.normal_(self.synapses.weight, std=o.weight_scale / math.sqrt(n_inputs))
        nn.init.zeros_(self.synapses.bias)

    def learned(self) -> dict[str, int]:
        """The constants that are learned beside W and R, by name, and how many of each there are."""
        return {}

    def require_sizes(self) -> None:
        """Refuse recurrent synapses and constants that are not of the size, the dtype and the device of the input synapses."""
        like, neurons = self.synapses.weight, self.synapses.out_features
        shapes = {"recurrent": (neurons, neurons)} | {name: (n,) for name, n in self.learned().items()}
        for name, shape in shapes.items():
            require_tensor(name, attrgetter(name)(self), shape, like.dtype, like.device, finite=False)

    def each(self, spikes: Tensor) -> Tensor:
        """As ``run``, tick after tick in plain torch: the readable form, differentiable by autograd."""
        state, out = self.rest(spikes.shape[1]), []
        for s in spikes:
            z, state = self.tick(s, state)
            out.append(z)
        return torch.stack(out)


class AdaptiveState(NamedTuple):
    """Of :class:`AdaptiveRecurrent`, each (B, Q)."""

    v: Tensor  # potential
    a: Tensor  # adaptation
    z: Tensor  # spikes


class AdaptiveRecurrent(_Cell):
    """A recurrent network of leaky neurons, a share of which adapt their thresholds: the LSNN.

    v[t] = β v[t−1] + W s[t] + b + R z[t−1] − z[t−1],   a[t] = ρ a[t−1] + z[t−1],   z[t] = [v[t] > 1 + κ a[t]],

    β = exp(−dt/τ_m), ρ = exp(−dt/τ_a). Half of the neurons adapt; the others have κ = 0. Learned: W, b, R, and τ_a and κ of
    each adaptive neuron. Two seconds of τ_a and the surrogate ``0.3 max(0, 1 − |u|)`` are the source's.

    Source: G. Bellec, D. Salaj, A. Subramoney, R. Legenstein, W. Maass (2018), Long short-term memory and learning-to-learn
    in networks of spiking neurons; in the notation of G. Bellec et al. (2020), A solution to the learning dilemma for
    recurrent networks of spiking neurons. There τ_a and κ are set by hand.
    """

    def __init__(self, n_inputs: int, n_hidden: int, o: TraditionalOptions):
        super().__init__(n_inputs, n_hidden, o)
        adaptive = (n_hidden + 1) // 2
        self.log_tau = nn.Parameter(torch.full((adaptive,), math.log(o.tau_adaptation)))
        self.log_strength = nn.Parameter(torch.full((adaptive,), math.log(o.strength)))
        self.surrogate: Triangle | Spike = Triangle(o.damping)

    def learned(self) -> dict[str, int]:
        """τ_a and κ of each adaptive neuron."""
        adaptive = (self.synapses.out_features + 1) // 2
        return {"log_tau": adaptive, "log_strength": adaptive}

    def constants(self) -> Adaptation:
        """β, ρ and κ of each neuron."""
        neurons = self.synapses.out_features
        rest = self.recurrent.new_zeros(neurons - len(self.log_tau))
        beta = self.recurrent.new_full((neurons,), math.exp(-self.options.dt / self.options.tau_membrane))
        rho = torch.cat([decay(self.log_tau, self.options.dt), rest])
        return Adaptation(beta, rho, torch.cat([self.log_strength.exp(), rest]))

    def run(self, spikes: Tensor) -> Tensor:
        """Spikes, (T, B, Q), of spikes (T, B, P), from rest."""
        return adaptive_recurrent(self.synapses(spikes), self.recurrent, self.constants(), self.surrogate.derivative)

    def rest(self, batch_size: int) -> AdaptiveState:
        """The state before the first tick: zero."""
        zero = self.recurrent.new_zeros(batch_size, len(self.recurrent))
        return AdaptiveState(zero, zero, zero)

    def tick(self, s: Tensor, state: AdaptiveState) -> tuple[Tensor, AdaptiveState]:
        """One tick: spikes (B, Q), and the state after it."""
        v, a, z = state
        beta, rho, strength = self.constants()
        # a[t] = ρ a[t−1] + z[t−1]
        a = rho * a + z
        # v[t] = β v[t−1] + W s[t] + b + R z[t−1] − z[t−1]
        v = beta * v + self.synapses(s) + z @ self.recurrent.t() - z.detach()
        # z[t] = [v[t] > 1 + κ a[t]]
        z = Step.apply(v - 1 - strength * a, self.surrogate)
        return z, AdaptiveState(v, a, z)


class LongRecurrent(AdaptiveRecurrent):
    """A recurrent network of leaky neurons that learn their membrane time constants: ``snntorch.RLeaky``, one β a neuron.

    v[t] = β v[t−1] + W s[t] + b + R z[t−1] − z[t−1],   z[t] = [v[t] > 1],   β = exp(−dt/τ).

    The time constants start out between ``tau_shortest`` and ``tau_longest``, evenly on a log scale. Learned: W, b, R, τ.

    Source: heterogeneous learned time constants as in N. Perez-Nieves et al. (2021), Neural heterogeneity promotes robust
    learning.
    """

    def __init__(self, n_inputs: int, n_hidden: int, o: TraditionalOptions):
        _Cell.__init__(self, n_inputs, n_hidden, o)
        ends = math.log(o.tau_shortest), math.log(o.tau_longest)
        self.log_tau = nn.Parameter(torch.linspace(*ends, n_hidden))
        self.surrogate = surrogate(o)
        # a slow membrane sums what it hears: (1 − β) of it each tick, at the scale that τ_m has
        scale = (1 - decay(self.log_tau.detach(), o.dt)) / (1 - math.exp(-o.dt / o.tau_membrane))
        self.synapses.weight.data *= scale.sqrt()[:, None]
        self.recurrent.data *= scale.sqrt()[:, None]

    def learned(self) -> dict[str, int]:
        """τ of each neuron."""
        return {"log_tau": self.synapses.out_features}

    def constants(self) -> Adaptation:
        """β of each neuron; no threshold adapts."""
        zero = torch.zeros_like(self.log_tau)
        return Adaptation(decay(self.log_tau, self.options.dt), zero, zero)


class ShortTermState(NamedTuple):
    """Of :class:`ShortTermPlasticity`: of its inputs, each (B, P), and of its neurons, each (B, Q)."""

    u_input: Tensor  # utilisation
    x_input: Tensor  # resources
    v: Tensor
    z: Tensor
    u: Tensor
    x: Tensor
    r: Tensor  # what was released at the tick before


class ShortTermPlasticity(_Cell):
    """A recurrent network whose synapses facilitate and depress by their presynaptic spikes (Tsodyks and Markram).

    Between spikes u relaxes to U with τ_F and x to 1 with τ_D. At a presynaptic spike, u⁺ = u⁻ + U (1 − u⁻), the synapse
    releases r = u⁺ x⁻, and x⁺ = x⁻ − u⁺ x⁻; elsewhere r = 0. Then

    v[t] = β v[t−1] + W r_in[t] + b + R r[t−1] − z[t−1],   z[t] = [v[t] > 1].

    Learned: W, b, R, and U, τ_F and τ_D of each input and of each neuron; the form of the dynamics is not. At the start every
    second one facilitates (U = 0.15, τ_F = 1500 ms, τ_D = 200 ms) and every other depresses (0.45, 200 ms, 1500 ms).

    Source: M. Tsodyks, K. Pawelzik, H. Markram (1998), Neural networks with dynamic synapses; for working memory G. Mongillo,
    O. Barak, M. Tsodyks (2008); values at the start and one set per presynaptic neuron after N. Masse et al. (2019).
    """

    def __init__(self, n_inputs: int, n_hidden: int, o: TraditionalOptions):
        super().__init__(n_inputs, n_hidden, o)
        self.of_inputs, self.of_neurons = _Synapses(n_inputs, o), _Synapses(n_hidden, o)
        self.surrogate = surrogate(o)
        # released amounts start at U a spike: W and R start out larger by as much
        self.synapses.weight.data /= self.of_inputs.constants().use.detach()
        self.recurrent.data /= self.of_neurons.constants().use.detach()
        self.beta = math.exp(-o.dt / o.tau_membrane)

    def learned(self) -> dict[str, int]:
        """U, τ_F and τ_D of each input and of each neuron."""
        sides = {"of_inputs": self.synapses.in_features, "of_neurons": self.synapses.out_features}
        return {f"{side}.{name}": n for side, n in sides.items() for name in ("logit_use", "log_tau_f", "log_tau_d")}

    def run(self, spikes: Tensor) -> Tensor:
        """Spikes, (T, B, Q), of spikes (T, B, P), from rest."""
        current = self.synapses(released(spikes, self.of_inputs.constants()))
        constants = self.of_neurons.constants()
        return short_term_recurrent(current, self.recurrent, self.beta, constants, self.surrogate.derivative)

    def rest(self, batch_size: int) -> ShortTermState:
        """The state before the first tick: u = U, x = 1, everything else zero."""
        inputs, neurons = (part.constants().use.expand(batch_size, -1) for part in (self.of_inputs, self.of_neurons))
        zero = torch.zeros_like(neurons)
        return ShortTermState(inputs, torch.ones_like(inputs), zero, zero, neurons, torch.ones_like(neurons), zero)

    def tick(self, s: Tensor, state: ShortTermState) -> tuple[Tensor, ShortTermState]:
        """One tick: spikes (B, Q), and the state after it."""
        u_input, x_input, r_input = release(s, state.u_input, state.x_input, self.of_inputs.constants())
        heard = self.synapses(r_input) + state.r @ self.recurrent.t()
        v = self.beta * state.v + heard - state.z.detach()
        z = Step.apply(v - 1, self.surrogate)
        return z, ShortTermState(u_input, x_input, v, z, *release(z, state.u, state.x, self.of_neurons.constants()))


class _Synapses(nn.Module):
    """U, τ_F and τ_D of ``n`` presynaptic neurons."""

    def __init__(self, n: int, o: TraditionalOptions):
        super().__init__()
        facilitates = torch.arange(n) % 2 == 0
        use = torch.where(facilitates, 0.15, 0.45)
        self.dt = o.dt
        self.logit_use = nn.Parameter(torch.logit(use))
        self.log_tau_f = nn.Parameter(torch.where(facilitates, 1500.0, 200.0).mul(float(o.recovery)).log())
        self.log_tau_d = nn.Parameter(torch.where(facilitates, 200.0, 1500.0).mul(float(o.recovery)).log())

    def constants(self) -> ShortTerm:
        return ShortTerm(torch.sigmoid(self.logit_use), decay(self.log_tau_f, self.dt), decay(self.log_tau_d, self.dt))


def release(s: Tensor, u: Tensor, x: Tensor, constants: ShortTerm) -> tuple[Tensor, Tensor, Tensor]:
    """One tick of Tsodyks-Markram synapses: u and x after it, and what was released, all (B, P).

    Args:
        s: presynaptic spikes.
        u, x: utilisation and resources after the tick before.
        constants: U, exp(−dt/τ_F), exp(−dt/τ_D).
    """
    use, facilitation, depression = constants
    # u⁻ = U + (u − U) exp(−dt/τ_F),   x⁻ = 1 + (x − 1) exp(−dt/τ_D)
    u = use + facilitation * (u - use)
    x = 1 - depression * (1 - x)
    # u⁺ = u⁻ + U (1 − u⁻) s,   r = u⁺ x⁻ s,   x⁺ = x⁻ − r
    u = u + use * (1 - u) * s
    r = u * x * s
    return u, x - r, r


TRADITIONAL: dict[str, type[_Cell]] = {
    "lsnn": AdaptiveRecurrent,
    "rsnn-long": LongRecurrent,
    "stp": ShortTermPlasticity,
}


class TraditionalNetwork(nn.Module):
    """Input spikes → a recurrent cell → linear → leaky, non-spiking readout. Build one with :func:`build_traditional`."""

    def __init__(self, cell: _Cell, n_inputs: int, n_outputs: int, o: TraditionalOptions):
        super().__init__()
        self.cell, self.n_inputs = cell, n_inputs
        n_hidden = len(cell.recurrent)
        self.n_hidden, self.readout = n_hidden, nn.Linear(n_hidden, n_outputs)
        nn.init.normal_(self.readout.weight, std=1 / math.sqrt(n_hidden))
        nn.init.zeros_(self.readout.bias)
        self.integrator = integrator(o.tau_readout, o.dt)

    def run(self, spikes: Tensor) -> Run:
        """Run over the ticks of ``spikes``, (T, B, P), from rest; no state is returned."""
        spikes = require_spikes(self, spikes, self.n_inputs, self.n_hidden)
        self.cell.require_sizes()
        zero = spikes.new_zeros(spikes.shape[1], self.readout.out_features)
        if not len(spikes):
            return nothing(self, spikes, (None, zero))
        out = self._over_time(spikes)(spikes)
        potential, y = integrate(self.readout(out), zero.to(out.dtype), self.integrator)
        return Run(potential, out, (None, y))

    def _over_time(self, spikes: Tensor) -> Callable[[Tensor], Tensor]:
        """The cell's ``run``, which is compiled, or its ``each`` where that would not compute what its ``tick`` says."""
        cell, kinds = self.cell, TRADITIONAL.values()
        if obstacles.of_methods(cell, kinds, "run"):
            return cell.run
        obstacle = (
            missing()
            or obstacles.to_compiled((spikes, *cell.parameters()), cell.modules())
            or obstacles.of_methods(cell, kinds, "tick", "rest", "constants", "each")
        )
        if obstacle:
            tell_not_fused(obstacle)
        return cell.each if obstacle else cell.run

    def forward(self, spikes: Tensor) -> Tensor:
        """The readout, (T, B, classes), of ``spikes``, (T, B, P)."""
        return self.run(spikes).readout


def build_traditional(
    name: str, n_inputs: int, n_hidden: int, n_outputs: int, seed: int = 0, options: TraditionalOptions | None = None
) -> TraditionalNetwork:
    """A traditional network by name.

    Args:
        name: ``lsnn`` (adaptive thresholds), ``rsnn-long`` (long learned membranes) or ``stp`` (short-term plasticity).
        n_inputs, n_hidden, n_outputs: its sizes.
        seed: of the initial weights.
        options: None takes the defaults.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """
    require_choice("name", name, TRADITIONAL)
    require_network(n_inputs, n_hidden, n_outputs, seed)
    require_matrix(("n_hidden", n_hidden), ("n_hidden", n_hidden))
    o = TraditionalOptions() if options is None else options
    require(isinstance(o, TraditionalOptions), "options", o, "a TraditionalOptions, or None")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed))
        return TraditionalNetwork(TRADITIONAL[name](n_inputs, n_hidden, o), n_inputs, n_outputs, o)
